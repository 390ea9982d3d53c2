//! What every test of the contract works on: a state of its own, and a way to look beneath it.

use std::path::PathBuf;
use std::sync::Arc;

use rtvoice::config::Config;
use rtvoice::model::call::{Applied, CallChange, Effect, Session};
use rtvoice::model::conversation::{Committed, ContextPatch, Entry, Loaded, TurnCommit, Words};
use rtvoice::model::ids::{CallId, TurnId, UserId, UserToken, WorkerId};
use rtvoice::model::time::Timestamp;
use rtvoice::ports::clock::{Clock as _, ManualClock};
use rtvoice::ports::state::keys::{CallKey, RedisKeyManager, TtlPolicy};
use rtvoice::ports::state::{Known, MESSAGES, OutboxEntry, State};

/// When every test begins.
pub const START: Timestamp = Timestamp::from_millis(1_800_000_000_000);

/// A backend that tests can start.
pub trait Backend {
    /// A store of the test's own, and the settings that lead there.
    fn start() -> (Config, Box<dyn Beneath>);
}

/// The store beneath the port.
pub trait Beneath: Send + Sync {
    /// The port on this store.
    fn open(&self, config: &Config, clock: Arc<ManualClock>) -> Arc<dyn State>;
    /// All keys that begin with `root`, with the milliseconds they have left; negative for a key without a TTL.
    fn keys(&self, root: &str) -> Vec<(String, i64)>;
    /// The file of a backend that has one.
    fn file(&self) -> Option<PathBuf> {
        None
    }
    /// Lets a key expire now.
    fn expire(&self, key: &str);
    /// Gives a key a life of these seconds.
    fn set_life(&self, key: &str, seconds: i64);
    /// Lets a key live for ever.
    fn persist(&self, key: &str);
}

/// One test's state.
pub struct Bench {
    pub state: Arc<dyn State>,
    pub clock: Arc<ManualClock>,
    pub config: Config,
    pub keys: RedisKeyManager,
    pub beneath: Box<dyn Beneath>,
}

impl Bench {
    /// A fresh state on this backend.
    pub fn start<B: Backend>() -> Self {
        let (config, beneath) = B::start();
        let clock = Arc::new(ManualClock::at(START));
        let state = beneath.open(&config, Arc::clone(&clock));
        Self { state, clock, keys: RedisKeyManager::new(&config), config, beneath }
    }

    /// The time now.
    pub fn now(&self) -> Timestamp {
        self.clock.now()
    }

    /// Seconds that a key has left, none where it is not there.
    pub fn life(&self, key: &str) -> Option<i64> {
        let found = self.beneath.keys(key).into_iter().find(|(name, _)| name == key)?;
        Some(found.1.div_euclid(1000))
    }

    /// Seconds that a key of a call has left.
    pub fn life_of(&self, call: &CallId, key: CallKey) -> Option<i64> {
        self.life(&self.keys.call(call, key))
    }

    /// Asserts that a key was just given the life of this policy.
    pub fn assert_life(&self, key: &str, policy: TtlPolicy) {
        let (life, policy_life) = (self.life(key), signed(self.keys.ttl(policy)));
        assert!(life.is_some_and(|left| (policy_life - 20..=policy_life).contains(&left)), "{key} has {life:?} s of {policy_life} s");
    }

    /// Asserts that a key of a call was just given the life of this policy.
    pub fn assert_life_of(&self, call: &CallId, key: CallKey, policy: TtlPolicy) {
        self.assert_life(&self.keys.call(call, key), policy);
    }

    /// Lets a key of a call expire.
    pub fn expire(&self, call: &CallId, key: CallKey) {
        self.beneath.expire(&self.keys.call(call, key));
    }

    /// Applies a change that happens now.
    pub async fn apply(&self, call: &CallId, event_id: Option<&str>, effect: Effect) -> Applied {
        self.apply_with(call, event_id, effect, Vec::new()).await
    }

