//! The states of a breach, and what may be done in each.

use serde::{Deserialize, Serialize};

use super::actions::Action;
use super::{Breach, RiskLevel};

/// How far a breach has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum State {
    /// Something was seen.
    Detected,
    /// Somebody is looking at it; the aim is to end this within 24 hours.
    Triage,
    /// It is a breach with a reasonable degree of certainty: the clock runs.
    Aware,
    /// The risk is assessed.
    Assessed,
    /// The authority has the first notification.
    NotifiedInitial,
    /// And more than that.
    NotifiedSupplement,
    /// The people concerned are informed.
    SubjectsInformed,
    /// They need not be.
    Exempt,
    /// Done.
    Closed,
}

impl State {
    /// As it stands in documents.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Detected => "detected",
            Self::Triage => "triage",
            Self::Aware => "aware",
            Self::Assessed => "assessed",
            Self::NotifiedInitial => "notified_initial",
            Self::NotifiedSupplement => "notified_supplement",
            Self::SubjectsInformed => "subjects_informed",
            Self::Exempt => "exempt",
            Self::Closed => "closed",
        }
    }
}

impl Breach {
    /// The level of the assessed risk.
    pub fn level(&self) -> Option<RiskLevel> {
        self.risk.as_ref().map(|risk| risk.level)
    }

    /// What may be done now.
    pub fn allowed(&self) -> Vec<Action> {
        use Action::{Assess, Aware, Close, Exempt, Inform, Notify, Triage};
        let mut allowed = match self.state {
            State::Detected => vec![Triage],
            // What turns out to be no breach ends here, with its reason.
            State::Triage => vec![Triage, Aware, Close],
            State::Aware => vec![Aware, Assess],
            State::Assessed => vec![Aware, Assess, Notify],
            State::NotifiedInitial | State::NotifiedSupplement => vec![Aware, Assess, Notify, Inform, Exempt],
            State::SubjectsInformed => vec![Aware, Assess, Notify, Close],
            // An authority may ask for the communication all the same (Art. 34(4)).
            State::Exempt => vec![Aware, Assess, Notify, Inform, Close],
            State::Closed => Vec::new(),
        };
        let may_end = match self.state {
            State::Assessed => self.level() == Some(RiskLevel::None),
            State::NotifiedInitial | State::NotifiedSupplement => self.level() != Some(RiskLevel::High),
            _ => false,
        };
        if may_end {
            allowed.push(Close);
        }
        allowed
    }
}
