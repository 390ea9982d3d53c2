//! The contract on the embedded file, and what holds for the file alone.

use std::path::PathBuf;
use std::sync::Arc;

use futures::future::join_all;
use rtvoice::config::Config;
use rtvoice::model::call::Effect;
use rtvoice::model::conversation::{Committed, ContextPatch, TurnCommit};
use rtvoice::ports::clock::{Clock as _, ManualClock};
use rtvoice::ports::embedded::Embedded;
use rtvoice::ports::state::embedded::EmbeddedState;
use rtvoice::ports::state::keys::TtlPolicy;
use rtvoice::ports::state::{Pending, Spoken, State};
use rusqlite::params;
use tempfile::TempDir;

use super::bench::{Backend, Bench, Beneath, START, call_id, end, entry, token, worker_id};
use crate::harness::redis::config_for;

super::state_contract!(super::OnFile);

/// The embedded backend on a file of its own.
pub struct OnFile {
    folder: TempDir,
    clock: std::sync::Mutex<Option<Arc<ManualClock>>>,
}

impl Backend for OnFile {
    fn start() -> (Config, Box<dyn Beneath>) {
        (config_for(&[]), Box::new(Self { folder: tempfile::tempdir().unwrap(), clock: std::sync::Mutex::default() }))
    }
}

impl OnFile {
    fn path(&self) -> PathBuf {
        self.folder.path().join("rtvoice.db")
    }

    fn now(&self) -> i64 {
        self.clock.lock().unwrap().as_ref().map_or(START, |clock| clock.now()).millis()
    }

    fn connection(&self) -> rusqlite::Connection {
        let file = rusqlite::Connection::open(self.path()).unwrap();
        file.busy_timeout(std::time::Duration::from_secs(5)).unwrap();
        file
    }
}

impl Beneath for OnFile {
    fn open(&self, config: &Config, clock: Arc<ManualClock>) -> Arc<dyn State> {
        *self.clock.lock().unwrap() = Some(Arc::clone(&clock));
        Arc::new(EmbeddedState::open(Embedded::open(&self.path()).unwrap(), config, clock).unwrap())
    }

    fn keys(&self, root: &str) -> Vec<(String, i64)> {
        let file = self.connection();
        let now = self.now();
        let mut all = file.prepare("SELECT key, expires_at - ?1 FROM state_keys WHERE expires_at > ?1 ORDER BY key").unwrap();
        let rows = all.query_map([now], |row| Ok((row.get::<_, String>(0)?, row.get(1)?))).unwrap();
        rows.map(Result::unwrap).filter(|(key, _)| key.starts_with(root)).collect()
    }

    fn expire(&self, key: &str) {
        self.set_life(key, 0);
    }

    fn file(&self) -> Option<PathBuf> {
        Some(self.path())
    }

    fn set_life(&self, key: &str, seconds: i64) {
        let at = self.now() + seconds * 1000;
        assert_eq!(self.connection().execute("UPDATE state_keys SET expires_at = ?2 WHERE key = ?1", params![key, at]).unwrap(), 1, "{key}");
    }

    fn persist(&self, key: &str) {
        let changed = self.connection().execute("UPDATE state_keys SET expires_at = ?2 WHERE key = ?1", params![key, i64::MAX]).unwrap();
        assert_eq!(changed, 1, "{key}");
    }
}

fn bench() -> Bench {
    Bench::start::<OnFile>()
}

/// A bench with the path of its file.
fn bench_and_file() -> (Bench, PathBuf) {
    let b = bench();
    let path = b.beneath.file().unwrap();
    (b, path)
}

fn seconds(b: &Bench, policy: TtlPolicy) -> i64 {
    i64::try_from(b.keys.ttl(policy)).unwrap() * 1000
}

#[tokio::test]
async fn a_call_expires_by_the_clock_and_its_outbox_stays() {
    let b = bench();
    let call = call_id("c1");
    b.turn(&call, "t1").await;
    b.clock.advance_millis(seconds(&b, TtlPolicy::SessionHistory) - 1);
    assert_eq!(b.load(&call).await.window.seqs, [1]);
    b.clock.advance_millis(1);
    let loaded = b.load(&call).await;
    assert!(loaded.status.is_none() && loaded.window.entries.is_empty());
    assert_eq!(b.outbox(&call).await.len(), 1);
    assert_eq!(b.turn(&call, "t1").await, Committed::New(1), "expiry is judged on write, too");
    assert_eq!(b.load(&call).await.window.seqs, [1], "nothing of the old list is left");
}

