//! Every key of the state store and every TTL; no string literal of a key stands anywhere else.
//!
//! A key is `{app_prefix}:{environment}:{data_type}:{identifier}:{component}`. Identifiers are checked types, so
//! nothing can be injected. With a cluster, the identifier of `call` and `conversation` keys stands in braces: all
//! keys of one call share a hash slot.

mod legacy;
mod places;

use crate::config::Config;
use crate::model::ids::{CallId, UserToken, WorkerId};
use crate::telemetry::label::TtlKind;

pub use legacy::LegacyOwner;

/// The components of a call's keys.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CallKey {
    /// `call:{id}:session`, hash.
    Session,
    /// `call:{id}:events`, set of event ids.
    Events,
    /// `call:{id}:worker`, hash.
    Worker,
    /// `call:{id}:summary`, string.
    Summary,
    /// `conversation:{id}:context`, hash.
    Context,
    /// `conversation:{id}:history`, list.
    History,
    /// `conversation:{id}:turns`, hash.
    Turns,
    /// `conversation:{id}:outbox`, hash.
    Outbox,
    /// `conversation:{id}:auth`, hash.
    Auth,
}

impl CallKey {
    /// All keys that a call may have.
    pub const ALL: [Self; 9] = [Self::Session, Self::Events, Self::Worker, Self::Summary, Self::Context, Self::History, Self::Turns, Self::Outbox, Self::Auth];

    const fn parts(self) -> (&'static str, &'static str) {
        match self {
            Self::Session => ("call", "session"),
            Self::Events => ("call", "events"),
            Self::Worker => ("call", "worker"),
            Self::Summary => ("call", "summary"),
            Self::Context => ("conversation", "context"),
            Self::History => ("conversation", "history"),
            Self::Turns => ("conversation", "turns"),
            Self::Outbox => ("conversation", "outbox"),
            Self::Auth => ("conversation", "auth"),
        }
    }
}

/// How long a kind of key lives.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TtlPolicy {
    /// Session, events, history, turns: 7200 s, sliding, at least `CALL_IDLE_LIMIT` + 3600 s.
    SessionHistory,
    /// The same keys once the call has ended: 604800 s until the archive removes them.
    Ended,
    /// Context: 1800 s, sliding.
    ConversationContext,
    /// Outbox: 604800 s, never shortened, not scaled.
    Outbox,
    /// Authentication state: 900 s.
    AuthenticationState,
    /// Claim on a call, and a worker's set of calls: 600 s.
    WorkerAffinity,
    /// A worker's heartbeat: 60 s.
    WorkerHeartbeat,
    /// Summary and tombstone: 604800 s.
    CallSummary,
    /// Cached audio and its index: 86400 s.
    TtsCache,
    /// Cached profile: 900 s.
    ProfileCache,
    /// Open set: 691200 s, never shortened, not scaled.
    OpenCalls,
    /// Legacy keys once they are migrated: 86400 s, not scaled.
    Migrated,
    /// The calls of one user: 691200 s, never shortened, not scaled.
    UserCalls,
    /// Audio of one call alone: 300 s.
    PrivateAudio,
    /// A synthetic value of the exposure scan: 300 s, not scaled.
    Canary,
    /// Figures of 10 s: 1200 s, not scaled.
    FineFigures,
    /// Figures of 5 minutes: 28800 s, not scaled.
    CoarseFigures,
    /// Episodes and silences of alerts: 691200 s, never shortened, not scaled.
    Alerts,
    /// What the probe of the store writes: 60 s, not scaled.
    Probe,
}

impl TtlPolicy {
    /// All policies.
    pub const ALL: [Self; 19] = [
        Self::SessionHistory,
        Self::Ended,
        Self::ConversationContext,
        Self::Outbox,
        Self::AuthenticationState,
        Self::WorkerAffinity,
        Self::WorkerHeartbeat,
        Self::CallSummary,
        Self::TtsCache,
        Self::ProfileCache,
        Self::OpenCalls,
        Self::Migrated,
        Self::UserCalls,
        Self::PrivateAudio,
        Self::Canary,
        Self::FineFigures,
        Self::CoarseFigures,
        Self::Alerts,
        Self::Probe,
    ];

    /// Seconds before the multiplier, and whether the multiplier applies.
    const fn base(self) -> (u64, bool) {
        match self {
            Self::SessionHistory => (7200, true),
            Self::Ended => (604_800, false),
            Self::ConversationContext => (1800, true),
            Self::Outbox => (604_800, false),
            Self::AuthenticationState => (900, true),
            Self::WorkerAffinity => (600, true),
            Self::WorkerHeartbeat => (60, true),
            Self::CallSummary => (604_800, true),
            Self::TtsCache => (86_400, true),
            Self::ProfileCache => (900, true),
            Self::OpenCalls => (691_200, false),
            Self::Migrated => (86_400, false),
            Self::UserCalls => (691_200, false),
            Self::PrivateAudio => (300, true),
            Self::Canary => (300, false),
            Self::FineFigures => (1200, false),
            Self::CoarseFigures => (28_800, false),
            Self::Alerts => (691_200, false),
            Self::Probe => (60, false),
        }
    }

