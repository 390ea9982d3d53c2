//! Claims of workers on calls.

use std::sync::Arc;

use futures::future::join_all;
use rtvoice::model::time::Timestamp;
use rtvoice::ports::state::keys::{CallKey, TtlPolicy};
use rtvoice::ports::state::{Closing, Lease};

use super::bench::{Bench, START, call_id, worker_id};

/// Claims the call for a worker; `Err` where it is refused.
async fn claim(b: &Bench, worker: &str, token: Option<&str>, fresh: &str, now: Timestamp) -> Result<Lease, Lease> {
    b.state.claim(&call_id("c1"), &worker_id(worker), token, fresh, now).await.unwrap()
}

async fn release(b: &Bench, worker: &str, token: Option<&str>, now: Timestamp) -> Result<bool, Lease> {
    b.state.release(&call_id("c1"), &worker_id(worker), token, now).await.unwrap()
}

fn lease(b: &Bench, worker: &str, token: &str, from: Timestamp) -> Lease {
    let millis = i64::try_from(b.keys.ttl(TtlPolicy::WorkerAffinity)).unwrap() * 1000;
    Lease { worker: worker_id(worker), token: token.to_owned(), until: from.plus_millis(millis) }
}

fn die(b: &Bench, worker: &str) {
    b.beneath.expire(&b.keys.worker_heartbeat(&worker_id(worker)));
}

pub async fn a_free_call_is_claimed(b: &Bench) {
    let call = call_id("c1");
    assert_eq!(b.state.holder(&call, START).await.unwrap(), None);
    let expected = lease(b, "w1", "a", START);
    assert_eq!(claim(b, "w1", None, "a", START).await, Ok(expected.clone()));
    assert_eq!(b.state.holder(&call, START).await.unwrap(), Some(expected));
    b.assert_life_of(&call, CallKey::Worker, TtlPolicy::WorkerAffinity);
    b.assert_life(&b.keys.worker_affinity(&worker_id("w1")), TtlPolicy::WorkerAffinity);
    b.assert_life(&b.keys.worker_heartbeat(&worker_id("w1")), TtlPolicy::WorkerHeartbeat);
}

pub async fn the_owner_renews_with_its_token(b: &Bench) {
    claim(b, "w1", None, "a", START).await.unwrap();
    let later = START.plus_millis(60_000);
    assert_eq!(claim(b, "w1", Some("a"), "b", later).await, Ok(lease(b, "w1", "a", later)));
    let latest = START.plus_millis(90_000);
    assert_eq!(claim(b, "w1", None, "c", latest).await.unwrap().token, "a", "its own claim is confirmed with its token");
}

pub async fn a_wrong_token_is_refused(b: &Bench) {
    let held = claim(b, "w1", None, "a", START).await.unwrap();
    let later = START.plus_millis(1000);
    assert_eq!(claim(b, "w1", Some("x"), "b", later).await, Err(held.clone()));
    assert_eq!(b.state.holder(&call_id("c1"), later).await.unwrap(), Some(held), "nothing changed");
}

pub async fn another_live_worker_is_refused(b: &Bench) {
    let held = claim(b, "w1", None, "a", START).await.unwrap();
    let later = START.plus_millis(1000);
    for token in [None, Some("a"), Some("x")] {
        assert_eq!(claim(b, "w2", token, "b", later).await, Err(held.clone()), "{token:?}");
        assert_eq!(release(b, "w2", token, later).await, Err(held.clone()), "{token:?}");
    }
    assert_eq!(b.state.heartbeat(&worker_id("w2"), later).await.unwrap(), 0);
    assert_eq!(b.state.holder(&call_id("c1"), later).await.unwrap(), Some(held));
}

pub async fn a_dead_worker_holds_nothing(b: &Bench) {
    claim(b, "w1", None, "a", START).await.unwrap();
    die(b, "w1");
    assert_eq!(b.state.holder(&call_id("c1"), START).await.unwrap(), None);
    assert_eq!(release(b, "w2", None, START).await, Ok(false));
    assert_eq!(claim(b, "w2", None, "b", START).await, Ok(lease(b, "w2", "b", START)));
    assert_eq!(b.state.heartbeat(&worker_id("w1"), START).await.unwrap(), 0, "the former owner has lost the call");
    assert_eq!(b.state.heartbeat(&worker_id("w2"), START).await.unwrap(), 1);
    assert_eq!(claim(b, "w1", Some("a"), "c", START).await, Err(lease(b, "w2", "b", START)));
}

pub async fn an_expired_claim_is_free(b: &Bench) {
    let held = claim(b, "w1", None, "a", START).await.unwrap();
    assert_eq!(claim(b, "w2", None, "b", held.until.plus_millis(-1)).await, Err(held.clone()));
    assert_eq!(b.state.holder(&call_id("c1"), held.until).await.unwrap(), None);
    assert_eq!(release(b, "w2", None, held.until).await, Ok(false));
    assert_eq!(claim(b, "w2", None, "b", held.until).await, Ok(lease(b, "w2", "b", held.until)));
}

