//! The labels of metrics: enums, so that the number of time series is bounded by type.

use crate::error::Kind;
use crate::privacy::detect;

/// What a metric is split by.
pub trait Label: Copy {
    /// Name of the label; empty where the metric is not split.
    const NAME: &'static str;
    /// Its values, in the order of [`Label::index`].
    const VALUES: &'static [&'static str];
    /// Place of this value.
    fn index(self) -> usize;
}

/// No label.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Only;

impl Label for Only {
    const NAME: &'static str = "";
    const VALUES: &'static [&'static str] = &[""];

    fn index(self) -> usize {
        0
    }
}

macro_rules! labels {
    ($($(#[$doc:meta])* $type:ident $name:literal { $($variant:ident = $value:literal),+ $(,)? })+) => {$(
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        pub enum $type {
            $(#[doc = concat!("`", $value, "`")] $variant,)+
        }

        impl $type {
            /// All of them.
            pub const ALL: &'static [Self] = &[$(Self::$variant),+];
        }

        impl Label for $type {
            const NAME: &'static str = $name;
            const VALUES: &'static [&'static str] = &[$($value),+];

            fn index(self) -> usize {
                self as usize
            }
        }
    )+};
}

labels! {
    /// A stage of a turn.
    Stage "stage" { Load = "load", Reply = "reply", Commit = "commit", Speech = "speech", Total = "total" }

    /// How a turn was answered.
    TurnOutcome "outcome" { Answered = "answered", Replayed = "replayed", Degraded = "degraded", Refused = "refused", Failed = "failed" }

    /// A stage of call set-up.
    SetupStage "stage" { Register = "register", Apply = "apply", Profile = "profile", Total = "total" }

    /// How a call set-up ended.
    SetupOutcome "outcome" { Ok = "ok", Failed = "failed" }

    /// What a cache was asked for, and whether it had it.
    CacheLookup "lookup" {
        PhraseHit = "phrase_hit", PhraseMiss = "phrase_miss", AudioMemory = "audio_memory", AudioShared = "audio_shared", AudioMiss = "audio_miss",
        ProfileHit = "profile_hit", ProfileMiss = "profile_miss",
    }

    /// What the app depends on.
    Dependency "dependency" {
        Redis = "redis", Documents = "documents", Queue = "queue", Speech = "speech", Replies = "replies", RootKey = "root_key",
    }

    /// What became of an erasure.
    ErasureOutcome "outcome" { Requested = "requested", Completed = "completed", Refused = "refused" }

    /// Kinds of keys.
    KeyKind "kind" { Epoch = "epoch", Index = "index", User = "user", UnderOlderRoot = "under_older_root" }

    /// A way of using Redis.
    RedisOp "op" { Pipeline = "pipeline", Script = "script", Many = "many", Node = "node", Info = "info", Probe = "probe", Board = "board" }

    /// How an operation on Redis ended: refused where the circuit was open.
    OpOutcome "outcome" { Ok = "ok", Failed = "failed", Refused = "refused" }

    /// Why an operation on Redis failed.
    OpFailure "reason" { Unavailable = "unavailable", Deadline = "deadline", Denied = "denied", Other = "other" }

    /// Whether something worked.
    Worked "outcome" { Ok = "ok", Failed = "failed" }

    /// A part of something with a limit.
    OfLimit "of" { Used = "used", Most = "most" }

    /// Kinds of TTL policies.
    TtlKind "policy" {
        Session = "session", Ended = "ended", Context = "context", Outbox = "outbox", Auth = "auth", Worker = "worker", Summary = "summary",
        Audio = "audio", Profile = "profile", Open = "open", Other = "other",
    }

    /// A room of admission.
    RoomName "room" { Interactive = "interactive", Background = "background" }

    /// How an invocation ended.
    InvocationOutcome "outcome" { Done = "done", Refused = "refused", Failed = "failed" }

    /// Where somebody failed to show who they are.
    AuthSource "source" { Caller = "caller", Token = "token", Dependency = "dependency" }

    /// Kinds of security events.
    SecurityKind "kind" {
        BadToken = "bad-token", Envelope = "envelope", Replay = "replay", KeyDenied = "key-denied", AuditBreak = "audit-break",
    }
}

/// What the detector found, by the detector's own names.
impl Label for detect::Label {
    const NAME: &'static str = "label";
    const VALUES: &'static [&'static str] = &{
        let mut names = [""; Self::ALL.len()];
        let mut n = 0;
        while n < names.len() {
            names[n] = Self::ALL[n].as_str();
            n += 1;
        }
        names
    };

    fn index(self) -> usize {
        self as usize
    }
}

impl Label for Kind {
    const NAME: &'static str = "kind";
    // In the order of the enum; a test holds both to each other.
    const VALUES: &'static [&'static str] = &[
        "bad_input",
        "not_found",
        "method",
        "conflict",
        "call_ended",
        "precondition",
        "slow_body",
        "too_large",
        "media_type",
        "unavailable",
        "throttled",
        "denied",
        "deadline",
        "poison",
        "erased",
        "tampered",
        "setting",
        "internal",
    ];

    fn index(self) -> usize {
        self as usize
    }
}
