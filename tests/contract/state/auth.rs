//! Authentication states.

use std::sync::Arc;

use futures::future::join_all;
use rtvoice::model::conversation::AuthState;
use rtvoice::ports::state::Attempt;
use rtvoice::ports::state::keys::{CallKey, TtlPolicy};

use super::bench::{Bench, call_id};

fn success() -> AuthState {
    // What the input says of attempts and locks does not count.
    let (method, level, subject) = (Some("pin".to_owned()), Some("basic".to_owned()), Some("ada".to_owned()));
    AuthState { authenticated: true, method, level, subject, failed_attempts: 99, locked: true }
}

fn failure() -> AuthState {
    AuthState { method: Some("voice".to_owned()), failed_attempts: 99, locked: true, ..AuthState::default() }
}

async fn attempt(b: &Bench, state: AuthState) -> Attempt {
    b.state.attempt_auth(&call_id("c1"), &state, 3).await.unwrap()
}

fn in_full(seconds: u64) -> bool {
    (880..=900).contains(&seconds)
}

pub async fn a_success_is_kept(b: &Bench) {
    let call = call_id("c1");
    assert_eq!(b.state.auth(&call).await.unwrap(), None);
    let expected = AuthState { failed_attempts: 0, locked: false, ..success() };
    let Attempt::Taken(state, seconds) = attempt(b, success()).await else { panic!("not taken") };
    assert_eq!(state, expected);
    assert!(in_full(seconds), "{seconds}");
    let (stored, left) = b.state.auth(&call).await.unwrap().unwrap();
    assert_eq!(stored, expected);
    assert!(in_full(left), "{left}");
    assert_eq!(b.load(&call).await.auth, Some(expected), "the turn sees it");
    b.assert_life_of(&call, CallKey::Auth, TtlPolicy::AuthenticationState);
}

pub async fn failures_are_counted_until_the_lock(b: &Bench) {
    let key = b.keys.call(&call_id("c1"), CallKey::Auth);
    for failed in 1..=3 {
        let Attempt::Taken(state, seconds) = attempt(b, failure()).await else { panic!("not taken") };
        assert_eq!(state, AuthState { failed_attempts: failed, locked: failed == 3, ..failure() });
        assert!(in_full(seconds), "each attempt begins a new life");
        if failed < 3 {
            b.beneath.set_life(&key, 100);
        }
    }
    for later in [failure(), success()] {
        let Attempt::Locked(state, _) = attempt(b, later).await else { panic!("not locked") };
        assert_eq!(state, AuthState { failed_attempts: 3, locked: true, ..failure() });
    }
}

pub async fn a_success_clears_the_count(b: &Bench) {
    attempt(b, failure()).await;
    attempt(b, failure()).await;
    attempt(b, success()).await;
    let Attempt::Taken(state, _) = attempt(b, failure()).await else { panic!("not taken") };
    assert_eq!(state, AuthState { failed_attempts: 1, locked: false, ..failure() }, "a failure replaces the success");
}

pub async fn a_locked_state_runs_out_unchanged(b: &Bench) {
    let call = call_id("c1");
    for _ in 0..3 {
        attempt(b, failure()).await;
    }
    b.beneath.set_life(&b.keys.call(&call, CallKey::Auth), 100);
    let Attempt::Locked(_, seconds) = attempt(b, success()).await else { panic!("not locked") };
    assert!((80..=100).contains(&seconds), "{seconds}");
    assert!(!b.state.clear_auth(&call).await.unwrap());
    assert!(b.state.auth(&call).await.unwrap().is_some_and(|(state, left)| state.locked && left <= 100));
    b.expire(&call, CallKey::Auth);
    assert_eq!(b.state.auth(&call).await.unwrap(), None);
    assert!(matches!(attempt(b, success()).await, Attempt::Taken(..)));
}

pub async fn concurrent_failures_are_all_counted(b: &Bench) {
    let tasks = (0..10).map(|_| {
        let state = Arc::clone(&b.state);
        tokio::spawn(async move { state.attempt_auth(&call_id("c1"), &failure(), 3).await.unwrap() })
    });
    let attempts: Vec<_> = join_all(tasks).await.into_iter().map(Result::unwrap).collect();
    assert_eq!(attempts.iter().filter(|a| matches!(a, Attempt::Taken(..))).count(), 3);
}

pub async fn a_state_can_be_cleared_unless_locked(b: &Bench) {
    let call = call_id("c1");
    assert!(b.state.clear_auth(&call).await.unwrap(), "nothing to clear is cleared");
    attempt(b, success()).await;
    assert!(b.state.clear_auth(&call).await.unwrap());
    assert_eq!(b.state.auth(&call).await.unwrap(), None);
}
