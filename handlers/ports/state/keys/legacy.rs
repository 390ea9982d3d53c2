//! Names of keys that an earlier generation wrote: without prefix, and told apart by their shape alone.

use super::RedisKeyManager;
use crate::model::ids::CallId;
use crate::model::legacy::Role;

/// Parts of `call:{id}:{part}`.
const PARTS: [&str; 4] = ["recording", "participants", "media_streaming_status", "session"];
/// Beginning of the id of a media stream's session.
const MEDIA: &str = "media_";

/// To which call a legacy key belongs, by its name alone.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct LegacyOwner {
    /// The id in the name, as it stands there; it may be no sound identifier.
    pub id: String,
    /// True where the key maps the call to another session: such a call must be migrated before that session.
    pub mapped: bool,
}

impl RedisKeyManager {
    /// The legacy keys that a call may have by its own id.
    pub fn legacy_keys(call: &CallId) -> Vec<(Role, String)> {
        let mut keys = vec![
            (Role::Session, format!("session:{call}")),
            (Role::Media, format!("session:{MEDIA}{call}")),
            (Role::Hist, format!("{call}:hist")),
            (Role::Hist, format!("{MEDIA}{call}:hist")),
            (Role::Map, format!("call_session_map:{call}")),
            (Role::DtmfSequence, format!("dtmf_sequence:{call}")),
            (Role::DtmfValidation, format!("dtmf_validation:{call}")),
        ];
        keys.extend(PARTS.iter().map(|part| (Role::Part((*part).to_owned()), format!("call:{call}:{part}"))));
        keys
    }

    /// The legacy keys of the session that a call is mapped to; none where that is the call's own.
    pub fn legacy_browser_keys(call: &CallId, browser: &CallId) -> Vec<(Role, String)> {
        let own = browser == call || browser.as_str().strip_prefix(MEDIA) == Some(call.as_str());
        if own { Vec::new() } else { vec![(Role::Browser, format!("session:{browser}")), (Role::Hist, format!("{browser}:hist"))] }
    }

    /// True in a cluster: keys that are not of one call lie in slots of their own.
    pub fn is_clustered(&self) -> bool {
        self.braces
    }

    /// To which call a key belongs; none where it is no legacy key, or one of ours.
    pub fn legacy_owner(&self, key: &str) -> Option<LegacyOwner> {
        if key.starts_with(&self.root()) {
            return None;
        }
        let plain = |id: &str| Some(LegacyOwner { id: id.strip_prefix(MEDIA).unwrap_or(id).to_owned(), mapped: false });
        if let Some(id) = key.strip_prefix("call_session_map:") {
            return Some(LegacyOwner { id: id.to_owned(), mapped: true });
        }
        for prefix in ["session:", "dtmf_sequence:", "dtmf_validation:"] {
            if let Some(id) = key.strip_prefix(prefix) {
                return plain(id);
            }
        }
        if let Some(rest) = key.strip_prefix("call:") {
            let (id, part) = rest.rsplit_once(':')?;
            return if PARTS.contains(&part) { plain(id) } else { None };
        }
        key.strip_suffix(":hist").and_then(plain)
    }
}