#[tokio::test]
async fn everything_else_expires_by_the_clock() {
    let b = bench();
    let (call, user, worker) = (call_id("c1"), token("ada"), worker_id("w1"));
    b.state.keep_profile(&user, Some("{}")).await.unwrap();
    b.state.keep_audio("aa", "RIFF".into(), b.now()).await.unwrap();
    b.state.phrase("bb", "t").await.unwrap();
    b.state.attempt_auth(&call, &Default::default(), 1).await.unwrap();
    b.state.claim(&call, &worker, None, "t", START).await.unwrap().unwrap();
    b.clock.advance_millis(4000);
    assert_eq!(b.state.phrase("bb", "u").await.unwrap(), Spoken::Yours);
    b.clock.advance_millis(56_000);
    assert_eq!(b.state.holder(&call, START).await.unwrap(), None, "its owner's heartbeat is gone");
    b.clock.advance_millis(839_999);
    assert_eq!(b.state.auth(&call).await.unwrap().unwrap().1, 1, "seconds are rounded up");
    assert!(b.state.profile(&user).await.unwrap().is_some());
    b.clock.advance_millis(1);
    assert_eq!(b.state.auth(&call).await.unwrap(), None);
    assert_eq!(b.state.profile(&user).await.unwrap(), None);
    assert!(b.state.audio("aa").await.unwrap().is_some());
    b.clock.advance_millis(seconds(&b, TtlPolicy::TtsCache));
    assert_eq!(b.state.audio("aa").await.unwrap(), None);
    assert_eq!(b.beneath.keys(&b.keys.root()), []);
}

#[tokio::test]
async fn an_ended_call_waits_for_the_archive() {
    let b = bench();
    let call = call_id("c1");
    b.turn(&call, "t1").await;
    b.apply(&call, None, end("gone")).await;
    b.clock.advance_millis(seconds(&b, TtlPolicy::Ended) - 1);
    assert_eq!(b.state.history(&call, 0, 10).await.unwrap().total, 1);
    assert_eq!(b.outbox(&call).await.len(), 2);
}

#[tokio::test]
async fn expired_rows_are_removed_in_batches() {
    let (b, path) = bench_and_file();
    for n in 0..30 {
        b.state.keep_profile(&token(&format!("u{n}")), Some("{}")).await.unwrap();
    }
    b.clock.advance_millis(seconds(&b, TtlPolicy::ProfileCache));
    let rows = || {
        let file = rusqlite::Connection::open(&path).unwrap();
        let count = |table: &str| file.query_row(&format!("SELECT count(*) FROM {table}"), [], |row| row.get::<_, i64>(0)).unwrap();
        (count("state_keys"), count("state_values"))
    };
    assert_eq!(rows(), (30, 30));
    b.state.touch_open(&call_id("c1"), None).await.unwrap();
    let (left, _) = rows();
    assert!((1..30).contains(&left), "a part of them, not all at once: {left}");
    for _ in 0..30 {
        b.state.touch_open(&call_id("c1"), None).await.unwrap();
    }
    assert_eq!(rows(), (0, 0));
}

#[tokio::test]
async fn settling_leaves_a_later_revision() {
    let (b, path) = bench_and_file();
    let call = call_id("c1");
    b.turn(&call, "t1").await;
    let file = rusqlite::Connection::open(&path).unwrap();
    let sql = r#"UPDATE state_fields SET value = replace(value, '"rev":0', '"rev":2') WHERE field = 't:t1'"#;
    assert_eq!(file.execute(sql, []).unwrap(), 1);
    b.state.settle(&call, "t:t1", 1, None).await.unwrap();
    assert_eq!(b.outbox(&call).await[0].pending, Pending::Turn { seq: 1, rev: 2, entry: entry("t1") });
    b.state.settle(&call, "t:t1", 2, None).await.unwrap();
    assert_eq!(b.outbox(&call).await, []);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn two_processes_share_the_file() {
    let b = bench();
    let other = b.beneath.open(&b.config, Arc::clone(&b.clock));
    let tasks = (0..40).map(|n| {
        let state = Arc::clone(if n % 2 == 0 { &b.state } else { &other });
        let turn = TurnCommit::new(call_id("c1"), entry(&format!("t{}", n / 2)), ContextPatch::default(), START);
        tokio::spawn(async move { state.commit(&turn).await.unwrap() })
    });
    let answers: Vec<_> = join_all(tasks).await.into_iter().map(Result::unwrap).collect();
    assert_eq!(answers.iter().filter(|a| matches!(a, Committed::New(_))).count(), 20);
    assert_eq!(b.state.history(&call_id("c1"), 0, 100).await.unwrap().total, 20);
    b.apply(&call_id("c1"), None, Effect::Connect).await;
    b.no_leftovers();
}
