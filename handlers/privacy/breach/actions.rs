//! What people do with a breach, step by step.

use serde_json::json;
use sha2::{Digest as _, Sha256};

use super::clock::{NOTICE_HOURS, hours_after};
use super::given::Given;
use super::{Art34, Authority, Breach, Exposed, Notification, Risk, RiskLevel, State};
use crate::error::{Error, Kind, Result};
use crate::model::phrase::hex;
use crate::model::time::Timestamp;

/// One step.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Action {
    /// Somebody looks at it, and keeps what is found.
    Triage,
    /// It is a breach; or the moment of awareness is corrected.
    Aware,
    /// The risk is assessed, or assessed anew.
    Assess,
    /// The authority was notified.
    Notify,
    /// The people concerned were informed.
    Inform,
    /// They need not be.
    Exempt,
    /// It is done.
    Close,
}

impl Action {
    /// All of them.
    pub const ALL: [Self; 7] = [Self::Triage, Self::Aware, Self::Assess, Self::Notify, Self::Inform, Self::Exempt, Self::Close];

    /// Its name in URLs and commands.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Triage => "triage",
            Self::Aware => "aware",
            Self::Assess => "assess",
            Self::Notify => "notify",
            Self::Inform => "inform",
            Self::Exempt => "exempt",
            Self::Close => "close",
        }
    }

    /// The action of this name.
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|action| action.name() == name)
    }
}

impl Breach {
    /// Does one step with what is given. `Conflict` where the state does not allow it, `BadInput` with the field at fault;
    /// nothing is changed then.
    pub fn act(&mut self, action: Action, mut given: Given, by: &str, now: Timestamp) -> Result<()> {
        if !self.allowed().contains(&action) {
            let names: Vec<_> = self.allowed().into_iter().map(Action::name).collect();
            let names = if names.is_empty() { "nothing".to_owned() } else { names.join(", ") };
            return Err(Error::new(Kind::Conflict, format!("the breach is {}: allowed is {names}", self.state.as_str())));
        }
        let mut next = self.clone();
        let mut details = Vec::new();
        let named = next.facts.merge(&mut given)?;
        if !named.is_empty() {
            details.push(named.join(", "));
        }
        if let Some(note) = given.text("note")? {
            details.push(note);
        }
        details.extend(match action {
            Action::Triage => {
                next.state = State::Triage;
                None
            }
            Action::Aware => next.aware(&mut given, by, now)?,
            Action::Assess => next.assess(&mut given, by, now)?,
            Action::Notify => next.notify(&mut given, now)?,
            Action::Inform => next.inform(&mut given, now)?,
            Action::Exempt => next.exempt(&mut given)?,
            Action::Close => next.close(&mut given, now)?,
        });
        given.finish()?;
        next.tell(now, by, action.name(), Some(details.join("; ")).filter(|text| !text.is_empty()));
        *self = next;
        Ok(())
    }

    fn aware(&mut self, given: &mut Given, by: &str, now: Timestamp) -> Result<Option<String>> {
        let given_at = time(given, "awareAt", now)?;
        if given_at.is_none() && self.aware_at.is_some() {
            // Without a moment it would be now, and nobody means that: 72 hours more.
            return Err(Error::input("awareAt", "must be given where awareness was noted before: it corrects that moment"));
        }
        let at = given_at.unwrap_or(now);
        let reason = given.needed("reason")?;
        let before = self.aware_at.replace(at);
        self.due_at = Some(hours_after(at, NOTICE_HOURS));
        self.aware_by = Some(by.to_owned());
        self.aware_reason = Some(reason);
        if self.state == State::Triage {
            self.state = State::Aware;
        }
        Ok(Some(match before {
            Some(before) => format!("awareAt corrected from {before} to {at}"),
            None => format!("awareAt {at}"),
        }))
    }

    fn assess(&mut self, given: &mut Given, by: &str, now: Timestamp) -> Result<Option<String>> {
        const NEEDS: &str = "must be none, risk or high";
        let level: RiskLevel = given.take("risk", NEEDS)?.ok_or_else(|| Error::input("risk", NEEDS))?;
        let rationale = given.needed("rationale")?;
        self.risk = Some(Risk { level, rationale, assessor: by.to_owned(), at: now });
        self.art34.get_or_insert_with(Art34::default).required = level == RiskLevel::High;
        if self.state == State::Aware {
            self.state = State::Assessed;
        }
        Ok(Some(format!("risk {}", json!(level).as_str().unwrap_or_default())))
    }