    /// How it is counted.
    pub const fn kind(self) -> TtlKind {
        match self {
            Self::SessionHistory => TtlKind::Session,
            Self::Ended => TtlKind::Ended,
            Self::ConversationContext => TtlKind::Context,
            Self::Outbox => TtlKind::Outbox,
            Self::AuthenticationState => TtlKind::Auth,
            Self::WorkerAffinity | Self::WorkerHeartbeat => TtlKind::Worker,
            Self::CallSummary => TtlKind::Summary,
            Self::TtsCache | Self::PrivateAudio => TtlKind::Audio,
            Self::ProfileCache => TtlKind::Profile,
            Self::OpenCalls => TtlKind::Open,
            Self::Migrated | Self::UserCalls | Self::Canary | Self::FineFigures | Self::CoarseFigures | Self::Alerts | Self::Probe => TtlKind::Other,
        }
    }
}

/// Builds every key and owns every TTL.
#[derive(Debug, Clone)]
pub struct RedisKeyManager {
    root: String,
    braces: bool,
    /// What stands before and behind the id in each key of a call: a turn names seventeen of them.
    around: [(String, String); CallKey::ALL.len()],
    multiplier: f64,
    idle_floor: u64,
}

impl RedisKeyManager {
    /// Keys and TTLs as the settings say.
    pub fn new(config: &Config) -> Self {
        let root = format!("{}:{}", config.app_prefix, config.environment.as_str());
        let braces = config.redis.as_ref().is_some_and(|redis| redis.cluster);
        let (open, close) = if braces { ("{", "}") } else { ("", "") };
        let around = CallKey::ALL.map(|key| {
            let (data_type, component) = key.parts();
            (format!("{root}:{data_type}:{open}"), format!("{close}:{component}"))
        });
        Self { root, braces, around, multiplier: config.ttl_multiplier, idle_floor: config.call_idle_limit.as_secs() + 3600 }
    }

    /// A key of one call.
    pub fn call(&self, call: &CallId, key: CallKey) -> String {
        // `ALL` has them in the order of their declaration.
        let (before, behind) = &self.around[key as usize];
        [before, call.as_str(), behind].concat()
    }

    /// `worker:{id}:affinity`, set of calls.
    pub fn worker_affinity(&self, worker: &WorkerId) -> String {
        format!("{}:worker:{worker}:affinity", self.root)
    }

    /// `worker:{id}:heartbeat`, string.
    pub fn worker_heartbeat(&self, worker: &WorkerId) -> String {
        format!("{}:worker:{worker}:heartbeat", self.root)
    }

    /// `cache:tts:{hash}`, string: the audio, or for 4 s the claim of whoever synthesises it. `hash` is hexadecimal.
    pub fn audio(&self, hash: &str) -> String {
        format!("{}:cache:tts:{hash}", self.root)
    }

    /// `system:tts:index`, sorted set: what the cached audio takes.
    pub fn audio_index(&self) -> String {
        format!("{}:system:tts:index", self.root)
    }

    /// `cache:profile:{token}`, string.
    pub fn profile(&self, user: &UserToken) -> String {
        format!("{}:cache:profile:{user}", self.root)
    }

    /// `system:user-{token}:calls`, set: the calls of one user.
    pub fn calls_of(&self, user: &UserToken) -> String {
        format!("{}:system:user-{user}:calls", self.root)
    }

    /// `system:calls-{nn}:open`, sorted set of open calls by last activity.
    pub fn open_calls(&self, partition: u8) -> String {
        format!("{}:system:calls-{partition:02}:open", self.root)
    }

    /// The open set of this call: CRC-16/XMODEM of its id, modulo the number of partitions.
    pub fn open_calls_of(&self, call: &CallId) -> String {
        // Below 16, so it fits.
        self.open_calls(lane(call, u16::from(super::PARTITIONS)) as u8)
    }

    /// Life of a key in whole seconds, at least 1.
    pub fn ttl(&self, policy: TtlPolicy) -> u64 {
        let (base, scaled) = policy.base();
        // Policies are far below 2^53 and the multiplier is at most 100: exact enough, never negative.
        let seconds = if scaled { (base as f64 * self.multiplier).round() as u64 } else { base };
        let floor = match policy {
            TtlPolicy::SessionHistory => self.idle_floor,
            TtlPolicy::Ended => self.ttl(TtlPolicy::SessionHistory),
            _ => 1,
        };
        seconds.max(floor)
    }

    /// The prefix that all keys of this app and environment share, with its closing colon.
    pub fn root(&self) -> String {
        format!("{}:", self.root)
    }
}

/// Which of `lanes` a call belongs to: CRC-16/XMODEM of its id, modulo their number.
pub fn lane(call: &CallId, lanes: u16) -> u16 {
    const CRC: crc::Crc<u16> = crc::Crc::<u16>::new(&crc::CRC_16_XMODEM);
    CRC.checksum(call.as_str().as_bytes()) % lanes.max(1)
}
