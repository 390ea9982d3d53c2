//! Ports that fail on demand: each passes every call on to a real backend until a test switches a fault on.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use rtvoice::error::{Error, Kind, Result};
use rtvoice::model::call::{Applied, CallChange, Session};
use rtvoice::model::conversation::{AuthState, Committed, Loaded, TurnCommit};
use rtvoice::model::ids::{CallId, TurnId, UserToken, WorkerId};
use rtvoice::model::legacy::{LegacyCall, LegacyRaw};
use rtvoice::model::phrase::Phrase;
use rtvoice::model::time::Timestamp;
use rtvoice::ports::documents::{Condition, Container, Document, Documents, Page, Put, Written};
use rtvoice::ports::queue::{Description, Message, Queue};
use rtvoice::ports::replies::{Prompt, Replies, Reply};
use rtvoice::ports::speech::Speech;
use rtvoice::ports::state::inspect::{Held, Inspection, Unexpiring, Values};
use rtvoice::ports::state::legacy::{Imported, Legacy, ScanCursor, Scanned};
use rtvoice::ports::state::upkeep::{AtRest, AudioFacts, KeyPage, Look, ServerFacts, Upkeep};
use rtvoice::ports::state::{
    Archiving, Attempt, AuthStates, Caches, Calls, Closing, Known, Lease, OutboxEntry, Persons, Slice, Spoken, StageTimes, State, StateHealth, Survey, Workers,
};
use serde_json::{Value, json};

/// How long a backend that hangs holds its caller: the ports' own deadlines are shorter than 2.5 s.
const HANG: Duration = Duration::from_millis(500);

/// What is wrong with a port.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// No connection: nothing happens.
    Away,
    /// No answer within the port's deadline: nothing happens.
    Hang,
    /// It happens, and the answer is lost.
    AnswerLost,
    /// It answers that it is set up wrong: nothing happens.
    Unfit,
}

/// The switch of one port; clones share it.
#[derive(Debug, Clone, Default)]
pub struct Switch {
    inner: Arc<Mutex<Switched>>,
}

#[derive(Debug, Default)]
struct Switched {
    faults: HashMap<&'static str, Fault>,
    later: HashMap<&'static str, (usize, Fault)>,
    calls: Vec<&'static str>,
}

impl Switched {
    fn due(&mut self, method: &'static str) -> Option<Fault> {
        match self.later.get_mut(method) {
            Some((0, fault)) => return Some(*fault),
            Some((left, _)) => *left -= 1,
            None => {}
        }
        self.faults.get(method).or_else(|| self.faults.get(ALL)).copied()
    }
}

/// Stands for all methods of a port.
const ALL: &str = "*";

impl Switch {
    /// Every method fails like this from now on.
    pub fn fail(&self, fault: Fault) {
        self.lock().faults.insert(ALL, fault);
    }

    /// One method fails like this from now on.
    pub fn fail_in(&self, method: &'static str, fault: Fault) {
        self.lock().faults.insert(method, fault);
    }

    /// One method works this often, and then fails like this.
    pub fn fail_after(&self, method: &'static str, times: usize, fault: Fault) {
        self.lock().later.insert(method, (times, fault));
    }

    /// All is well again.
    pub fn heal(&self) {
        self.lock().later.clear();
        self.lock().faults.clear();
    }

    /// The methods that were called since the last look.
    pub fn calls(&self) -> Vec<&'static str> {
        std::mem::take(&mut self.lock().calls)
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Switched> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn around<T>(&self, method: &'static str, call: impl Future<Output = Result<T>> + Send) -> Result<T> {
        let fault = {
            let mut switched = self.lock();
            switched.calls.push(method);
            switched.due(method)
        };
        match fault {
            None => call.await,
            Some(Fault::Away) => Err(Error::unavailable("the backend", "switched off by the test")),
            Some(Fault::Unfit) => Err(Error::new(Kind::Setting, "the backend is set up wrong")),
            Some(Fault::Hang) => {
                tokio::time::sleep(HANG).await;
                Err(Error::deadline("the backend", HANG))
            }
            Some(Fault::AnswerLost) => {
                call.await?;
                Err(Error::deadline("the backend", HANG))
            }
        }
    }
}