    fn notify(&mut self, given: &mut Given, now: Timestamp) -> Result<Option<String>> {
        let sent_at = time(given, "sentAt", now)?.unwrap_or(now);
        if self.aware_at.is_some_and(|aware| sent_at < aware) {
            return Err(Error::input("sentAt", "must not be before awareAt"));
        }
        if let Some(authority) = given.take::<Authority>("authority", "must be {\"name\", \"ref\"?}")? {
            self.authority = Some(authority);
        }
        if let Some(reason) = given.text("delayReason")? {
            self.delay_reason = Some(reason);
        }
        if self.authority.is_none() {
            return Err(Error::input("authority", "must be there: {\"name\", \"ref\"?}"));
        }
        let first = self.notifications.is_empty();
        if first && self.due_at.is_some_and(|due| sent_at > due) && self.delay_reason.is_none() {
            return Err(Error::input("delayReason", "must be there: the notification comes after 72 hours (Art. 33(1))"));
        }
        let missing = self.facts.missing();
        let phased = given.take::<bool>("phase", "must be true or false")?.unwrap_or(false);
        if let (Some(field), false) = (missing.first(), phased) {
            let detail = format!("must be there (Art. 33(3); missing: {}), or \"phase\": true says that more will follow", missing.join(", "));
            return Err(Error::input(*field, detail));
        }
        let content_hash = self.content_hash(given)?;
        let phase = if first { "initial" } else { "supplement" };
        let fields_missing: Vec<String> = missing.into_iter().map(str::to_owned).collect();
        self.notifications.push(Notification { phase: phase.to_owned(), sent_at, content_hash, fields_missing });
        self.state = match self.state {
            State::Assessed => State::NotifiedInitial,
            State::NotifiedInitial | State::NotifiedSupplement => State::NotifiedSupplement,
            other => other,
        };
        Ok(Some(phase.to_owned()))
    }

    /// SHA-256 of what was sent: of the text in `content`, which is not kept, else of the facts.
    fn content_hash(&self, given: &mut Given) -> Result<String> {
        let content = given.text("content")?.unwrap_or_else(|| self.facts.notice().to_string());
        Ok(hex(&Sha256::digest(content.as_bytes())))
    }

    fn inform(&mut self, given: &mut Given, now: Timestamp) -> Result<Option<String>> {
        let sent_at = time(given, "sentAt", now)?.unwrap_or(now);
        let count = given.take::<u64>("count", "must be a whole number")?.ok_or_else(|| Error::input("count", "must be there: how many were informed"))?;
        // Art. 34(2): nature, contact, consequences and measures, in plain language.
        let asked = ["nature", "contact", "consequences", "measuresTaken"];
        if let Some(field) = self.facts.missing().into_iter().find(|field| asked.contains(field)) {
            return Err(Error::input(field, "must be there: people must be told (Art. 34(2))"));
        }
        let content_hash = self.content_hash(given)?;
        let before = self.art34.take().unwrap_or_default();
        self.art34 = Some(Art34 { sent_at: Some(sent_at), count: Some(count), content_hash: Some(content_hash), ..before });
        self.state = State::SubjectsInformed;
        Ok(Some(format!("{count} people")))
    }

    fn exempt(&mut self, given: &mut Given) -> Result<Option<String>> {
        let exemption = given.needed("exemption")?;
        if !matches!(exemption.as_str(), "a" | "b" | "c") {
            return Err(Error::input("exemption", "must be a, b or c, as in Art. 34(3)"));
        }
        let rationale = given.needed("rationale")?;
        let unintelligible = self.facts.encrypted.as_ref().is_some_and(|e| e.key_exposed == Exposed::No);
        if exemption == "a" && !unintelligible {
            return Err(Error::input("encrypted", "must say that the key was not exposed: else the data is not unintelligible"));
        }
        let before = self.art34.take().unwrap_or_default();
        self.art34 = Some(Art34 { exemption: Some(exemption.clone()), rationale: Some(rationale), ..before });
        self.state = State::Exempt;
        Ok(Some(format!("Art. 34(3) {exemption}")))
    }

    fn close(&mut self, given: &mut Given, now: Timestamp) -> Result<Option<String>> {
        if self.state == State::Triage {
            self.close_reason = Some(given.needed("reason")?);
        } else {
            // Art. 33(5): the register holds the facts, the effects and the remedial action.
            let missing = [
                (self.facts.nature.is_none(), "nature"),
                (self.facts.consequences.is_none(), "consequences"),
                (self.facts.measures_taken.as_ref().is_none_or(Vec::is_empty), "measuresTaken"),
                (self.facts.root_cause.is_none(), "rootCause"),
            ];
            if let Some((_, field)) = missing.iter().find(|(missing, _)| *missing) {
                return Err(Error::input(*field, "must be there before the breach is closed (Art. 33(5))"));
            }
            if let Some(field) = self.notifications.last().and_then(|last| last.fields_missing.first()) {
                return Err(Error::input(field.clone(), "was never notified: a supplement must follow first (Art. 33(4))"));
            }
        }
        self.closed_at = Some(now);
        self.state = State::Closed;
        Ok(None)
    }
}

/// A time that is not in the future.
fn time(given: &mut Given, field: &'static str, now: Timestamp) -> Result<Option<Timestamp>> {
    match given.take::<Timestamp>(field, "must be an RFC 3339 time, such as 2026-01-15T10:00:00Z")? {
        Some(at) if at > now => Err(Error::input(field, "must not be in the future")),
        other => Ok(other),
    }
}
