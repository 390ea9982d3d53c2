//! What kind of key a name is, without its identifier, and the keys of canaries.

use super::{RedisKeyManager, TtlPolicy};
use crate::ports::state::inspect::KeyPlace;

/// Types of data.
const TYPES: [&str; 5] = ["call", "conversation", "worker", "cache", "system"];
/// Components, and the kinds of cached values.
const COMPONENTS: [&str; 21] = [
    "session",
    "events",
    "worker",
    "summary",
    "context",
    "history",
    "turns",
    "outbox",
    "auth",
    "affinity",
    "heartbeat",
    "tts",
    "profile",
    "index",
    "open",
    "calls",
    "canary",
    "figures",
    "episodes",
    "silences",
    "probe",
];
/// Stands for a component that is not known.
const OTHER: &str = "other";

impl RedisKeyManager {
    /// `system:canary-{id}:canary`, string: a synthetic value of the exposure scan.
    pub fn canary(&self, id: &str) -> String {
        format!("{}:system:canary-{id}:canary", self.root)
    }

    /// `system:figures-{grain}-{number}:figures`, hash: what all instances counted in one slot of time.
    pub fn figures(&self, grain: &str, number: i64) -> String {
        format!("{}:system:figures-{grain}-{number}:figures", self.root)
    }

    /// `system:alerts:episodes`, hash: alerts that fire, by rule.
    pub fn episodes(&self) -> String {
        format!("{}:system:alerts:episodes", self.root)
    }

    /// `system:alerts:silences`, hash: until when rules are silent.
    pub fn silences(&self) -> String {
        format!("{}:system:alerts:silences", self.root)
    }

    /// `system:probe:probe`, string: what the probe of the store writes.
    pub fn probe(&self) -> String {
        format!("{}:system:probe:probe", self.root)
    }

    /// What kind of key this is; none where it is neither ours nor a legacy one.
    pub fn place(&self, key: &str) -> Option<KeyPlace> {
        let Some(rest) = key.strip_prefix(&self.root).and_then(|rest| rest.strip_prefix(':')) else {
            return self.legacy_owner(key).map(|_| KeyPlace { data_type: "legacy", component: OTHER });
        };
        let mut parts = rest.split(':');
        let data_type = TYPES.iter().find(|known| Some(**known) == parts.clone().next()).copied().unwrap_or(OTHER);
        // The kind of a cached value stands before its identifier.
        let component = if data_type == "cache" { parts.nth(1) } else { parts.next_back() };
        let component = COMPONENTS.iter().find(|known| Some(**known) == component).copied().unwrap_or(OTHER);
        Some(KeyPlace { data_type, component })
    }

    /// Seconds that a key of this kind is given where it was left without a life: its policy, and where that slides the longest
    /// that it may become, so that nothing of a call is lost by it. None for what an earlier generation wrote: `rtvoice migrate`
    /// takes that over.
    pub fn remedy(&self, place: &KeyPlace) -> Option<u64> {
        let policy = match (place.data_type, place.component) {
            ("legacy", _) => return None,
            (_, "session" | "events" | "history" | "turns") => TtlPolicy::Ended,
            (_, "worker" | "affinity") => TtlPolicy::WorkerAffinity,
            (_, "summary") => TtlPolicy::CallSummary,
            (_, "context") => TtlPolicy::ConversationContext,
            (_, "outbox") => TtlPolicy::Outbox,
            (_, "auth") => TtlPolicy::AuthenticationState,
            (_, "heartbeat") => TtlPolicy::WorkerHeartbeat,
            (_, "tts" | "index") => TtlPolicy::TtsCache,
            (_, "profile") => TtlPolicy::ProfileCache,
            (_, "open") => TtlPolicy::OpenCalls,
            (_, "calls") => TtlPolicy::UserCalls,
            (_, "canary") => TtlPolicy::Canary,
            // Under our prefix, and of a kind that this version does not know.
            _ => return Some(self.longest_life()),
        };
        Some(self.ttl(policy))
    }

    /// The longest life that any key may have, in seconds.
    pub fn longest_life(&self) -> u64 {
        TtlPolicy::ALL.iter().map(|policy| self.ttl(*policy)).max().unwrap_or(0)
    }
}