    /// Applies a change with session fields.
    pub async fn apply_with(&self, call: &CallId, event_id: Option<&str>, effect: Effect, fields: Vec<(&'static str, String)>) -> Applied {
        let change = CallChange {
            call: call.clone(),
            event_id: event_id.map(str::to_owned),
            at: self.now().plus_millis(-250),
            now: self.now(),
            effect,
            fields,
            key: None,
        };
        self.state.apply(&change).await.expect("a change")
    }

    /// Commits a turn without a change of the context.
    pub async fn turn(&self, call: &CallId, id: &str) -> Committed {
        self.turn_with(call, id, ContextPatch::default()).await
    }

    /// Commits a turn.
    pub async fn turn_with(&self, call: &CallId, id: &str, patch: ContextPatch) -> Committed {
        let turn = TurnCommit::new(call.clone(), entry(id), patch, self.now());
        self.state.commit(&turn).await.expect("a commit")
    }

    /// Loads for a turn id that was never used.
    pub async fn load(&self, call: &CallId) -> Loaded {
        self.state.load(call, &turn_id("unused")).await.expect("a conversation")
    }

    /// The session, as registering shows it.
    pub async fn session(&self, call: &CallId) -> Session {
        match self.state.register(call, self.now()).await.expect("a session") {
            Known::Open(session) => session,
            other => panic!("not open: {other:?}"),
        }
    }

    /// What the outbox holds.
    pub async fn outbox(&self, call: &CallId) -> Vec<OutboxEntry> {
        let fields = self.state.outbox(call).await.expect("an outbox");
        let survey = self.state.survey(std::slice::from_ref(call)).await.expect("a survey").remove(0);
        assert_eq!(survey.waiting, fields.len() as u64);
        let mut messages = Vec::new();
        for slice in fields.chunks(MESSAGES) {
            messages.extend(self.state.messages(call, slice).await.expect("messages"));
        }
        assert_eq!(messages.iter().map(|m| &m.field).collect::<Vec<_>>(), fields.iter().collect::<Vec<_>>());
        messages
    }

    /// Every key that the test left has a sound name and a TTL within its policy.
    pub fn no_leftovers(&self) {
        for (key, left) in self.beneath.keys(&self.keys.root()) {
            let longest = signed(self.keys.ttl(self.policy_of(&key))) * 1000;
            assert!(left >= 0, "{key} has no TTL");
            assert!(left <= longest, "{key} has {left} ms left of {longest} ms");
        }
    }

    /// The longest-lived policy that a key may have.
    fn policy_of(&self, key: &str) -> TtlPolicy {
        let name = key.strip_prefix(&self.keys.root()).expect("a key of this app");
        let parts: Vec<&str> = name.split(':').collect();
        let braced = self.config.redis.as_ref().is_some_and(|redis| redis.cluster);
        if matches!(parts[0], "call" | "conversation") {
            assert_eq!(parts[1].starts_with('{') && parts[1].ends_with('}'), braced, "{key}");
        }
        match parts[..] {
            ["call", _, "session" | "events"] | ["conversation", _, "history" | "turns"] => TtlPolicy::Ended,
            ["call", _, "worker"] | ["worker", _, "affinity"] => TtlPolicy::WorkerAffinity,
            ["call", _, "summary"] => TtlPolicy::CallSummary,
            ["conversation", _, "context"] => TtlPolicy::ConversationContext,
            ["conversation", _, "outbox"] => TtlPolicy::Outbox,
            ["conversation", _, "auth"] => TtlPolicy::AuthenticationState,
            ["worker", _, "heartbeat"] => TtlPolicy::WorkerHeartbeat,
            ["cache", "tts", _] | ["system", "tts", "index"] => TtlPolicy::TtsCache,
            ["cache", "profile", _] => TtlPolicy::ProfileCache,
            ["system", partition, "open"] if partition.starts_with("calls-") => TtlPolicy::OpenCalls,
            ["system", canary, "canary"] if canary.starts_with("canary-") => TtlPolicy::Canary,
            _ => panic!("{key} is of no known kind"),
        }
    }
}

fn signed(seconds: u64) -> i64 {
    i64::try_from(seconds).expect("a policy")
}

pub fn call_id(text: &str) -> CallId {
    CallId::parse(text).expect("a call id")
}

pub fn turn_id(text: &str) -> TurnId {
    TurnId::parse(text).expect("a turn id")
}

pub fn user_id(text: &str) -> UserId {
    UserId::parse(text).expect("a user id")
}

/// A token of somebody of this name.
pub fn token(name: &str) -> UserToken {
    UserToken::parse(format!("u1-{:032x}", name.bytes().fold(7_u128, |sum, b| sum.wrapping_mul(131).wrapping_add(u128::from(b))))).expect("a token")
}

pub fn worker_id(text: &str) -> WorkerId {
    WorkerId::parse(text).expect("a worker id")
}

/// A turn's entry; its text holds what could break a frame or a script.
pub fn entry(turn: &str) -> Entry {
    Entry {
        turn_id: turn.to_owned(),
        at: START,
        words: Words { user: Some(format!("{turn}: 1 2 {{\"ä\"}}\r\n\\ \u{1F600}")), assistant: Some("understood".to_owned()), ..Words::default() },
        source: Some("scripted".to_owned()),
        confidence: Some(0.5),
        ..Entry::default()
    }
}

/// The end of a call.
pub fn end(reason: &str) -> Effect {
    Effect::End { reason: reason.to_owned() }
}

/// A patch out of its JSON.
pub fn patch(json: &serde_json::Value) -> ContextPatch {
    ContextPatch::parse(json.as_object().expect("an object").clone()).expect("a sound patch")
}