/// A port with its switch.
pub struct Switchable<T: ?Sized> {
    /// The real backend.
    pub inner: Arc<T>,
    /// Its faults.
    pub switch: Switch,
}

macro_rules! switchable {
    ($contract:ident for $port:ty { $(fn $name:ident($($arg:ident: $type:ty),*) -> $out:ty;)+ }) => {
        #[async_trait]
        impl $contract for Switchable<$port> {
            $(async fn $name(&self, $($arg: $type),*) -> Result<$out> {
                self.switch.around(stringify!($name), self.inner.$name($($arg),*)).await
            })+
        }
    };
}

type Claim<T> = std::result::Result<T, Lease>;

switchable! { Calls for dyn State {
    fn register(call: &CallId, now: Timestamp) -> Known;
    fn apply(change: &CallChange) -> Applied;
    fn load(call: &CallId, turn: &TurnId) -> Loaded;
    fn commit(turn: &TurnCommit) -> Committed;
    fn settle(call: &CallId, field: &str, rev: u32, stages: Option<(&TurnId, StageTimes)>) -> ();
    fn attach_profile(call: &CallId, facts: &str) -> ();
    fn open_calls(partition: u8, skip: u64, limit: u64) -> Vec<(CallId, Timestamp)>;
    fn survey(calls: &[CallId]) -> Vec<Survey>;
    fn touch_open(call: &CallId, activity: Option<Timestamp>) -> ();
} }

switchable! { Archiving for dyn State {
    fn outbox(call: &CallId) -> Vec<String>;
    fn messages(call: &CallId, fields: &[String]) -> Vec<OutboxEntry>;
    fn history(call: &CallId, from: u64, count: u64) -> Slice;
    fn stages(call: &CallId) -> Vec<(String, StageTimes)>;
    fn legacy_extra(call: &CallId) -> Option<String>;
    fn facts(call: &CallId) -> Option<Session>;
    fn close(closing: &Closing) -> bool;
    fn summary(call: &CallId) -> Option<String>;
} }

switchable! { Persons for dyn State {
    fn note_call(user: &UserToken, call: &CallId) -> ();
    fn calls_of(user: &UserToken) -> Vec<CallId>;
    fn rekey(call: &CallId, old: &str, new: &str) -> bool;
    fn erase_call(call: &CallId, tombstone: &str) -> bool;
    fn erase_user(user: &UserToken) -> ();
} }

switchable! { AuthStates for dyn State {
    fn auth(call: &CallId) -> Option<(AuthState, u64)>;
    fn attempt_auth(call: &CallId, state: &AuthState, max_attempts: u32) -> Attempt;
    fn clear_auth(call: &CallId) -> bool;
} }

switchable! { Workers for dyn State {
    fn claim(call: &CallId, worker: &WorkerId, token: Option<&str>, fresh_token: &str, now: Timestamp) -> Claim<Lease>;
    fn release(call: &CallId, worker: &WorkerId, token: Option<&str>, now: Timestamp) -> Claim<bool>;
    fn holder(call: &CallId, now: Timestamp) -> Option<Lease>;
    fn heartbeat(worker: &WorkerId, now: Timestamp) -> u64;
} }

switchable! { Caches for dyn State {
    fn phrase(hash: &str, token: &str) -> Spoken;
    fn audio(hash: &str) -> Option<Bytes>;
    fn keep_audio(hash: &str, audio: Bytes, now: Timestamp) -> bool;
    fn keep_private(call: &CallId, hash: &str, audio: Bytes) -> ();
    fn drop_claim(hash: &str, token: &str) -> ();
    fn profile(user: &UserToken) -> Option<String>;
    fn keep_profile(user: &UserToken, profile: Option<&str>) -> ();
} }

switchable! { Legacy for dyn State {
    fn find(call: &CallId) -> Option<LegacyRaw>;
    fn import(call: &CallId, legacy: &LegacyCall, now: Timestamp) -> Imported;
    fn mark_checked(call: &CallId) -> ();
    fn retire(keys: &[String]) -> ();
    fn scan(cursor: ScanCursor) -> Scanned;
} }

