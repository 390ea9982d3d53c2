//! Rotation of each level while values are sealed and opened, and what is left of the old keys afterwards.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use rtvoice::config::Environment;
use rtvoice::error::Kind;
use rtvoice::model::ids::{CallId, UserToken};
use rtvoice::ports::clock::{Clock, ManualClock};
use rtvoice::ports::documents::embedded::EmbeddedDocuments;
use rtvoice::ports::documents::{Condition, Container, Document, Documents};
use rtvoice::ports::embedded::Embedded;
use rtvoice::privacy::envelope::{self, Place};
use rtvoice::privacy::vault::{Lives, Vault};
use serde_json::json;

use super::vault::{TestVault, token};
use crate::harness::app::Rtvoice;
use crate::harness::faults::Fault;
use crate::harness::process::eventually;

const DAY: i64 = 86_400_000;
const PLACE: Place<'static> = Place::document("profiles", "profile", "/preferences");

/// Keys are looked up again all the time, so that a rotation meets every state of every process.
const SHORT: Lives = Lives {
    epoch: Duration::from_millis(20),
    user: Duration::from_millis(10),
    call: Duration::from_millis(10),
    stale: Duration::from_secs(60),
    epoch_stale: Duration::from_secs(60),
    settle: Duration::from_millis(500),
};

fn call(id: &str) -> CallId {
    CallId::parse(id).unwrap()
}

