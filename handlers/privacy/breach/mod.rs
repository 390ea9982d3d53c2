//! A personal data breach from its detection to its end (GDPR Art. 33 and 34), as a pure model.
//!
//! In: facts and actions with the time. Out: the next state, or an error that names the state (`Conflict`) or the field
//! (`BadInput`). The clock runs 72 hours from the moment of awareness, in UTC, through weekends and whatever clocks do.

mod actions;
mod clock;
mod facts;
mod given;
mod register;
mod states;

use serde::{Deserialize, Serialize};

use crate::model::time::Timestamp;

pub use actions::Action;
pub use clock::{CLAIM_MILLIS, HOURS, NOTICE_HOURS};
pub use facts::{Contact, Encrypted, Exposed, Facts, Kind, Role, Subjects};
pub use given::Given;
pub use register::csv;
pub use states::State;

/// Most events of a timeline; later ones are counted alone.
const TIMELINE: usize = 500;

/// One breach, as it stands in the register.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Breach {
    /// Its id.
    pub id: String,
    /// How far it has come.
    pub state: State,
    /// Who found it: `operator`, or `security:` and a kind of event.
    pub source: String,
    /// When it was detected.
    pub detected_at: Timestamp,
    /// When the controller was reasonably certain: the clock starts.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub aware_at: Option<Timestamp>,
    /// Who said so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub aware_by: Option<String>,
    /// Why then.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub aware_reason: Option<String>,
    /// 72 hours after awareness.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub due_at: Option<Timestamp>,
    /// What is known of it.
    #[serde(flatten)]
    pub facts: Facts,
    /// The risk to people, once it is assessed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub risk: Option<Risk>,
    /// The authority it is notified to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub authority: Option<Authority>,
    /// What was sent to the authority.
    #[serde(default)]
    pub notifications: Vec<Notification>,
    /// Why the first notification came after 72 hours.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub delay_reason: Option<String>,
    /// What was told to the people concerned, or why nothing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub art34: Option<Art34>,
    /// The reminders of the clock.
    #[serde(default)]
    pub reminders: Vec<Reminder>,
    /// Security events that joined it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub events: Option<Events>,
    /// When it was closed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub closed_at: Option<Timestamp>,
    /// Why it was closed without having been a breach.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub close_reason: Option<String>,
    /// Everything that was done, in order.
    pub timeline: Vec<Event>,
}

/// The risk to the rights and freedoms of people.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Risk {
    /// How high.
    pub level: RiskLevel,
    /// Why.
    pub rationale: String,
    /// Who assessed it.
    pub assessor: String,
    /// When.
    pub at: Timestamp,
}

/// How high a risk is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum RiskLevel {
    /// Unlikely: no notification is due.
    None,
    /// The authority must be notified.
    Risk,
    /// The people concerned must be informed, too.
    High,
}

/// A supervisory authority.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Authority {
    /// Its name.
    pub name: String,
    /// Its reference of the case.
    #[serde(default, rename = "ref", skip_serializing_if = "Option::is_none")]
    pub reference: Option<String>,
}

/// One notification to the authority.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Notification {
    /// `initial` or `supplement`.
    pub phase: String,
    /// When it was sent.
    pub sent_at: Timestamp,
    /// SHA-256 of what was sent, hexadecimal.
    pub content_hash: String,
    /// What Art. 33(3) asks for and it did not hold.
    pub fields_missing: Vec<String>,
}

/// Communication to the people concerned.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Art34 {
    /// True while the risk is high.
    pub required: bool,
    /// `a` unintelligible data, `b` later measures, `c` disproportionate effort (then a public notice).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub exemption: Option<String>,
    /// Why it applies.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rationale: Option<String>,
    /// When they were informed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sent_at: Option<Timestamp>,
    /// How many.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub count: Option<u64>,
    /// SHA-256 of what they were told, hexadecimal.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub content_hash: Option<String>,
}

/// One reminder of the clock.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Reminder {
    /// Hours after awareness.
    pub hours: u32,
    /// Until when an instance that is sending it has it for itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub claimed_until: Option<Timestamp>,
    /// When it was taken.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sent_at: Option<Timestamp>,
    /// Tries that failed.
    #[serde(default)]
    pub failures: u32,
}

/// Security events of one kind.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Events {
    /// How many.
    pub count: u64,
    /// The first.
    pub first: Timestamp,
    /// The last.
    pub last: Timestamp,
}

/// One thing that was done.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Event {
    /// When.
    pub at: Timestamp,
    /// Who.
    pub by: String,
    /// What: an action, `open`, `events` or `reminder`.
    pub action: String,
    /// The state after it.
    pub state: State,
    /// More of it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub detail: Option<String>,
}

impl Breach {
    /// A breach that was just detected.
    pub fn detected(id: String, source: &str, at: Timestamp, now: Timestamp, by: &str) -> Self {
        let mut breach = Self {
            id,
            state: State::Detected,
            source: source.to_owned(),
            detected_at: at,
            aware_at: None,
            aware_by: None,
            aware_reason: None,
            due_at: None,
            facts: Facts::default(),
            risk: None,
            authority: None,
            notifications: Vec::new(),
            delay_reason: None,
            art34: None,
            reminders: Vec::new(),
            events: None,
            closed_at: None,
            close_reason: None,
            timeline: Vec::new(),
        };
        breach.tell(now, by, "open", None);
        breach
    }

    /// More security events of its kind.
    pub fn join(&mut self, count: u64, now: Timestamp, detail: &str) {
        let events = self.events.get_or_insert(Events { count: 0, first: now, last: now });
        events.count += count;
        events.last = events.last.max(now);
        self.tell(now, "system", "events", Some(format!("{count} more: {detail}")));
    }

    /// Adds to the timeline.
    pub fn tell(&mut self, at: Timestamp, by: &str, action: &str, detail: Option<String>) {
        // What people do always finds room; what comes by itself must not crowd it out.
        if self.timeline.len() < TIMELINE || by != "system" {
            self.timeline.push(Event { at, by: by.to_owned(), action: action.to_owned(), state: self.state, detail });
        }
    }
}
