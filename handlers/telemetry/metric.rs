//! Every metric with its name, unit, kind, label and meaning; what is not here cannot be counted.

use std::marker::PhantomData;

use super::label::{
    AuthSource, CacheLookup, Dependency, ErasureOutcome, InvocationOutcome, KeyKind, Label, OfLimit, Only, OpFailure, OpOutcome, RedisOp, RoomName,
    SecurityKind, SetupOutcome, SetupStage, Stage, TtlKind, TurnOutcome, Worked,
};
use crate::error::Kind as ErrorKind;
use crate::privacy::detect;

/// How a metric behaves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Only grows.
    Counter,
    /// Has a value now. Instances share the last one that was told.
    Gauge,
    /// Values in buckets, see [`super::histogram`].
    Histogram,
}

/// What a metric's numbers count.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unit {
    /// Things.
    One,
    /// Microseconds.
    Micros,
    /// Milliseconds.
    Millis,
    /// Whole seconds.
    Seconds,
    /// Bytes.
    Bytes,
    /// Hundredths.
    Percent,
    /// A part of 1.
    Ratio,
    /// Things in a minute.
    PerMinute,
}

impl Unit {
    /// What follows the name in the exposition, and what its numbers are multiplied by there.
    pub const fn exposed(self) -> (&'static str, f64) {
        match self {
            Self::One => ("", 1.0),
            Self::Micros => ("_seconds", 1e-6),
            Self::Millis => ("_seconds", 1e-3),
            Self::Seconds => ("_seconds", 1.0),
            Self::Bytes => ("_bytes", 1.0),
            Self::Percent => ("_ratio", 0.01),
            Self::Ratio => ("_ratio", 1.0),
            Self::PerMinute => ("_per_minute", 1.0),
        }
    }
}

/// All there is to know of a metric.
#[derive(Debug, Clone, Copy)]
pub struct Row {
    /// Its name, with dots.
    pub name: &'static str,
    /// How it behaves.
    pub kind: Kind,
    /// What its numbers count.
    pub unit: Unit,
    /// Name of its label; empty where it has none.
    pub label: &'static str,
    /// Values of its label; one empty value where it has none.
    pub values: &'static [&'static str],
    /// What it means.
    pub help: &'static str,
}

/// A metric that only grows.
#[derive(Debug, Clone, Copy)]
pub struct Counter<L>(pub Metric, PhantomData<L>);
/// A metric with a value now.
#[derive(Debug, Clone, Copy)]
pub struct Gauge<L>(pub Metric, PhantomData<L>);
/// A metric of values in buckets.
#[derive(Debug, Clone, Copy)]
pub struct Histogram<L>(pub Metric, PhantomData<L>);