switchable! { Inspection for dyn State {
    fn unexpiring(cursor: ScanCursor) -> Unexpiring;
    fn values(cursor: ScanCursor) -> Values;
    fn plant(id: &str, text: &str) -> ();
    fn planted(id: &str) -> Option<Held>;
    fn uproot(id: &str) -> ();
} }

switchable! { Upkeep for dyn State {
    fn key_page(cursor: ScanCursor, look: Look) -> KeyPage;
    fn servers() -> Vec<ServerFacts>;
    fn waiting(call: &CallId) -> Vec<(String, Timestamp)>;
    fn at_rest(call: &CallId) -> AtRest;
    fn audio_facts(now: Timestamp) -> AudioFacts;
    fn purge_audio(cursor: ScanCursor) -> (u64, Option<ScanCursor>);
} }

switchable! { StateHealth for dyn State {
    fn ping() -> ();
    fn check() -> ();
} }

switchable! { Documents for dyn Documents {
    fn get(container: Container, partition: &str, id: &str) -> Option<Document>;
    fn put(container: Container, body: &Value, condition: Condition<'_>) -> Put;
    fn insert(container: Container, document: &Written) -> Put;
    fn delete(container: Container, partition: &str, id: &str, etag: Option<&str>) -> bool;
    fn list(container: Container, partition: &str, id_prefix: &str, from: Option<&str>, limit: usize) -> Page;
    fn scan(container: Container, from: Option<&str>, limit: usize) -> Page;
    fn check() -> ();
} }

switchable! { Queue for dyn Queue {
    fn send(message: &Message) -> ();
    fn check() -> ();
    fn describe() -> Description;
} }

/// An agent that says what it heard, and remembers what it was given. `hold the line` is answered once it
/// is let go.
#[derive(Default)]
pub struct Agent {
    /// Its faults.
    pub switch: Switch,
    /// The facts of each prompt: `text`, `language`, `history` (its length), `auth`, `profile`.
    prompts: Mutex<Vec<Value>>,
    let_go: tokio::sync::watch::Sender<bool>,
}

impl Agent {
    /// What it was asked since the last look.
    pub fn prompts(&self) -> Vec<Value> {
        std::mem::take(&mut self.prompts.lock().unwrap())
    }

    /// Answers what was held, and holds nothing from now on.
    pub fn let_go(&self) {
        self.let_go.send_replace(true);
    }
}

#[async_trait]
impl Replies for Agent {
    async fn reply(&self, prompt: Prompt<'_>) -> Result<Reply> {
        let facts = json!({
            "text": prompt.text, "language": prompt.language, "history": prompt.history.len(),
            "auth": prompt.auth, "profile": prompt.profile,
        });
        self.prompts.lock().unwrap().push(facts);
        if prompt.text == "hold the line" {
            self.let_go.subscribe().wait_for(|go| *go).await.unwrap();
        }
        let heard: String = prompt.text.chars().take(100).collect();
        self.switch.around("reply", async { Ok(Reply { text: format!("You said: {heard}"), source: "scripted" }) }).await
    }

    fn name(&self) -> &'static str {
        "scripted"
    }
}

/// A voice that hands out as many bytes as it is told.
pub struct Voice {
    /// Its faults.
    pub switch: Switch,
    bytes: Mutex<usize>,
}

impl Default for Voice {
    fn default() -> Self {
        Self { switch: Switch::default(), bytes: Mutex::new(640) }
    }
}

impl Voice {
    /// How many bytes each phrase has from now on.
    pub fn speak_bytes(&self, bytes: usize) {
        *self.bytes.lock().unwrap() = bytes;
    }
}

#[async_trait]
impl Speech for Voice {
    async fn synthesise(&self, phrase: &Phrase) -> Result<Bytes> {
        let bytes = *self.bytes.lock().unwrap();
        let mut audio = b"RIFF".to_vec();
        audio.extend_from_slice(phrase.text().as_bytes());
        audio.resize(bytes, 0);
        self.switch.around("synthesise", async move { Ok(audio.into()) }).await
    }

    fn name(&self) -> &'static str {
        "tone"
    }
}