pub async fn a_claim_is_released_by_its_owner_alone(b: &Bench) {
    assert_eq!(release(b, "w1", None, START).await, Ok(false));
    for token in [None, Some("a")] {
        let held = claim(b, "w1", None, "a", START).await.unwrap();
        assert_eq!(release(b, "w1", Some("x"), START).await, Err(held));
        assert_eq!(release(b, "w1", token, START).await, Ok(true));
        assert_eq!(release(b, "w1", token, START).await, Ok(false));
        assert_eq!(b.life_of(&call_id("c1"), CallKey::Worker), None);
    }
    assert_eq!(claim(b, "w2", None, "b", START).await, Ok(lease(b, "w2", "b", START)));
}

pub async fn a_heartbeat_counts_the_calls(b: &Bench) {
    let worker = worker_id("w1");
    assert_eq!(b.state.heartbeat(&worker, START).await.unwrap(), 0);
    b.assert_life(&b.keys.worker_heartbeat(&worker), TtlPolicy::WorkerHeartbeat);
    for n in 1..=3 {
        b.state.claim(&call_id(&format!("c{n}")), &worker, None, "a", START).await.unwrap().unwrap();
        assert_eq!(b.state.heartbeat(&worker, START).await.unwrap(), n);
    }
    release(b, "w1", None, START).await.unwrap();
    assert_eq!(b.state.heartbeat(&worker, START).await.unwrap(), 2);
    b.assert_life(&b.keys.worker_affinity(&worker), TtlPolicy::WorkerAffinity);
}

pub async fn a_heartbeat_drops_the_calls_that_are_lost(b: &Bench) {
    let worker = worker_id("w1");
    // More than are looked at together.
    let calls: Vec<_> = (0..250).map(|n| call_id(&format!("c{n}"))).collect();
    for call in &calls {
        b.state.claim(call, &worker, None, "a", START).await.unwrap().unwrap();
    }
    let [expired, archived, kept] = [&calls[0], &calls[1], &calls[2]];
    b.expire(expired, CallKey::Worker);
    let closing = Closing { call: archived.clone(), summary: "{}".to_owned(), archived_fields: Vec::new(), archived_entries: 0 };
    assert!(b.state.close(&closing).await.unwrap());
    assert_eq!(b.state.heartbeat(&worker, START).await.unwrap(), 248);
    b.state.claim(kept, &worker, Some("a"), "b", START.plus_millis(1)).await.unwrap().unwrap();
    let ttl = i64::try_from(b.keys.ttl(TtlPolicy::WorkerAffinity)).unwrap() * 1000;
    assert_eq!(b.state.heartbeat(&worker, START.plus_millis(ttl)).await.unwrap(), 1, "expiry is judged by the time that the worker tells");
    b.expire(kept, CallKey::Worker);
    assert_eq!(b.state.heartbeat(&worker, START).await.unwrap(), 0);
    assert_eq!(b.life(&b.keys.worker_affinity(&worker)), None, "nothing of them is left");
}

pub async fn an_owner_whose_heartbeat_is_gone_holds_nothing(b: &Bench) {
    claim(b, "w1", None, "a", START).await.unwrap();
    die(b, "w1");
    assert_eq!(release(b, "w1", Some("a"), START).await, Ok(false));
    assert_eq!(claim(b, "w1", None, "b", START).await, Ok(lease(b, "w1", "b", START)), "its own claim was free, too");
    die(b, "w1");
    assert_eq!(claim(b, "w1", Some("b"), "c", START).await, Ok(lease(b, "w1", "c", START)), "whatever token it has");
    assert_eq!(claim(b, "w1", Some("b"), "d", START).await, Err(lease(b, "w1", "c", START)));
}

pub async fn one_of_many_claimers_wins(b: &Bench) {
    let tasks = (0..20).map(|n| {
        let state = Arc::clone(&b.state);
        let worker = worker_id(&format!("w{n}"));
        tokio::spawn(async move {
            // Whoever looks at the winner must see it alive, as a worker that beats before it claims is.
            state.heartbeat(&worker, START).await.unwrap();
            state.claim(&call_id("c1"), &worker, None, &format!("token-{n}"), START).await.unwrap()
        })
    });
    let claims: Vec<_> = join_all(tasks).await.into_iter().map(Result::unwrap).collect();
    assert_eq!(claims.iter().filter(|claim| claim.is_ok()).count(), 1);
    let winner = claims.iter().find_map(|claim| claim.as_ref().ok()).unwrap();
    assert!(claims.iter().all(|claim| claim.as_ref().unwrap_or_else(|held| held) == winner), "everyone is told the winner");
}