/// 200 tasks on two processes seal and open all the time while `rotate` runs; nothing that was ever sealed is lost. Where
/// `known`, it runs once every call has its user: a call waits for that for less than 15 days.
async fn loses_nothing<F: Future<Output = ()>>(there: &TestVault, known: bool, rotate: F) {
    let two = Arc::new(Vault::with_lives(there.documents.clone(), there.root.clone(), there.clock.clone(), Environment::Test, SHORT));
    let (stop, users) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicUsize::new(0)));
    let tasks: Vec<_> = (0..200_usize)
        .map(|n| {
            let (vaults, stop, users) = ([there.vault.clone(), two.clone()], stop.clone(), users.clone());
            tokio::spawn(async move {
                // Several calls of one user at a time.
                let (user, id) = (token('u', n as u128 % 20), call(&format!("call-{n}")));
                let (mut sealed, mut turn) = (Vec::new(), 0_usize);
                let mut cipher = vaults[n % 2].new_call(&id, None).await.unwrap();
                while !stop.load(Ordering::SeqCst) || turn < 3 {
                    let (vault, other) = (&vaults[turn % 2], &vaults[(turn + 1) % 2]);
                    if turn == 1 {
                        cipher = vault.rewrap(&cipher, &user).await.unwrap();
                        users.fetch_add(1, Ordering::SeqCst);
                    }
                    let plain = format!("{n} {turn}").into_bytes();
                    let at_rest = vault.seal(&user, &PLACE, &plain).await.unwrap();
                    let under_way = vault.call(&id, cipher.wrap()).await.unwrap().seal(&PLACE, &plain).unwrap();
                    assert_eq!(other.open(&user, &PLACE, &at_rest).await.unwrap(), plain);
                    assert_eq!(other.call(&id, cipher.wrap()).await.unwrap().open(&PLACE, &under_way).unwrap(), plain);
                    sealed.push((plain, at_rest, under_way));
                    turn += 1;
                    tokio::task::yield_now().await;
                }
                (user, id, cipher.wrap().to_owned(), sealed)
            })
        })
        .collect();
    if known {
        eventually("every call has its user", String::new, async || (users.load(Ordering::SeqCst) == 200).then_some(())).await;
    }
    rotate.await;
    stop.store(true, Ordering::SeqCst);
    let fresh = there.another();
    for task in tasks {
        let (user, id, wrap, sealed) = task.await.unwrap();
        let cipher = fresh.call(&id, &wrap).await.unwrap();
        for (plain, at_rest, under_way) in sealed {
            assert_eq!(fresh.open(&user, &PLACE, &at_rest).await.unwrap(), plain);
            assert_eq!(cipher.open(&PLACE, &under_way).unwrap(), plain);
        }
    }
    assert_eq!(there.vault.refused().count() + two.refused().count(), 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_root_key_rotates_while_200_calls_go_on() {
    let there = TestVault::with(SHORT);
    there.vault.seal(&token('u', 1), &PLACE, b"x").await.unwrap();
    let first = there.vault.status().await.unwrap().root;
    loses_nothing(&there, false, async {
        let done = there.vault.rotate_root(true).await.unwrap();
        assert_eq!(done.retired, std::slice::from_ref(&first));
        there.vault.rotate_root(false).await.unwrap();
    })
    .await;
    let status = there.vault.status().await.unwrap();
    assert!(status.root != first && status.under_older_root == 0, "{status:?}");
    // What a rotation left in use goes with a later one.
    let second = there.vault.rotate_root(false).await.unwrap().kid;
    there.vault.rotate_root(false).await.unwrap();
    let retired = there.vault.rewrap_root_current(true).await.unwrap().retired;
    assert!(retired.len() == 3 && retired.contains(&second), "{retired:?}");
    assert!(there.vault.rewrap_root_current(true).await.unwrap().retired.is_empty());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_epoch_rotates_while_200_calls_go_on() {
    let there = TestVault::with(SHORT);
    there.vault.seal(&token('u', 1), &PLACE, b"x").await.unwrap();
    loses_nothing(&there, true, async {
        for _ in 0..3 {
            there.clock.advance_millis(7 * DAY);
            let done = there.vault.rotate_epoch().await.unwrap();
            assert_eq!(done.lost, 0);
        }
    })
    .await;
    there.vault.rotate_epoch().await.unwrap();
    let status = there.vault.status().await.unwrap();
    let newest = status.epochs.last().unwrap();
    assert_eq!((newest.key.id.as_str(), newest.user_keys), ("2026-W14", status.user_keys), "{status:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn users_keys_rotate_while_200_calls_go_on() {
    let there = TestVault::with(SHORT);
    loses_nothing(&there, false, async {
        for n in 0..20 {
            // Whoever calls has a key; a rotation makes none for anybody else.
            there.vault.new_call(&CallId::parse("call-first").unwrap(), Some(&token('u', n))).await.unwrap();
            there.vault.rotate_user(&token('u', n)).await.unwrap();
            there.another().rotate_user(&token('u', n)).await.unwrap();
        }
    })
    .await;
    assert!(there.vault.status().await.unwrap().user_keys >= 40);
}

/// A vault on a copy of these documents, with the root key that there is now.
async fn on_a_copy(there: &TestVault, copied: &[Document]) -> (Vault, tempfile::TempDir) {
    let folder = tempfile::tempdir().unwrap();
    let documents = EmbeddedDocuments::open(Embedded::open(&folder.path().join("copy.db")).unwrap(), there.clock.clone()).unwrap();
    for document in copied {
        documents.put(Container::Keys, &document.body, Condition::Always).await.unwrap();
    }
    (Vault::new(Arc::new(documents), there.root.clone(), there.clock.clone(), Environment::Test), folder)
}

async fn all_keys(there: &TestVault) -> Vec<Document> {
    there.documents.scan(Container::Keys, None, 1000).await.unwrap().documents
}

async fn kind_of_opening(vault: &Vault, user: &UserToken, text: &str) -> Option<Kind> {
    vault.open(user, &PLACE, text).await.err().map(|e| e.kind)
}

#[tokio::test]
async fn a_copy_from_before_the_rotation_of_the_root_key_is_dead() {
    let there = TestVault::with(SHORT);
    let ann = token('u', 1);
    let text = there.vault.seal(&ann, &PLACE, b"x").await.unwrap();
    let copied = all_keys(&there).await;
    assert_eq!(kind_of_opening(&on_a_copy(&there, &copied).await.0, &ann, &text).await, None, "the copy is whole");
    let done = there.vault.rotate_root(true).await.unwrap();
    assert_eq!((done.rewrapped, done.retired.len()), (1, 1), "{done:?}");
    assert_eq!(kind_of_opening(&there.another(), &ann, &text).await, None);
    assert_eq!(kind_of_opening(&on_a_copy(&there, &copied).await.0, &ann, &text).await, Some(Kind::Setting));
}

#[tokio::test]
async fn a_copy_from_before_the_end_of_its_epoch_is_dead() {
    let there = TestVault::with(SHORT);
    let (ann, bob) = (token('u', 1), token('u', 2));
    let (of_ann, of_bob) = (there.vault.seal(&ann, &PLACE, b"x").await.unwrap(), there.vault.seal(&bob, &PLACE, b"y").await.unwrap());
    let users: Vec<_> = all_keys(&there).await.into_iter().filter(|d| d.body["user"] != "epochs").collect();
    there.vault.shred(&ann).await.unwrap();
    // START is a Tuesday: its week ends after 5 days at most, and 15 days later its epoch may go.
    for (days, destroyed) in [(7, 0), (13, 0), (2, 1)] {
        there.clock.advance_millis(days * DAY);
        assert_eq!(there.vault.rotate_epoch().await.unwrap().destroyed.len(), destroyed, "after {days} more days");
    }
    assert_eq!(kind_of_opening(&there.another(), &bob, &of_bob).await, None);
    // Who restores the users' keys of that week finds no key to unwrap them.
    let epochs = there.keys("epochs").await;
    let (copy, _folder) = on_a_copy(&there, &[users, epochs].concat()).await;
    for (user, text) in [(&ann, &of_ann), (&bob, &of_bob)] {
        assert_eq!(kind_of_opening(&copy, user, text).await, Some(Kind::Erased));
    }
}

#[tokio::test]
async fn a_rotation_that_was_stopped_is_finished_by_the_next() {
    let there = TestVault::with(SHORT);
    for n in 0..30 {
        there.vault.seal(&token('u', n), &PLACE, b"x").await.unwrap();
    }
    there.clock.advance_millis(30 * DAY);
    there.vault.new_call(&call("c-1"), None).await.unwrap();
    there.faults.fail_in("put", Fault::AnswerLost);
    assert!(there.vault.rotate_epoch().await.is_err());
    assert!(there.vault.rotate_root(false).await.is_err());
    there.faults.heal();
    let done = there.vault.rotate_epoch().await.unwrap();
    assert!(done.rewrapped < 30 && done.lost == 0, "{done:?}");
    assert_eq!((done.destroyed, done.kept), (vec!["2026-W11".to_owned()], vec![]));
    there.vault.rewrap_root_current(true).await.unwrap();
    assert_eq!(there.vault.status().await.unwrap().under_older_root, 0);
    let again = there.vault.rotate_epoch().await.unwrap();
    assert_eq!((again.rewrapped, again.destroyed.len()), (0, 0), "a second run finds nothing to do");
}

#[tokio::test]
async fn a_week_begins_on_monday_in_utc() {
    let there = TestVault::start();
    for (at, epoch) in [
        ("2026-03-15T23:59:59.999Z", "2026-W11"),
        ("2026-03-16T00:00:00Z", "2026-W12"),
        ("2026-12-31T12:00:00Z", "2026-W53"),
        ("2027-01-03T23:59:59Z", "2026-W53"),
        ("2027-01-04T00:00:00Z", "2027-W01"),
        ("2028-02-29T12:00:00Z", "2028-W09"),
    ] {
        let clock = Arc::new(ManualClock::at(rtvoice::model::time::Timestamp::parse(at).unwrap()));
        let vault = Vault::new(there.documents.clone(), there.root.clone(), clock as Arc<dyn Clock>, Environment::Test);
        let wrap = vault.new_call(&call("c-1"), None).await.unwrap().wrap().to_owned();
        assert!(wrap.starts_with(&format!("c:{epoch}:")), "{at}: {wrap}");
        there.vault.call(&call("c-1"), &wrap).await.unwrap();
    }
}

#[tokio::test]
async fn a_new_version_of_a_users_key_is_found_at_once() {
    let there = TestVault::start();
    let (ann, other) = (token('u', 1), there.another());
    let old = other.seal(&ann, &PLACE, b"old").await.unwrap();
    there.vault.open(&ann, &PLACE, &old).await.unwrap();
    let version = other.rotate_user(&ann).await.unwrap();
    let new = other.seal(&ann, &PLACE, b"new").await.unwrap();
    assert_eq!(envelope::key_version(&new), Some(version));
    assert_eq!(there.vault.open(&ann, &PLACE, &new).await.unwrap(), b"new", "although another process made it");
    there.faults.fail(Fault::Away);
    let newer = "the record cannot say whether there is such a version";
    let mut bytes = envelope::from_text(&new).unwrap();
    bytes[2..6].copy_from_slice(&(version + 1).to_be_bytes());
    assert_eq!(there.vault.open_bytes(&ann, &PLACE, &bytes).await.unwrap_err().kind, Kind::Unavailable, "{newer}");
}

#[tokio::test]
async fn what_old_versions_sealed_is_sealed_anew() {
    let there = TestVault::start();
    let (ann, vault) = (token('u', 1), &there.vault);
    let cipher = vault.new_call(&call("c-1"), Some(&ann)).await.unwrap();
    let at = |id: &str, pointer: &str| (id.to_owned(), pointer.to_owned());
    let mut sealed = Vec::new();
    for (id, pointer) in [at("p", "/data"), at("p", "/more/0/a~1b"), at("q", "/data")] {
        sealed.push(vault.seal(&ann, &Place::document("profiles", &id, &pointer), id.as_bytes()).await.unwrap());
    }
    let loose = cipher.seal_text(&Place::document("profiles", "q", "/turn"), b"loose").unwrap();
    let p = json!({"id": "p", "user": ann, "data": sealed[0], "more": [{"a/b": sealed[1]}], "count": 3});
    let q = json!({"id": "q", "user": ann, "data": sealed[2], "turn": loose});
    for body in [&p, &q] {
        there.documents.put(Container::Profiles, body, Condition::Absent).await.unwrap();
    }
    vault.rotate_user(&ann).await.unwrap();
    there.clock.advance_millis(DAY);
    let dry = vault.reencrypt(true).await.unwrap();
    assert_eq!((dry.documents, dry.envelopes, dry.older, dry.resealed), (2, 3, 3, 0), "{dry:?}");
    let done = vault.reencrypt(false).await.unwrap();
    assert_eq!((done.older, done.resealed, done.refused, done.passed_over, done.retired), (3, 3, 0, 0, 0), "{done:?}");
    let read = async |id: &str| there.documents.get(Container::Profiles, ann.as_str(), id).await.unwrap().unwrap().body;
    let (new_p, new_q) = (read("p").await, read("q").await);
    assert_eq!((&new_p["count"], &new_q["turn"]), (&json!(3), &json!(loose)));
    for (id, pointer, old, new) in [("p", "/data", &p, &new_p), ("p", "/more/0/a~1b", &p, &new_p), ("q", "/data", &q, &new_q)] {
        let (old, new) = (old.pointer(pointer).unwrap().as_str().unwrap(), new.pointer(pointer).unwrap().as_str().unwrap());
        assert!(envelope::key_version(new) > envelope::key_version(old));
        assert_eq!(vault.open(&ann, &Place::document("profiles", id, pointer), new).await.unwrap(), id.as_bytes());
    }
    assert_eq!(vault.reencrypt(false).await.unwrap().older, 0);
    assert_eq!(there.keys(ann.as_str()).await.len(), 2, "calls may still need it");
    there.clock.advance_millis(15 * DAY);
    assert_eq!(vault.reencrypt(false).await.unwrap().retired, 1);
    let first = p["data"].as_str().unwrap();
    assert_eq!(vault.open(&ann, &Place::document("profiles", "p", "/data"), first).await.unwrap_err().kind, Kind::Erased);
    assert_eq!(vault.open(&ann, &Place::document("profiles", "p", "/data"), new_p["data"].as_str().unwrap()).await.unwrap(), b"p");
}

#[tokio::test]
async fn a_refused_value_stops_no_walk_and_keeps_old_keys() {
    let there = TestVault::start();
    let (ann, bob, vault) = (token('u', 1), token('u', 2), &there.vault);
    let moved = vault.seal(&ann, &Place::document("profiles", "elsewhere", "/data"), b"x").await.unwrap();
    let gone = vault.seal(&bob, &Place::document("profiles", "b", "/data"), b"x").await.unwrap();
    vault.shred(&bob).await.unwrap();
    vault.rotate_user(&ann).await.unwrap();
    for body in
        [json!({"id": "a", "user": ann, "data": moved}), json!({"id": "b", "user": bob, "data": gone}), json!({"id": "c", "user": "nobody", "data": moved})]
    {
        there.documents.put(Container::Profiles, &body, Condition::Absent).await.unwrap();
    }
    there.clock.advance_millis(30 * DAY);
    let done = vault.reencrypt(false).await.unwrap();
    assert_eq!((done.refused, done.erased, done.retired), (2, 1, 0), "{done:?}");
    assert!(!done.is_complete());
    assert_eq!(there.keys(ann.as_str()).await.len(), 2);
}

#[tokio::test]
async fn a_whole_record_is_sealed_anew() {
    let app = Rtvoice::start();
    app.event("CallConnected", "call-1", "e1").await.ok();
    for n in 1..=3 {
        app.turn("call-1", &format!("t{n}"), "hello").await.ok();
    }
    app.event("CallDisconnected", "call-1", "e2").await.ok();
    app.quiesce().await;
    app.deliver_queue().await;
    let profile = app.user_path("ann").await;
    app.patch(&profile, &json!({"preferences": {"drink": "tea"}})).await.ok();
    let before = app.archive("call-1").await.unwrap();
    let (vault, ann) = (&app.app.vault, app.token("ann").await);
    app.clock.advance_millis(DAY);
    for subject in [before.header.subject.as_ref().unwrap(), &ann] {
        vault.rotate_user(subject).await.unwrap();
    }
    let dry = vault.reencrypt(true).await.unwrap();
    let done = vault.reencrypt(false).await.unwrap();
    assert!(done.older >= 5 && done.older == dry.older, "three turns, the participants, the preferences: {done:?}");
    assert!(done.is_complete() && vault.refused().count() == 0, "{done:?}");
    assert_eq!(vault.reencrypt(true).await.unwrap().older, 0);
    app.clock.advance_millis(16 * DAY);
    assert_eq!(vault.reencrypt(false).await.unwrap().retired, 2);
    let after = app.archive("call-1").await.unwrap();
    assert_eq!((after.header, after.union.in_order()), (before.header, before.union.in_order()));
    assert_eq!(app.get(&profile).await.ok()["preferences"]["drink"], "tea");
    app.finish().await;
}