macro_rules! metrics {
    ($($kind:ident $variant:ident($label:ty) $handle:ident = $name:literal, $unit:ident, $help:literal;)+) => {
        /// Every metric.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum Metric {
            $(#[doc = $help] $variant,)+
        }

        impl Metric {
            /// All of them.
            pub const ALL: &'static [Self] = &[$(Self::$variant),+];

            /// Its row.
            pub const fn row(self) -> Row {
                match self {
                    $(Self::$variant => Row {
                        name: $name,
                        kind: Kind::$kind,
                        unit: Unit::$unit,
                        label: <$label as Label>::NAME,
                        values: <$label as Label>::VALUES,
                        help: $help,
                    },)+
                }
            }
        }

        $(#[doc = $help] pub const $handle: $kind<$label> = $kind(Metric::$variant, PhantomData);)+
    };
}

metrics! {
    Counter Turns(TurnOutcome) TURNS = "turn.count", One, "Turns by how they were answered.";
    Histogram TurnStages(Stage) TURN_STAGES = "turn.stage.duration", Micros, "Time of each stage of a turn, and of the whole turn.";
    Counter CallSetups(SetupOutcome) CALL_SETUPS = "call.setup", One, "Calls that were connected, by whether that was kept.";
    Histogram SetupStages(SetupStage) SETUP_STAGES = "call.setup.duration", Micros, "Time of each stage of call set-up, and of the whole.";
    Counter CacheLookups(CacheLookup) CACHE_LOOKUPS = "cache.lookups", One, "What was asked of the caches of phrases, audio and profiles, by what was found.";
    Gauge OutboxDepth(Only) OUTBOX_DEPTH = "outbox.depth", One, "Messages in the outboxes of all open calls.";
    Gauge OutboxAge(Only) OUTBOX_AGE = "outbox.age", Seconds, "Age of the oldest message in an outbox.";
    Histogram QueueLag(Only) QUEUE_LAG = "queue.lag", Millis, "Time from the queue's taking a message to its writer.";
    Counter QueueDeferred(Only) QUEUE_DEFERRED = "queue.deferred", One, "Messages that were put off because a store was away.";
    Counter DeadLetters(Only) DEAD_LETTERS = "transcript.dead_letters", One, "Messages that were parked because nobody could read or write them.";
    Counter EventsParked(Only) EVENTS_PARKED = "events.parked", One, "Events that were parked because they can never be taken.";
    Gauge CircuitOpen(Dependency) CIRCUIT_OPEN = "circuit.open", One, "1 while calls to a dependency fail at once, else 0.";
    Counter CircuitOpened(Dependency) CIRCUIT_OPENED = "circuit.opened", One, "How often the circuit of a dependency was opened.";
    Counter Findings(detect::Label) FINDINGS = "privacy.findings", One, "Personal values that the detector found in turns, by label.";
    Counter Exposed(Only) EXPOSED = "privacy.exposed", One, "Personal values that the exposure scan found in clear.";
    Counter Erasures(ErasureOutcome) ERASURES = "erasure.count", One, "Erasures by what became of them.";
    Gauge Keys(KeyKind) KEYS = "keys.count", One, "Keys of the record by kind, and those that an older version of the root key wraps.";
    Gauge OldestKey(Only) OLDEST_KEY = "keys.oldest.age", Seconds, "Age of the oldest key of a user.";
    Gauge RootKeyAge(Only) ROOT_KEY_AGE = "keys.root.age", Seconds, "Age of the current version of the root key.";
    Histogram RedisOps(RedisOp) REDIS_OPS = "redis.op.duration", Micros, "Time of operations on Redis that were sent, retry included.";
    Counter RedisOutcomes(OpOutcome) REDIS_OUTCOMES = "redis.ops", One, "Operations on Redis by how they ended.";
    Counter RedisFailures(OpFailure) REDIS_FAILURES = "redis.op.failures", One, "Failed operations on Redis by reason.";
    Counter RedisProbes(Worked) REDIS_PROBES = "redis.probe", One, "Probes of Redis (PING, SET and GET) by how they ended.";
    Gauge RedisUp(Only) REDIS_UP = "redis.up", One, "1 where the last probe of Redis worked, else 0.";
    Gauge RedisMemory(OfLimit) REDIS_MEMORY = "redis.memory", Bytes, "Memory of the fullest node of Redis, and its limit.";
    Gauge RedisMemoryShare(Only) REDIS_MEMORY_SHARE = "redis.memory.share", Ratio, "Share of its memory that the fullest node of Redis uses.";
    Gauge RedisKeysTotal(Only) REDIS_KEYS_TOTAL = "redis.keys.total", One, "Keys on all nodes of Redis.";
    Gauge RedisKeysUnexpiring(Only) REDIS_KEYS_UNEXPIRING = "redis.keys.unexpiring", One, "Keys without a TTL on all nodes of Redis.";
    Gauge RedisKeysCreated(Only) REDIS_KEYS_CREATED = "redis.keys.created", PerMinute, "Keys that came to Redis between two looks: growth, and those that expired.";
    Gauge RedisClients(OfLimit) REDIS_CLIENTS = "redis.clients", One, "Connections of the busiest node of Redis, and its limit.";
    Histogram TtlWritten(TtlKind) TTL_WRITTEN = "redis.ttl.written", Seconds, "TTLs as they were written, by policy.";
    Gauge InFlight(RoomName) IN_FLIGHT = "admission.in_flight", One, "Invocations that run.";
    Gauge Waiting(RoomName) WAITING = "admission.waiting", One, "Invocations that wait for a seat.";
    Histogram InFlightUse(RoomName) IN_FLIGHT_USE = "admission.use", Percent, "Share of a room's seats that are taken, sampled every 5 s.";
    Counter Refused(RoomName) REFUSED = "admission.refused", One, "Invocations that were refused because too much was under way.";
    Counter Invocations(InvocationOutcome) INVOCATIONS = "invocation.count", One, "Invocations by how they ended.";
    Counter Errors(ErrorKind) ERRORS = "error", One, "Failed or refused invocations by kind.";
    Counter AuthFailures(AuthSource) AUTH_FAILURES = "auth.failures", One, "Callers, tokens and identities of ours that were not accepted.";
    Counter SecurityEvents(SecurityKind) SECURITY_EVENTS = "security.event", One, "Security events by kind.";
    Counter AuditBreaks(Only) AUDIT_BREAKS = "security.audit_break", One, "Times that somebody else wrote into an audit stream of ours.";
    Counter BreachReminders(Only) BREACH_REMINDERS = "breach.reminder", One, "Reminders of a breach's clock.";
    Gauge ComplianceViolations(Only) COMPLIANCE_VIOLATIONS = "compliance.violations", One, "Rules that the last compliance report found broken.";
    Counter RetentionRemoved(Only) RETENTION_REMOVED = "retention.removed", One, "Documents past their time that were removed.";
    Counter LinesLeftOut(Only) LINES_LEFT_OUT = "log.left_out", One, "Log lines that were left out because too many of their kind came.";
    Gauge AlertsFiring(Only) ALERTS_FIRING = "alerts.firing", One, "Alerts that fire, as this instance last saw them.";
    Counter AlertRounds(Worked) ALERT_ROUNDS = "alerts.rounds", One, "Times that the rules were judged: by the figures of all instances, or (failed) by those of this one alone.";
    Counter AlertNotices(Worked) ALERT_NOTICES = "alerts.notices", One, "Notices of alerts by whether a sink took them.";
}
