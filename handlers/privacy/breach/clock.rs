//! The clock: 72 hours of 3600 seconds from awareness. No calendar, no time zone, no summer time takes part in it.

use super::{Breach, Reminder, RiskLevel, State};
use crate::model::time::Timestamp;

/// Hours after awareness within which the authority must know (Art. 33(1)).
pub const NOTICE_HOURS: u32 = 72;

/// Hours after awareness at which somebody is reminded.
pub const HOURS: [u32; 4] = [24, 48, 60, 71];

/// How long an instance has a reminder for itself while it sends it, in milliseconds.
pub const CLAIM_MILLIS: i64 = 120_000;

pub(super) const fn hours_after(at: Timestamp, hours: u32) -> Timestamp {
    at.plus_millis(hours as i64 * 3_600_000)
}

impl Breach {
    /// Whether anybody waits for a first notification.
    pub fn is_clock_running(&self) -> bool {
        matches!(self.state, State::Aware | State::Assessed) && self.level() != Some(RiskLevel::None)
    }

    /// Reminders that are due and that nobody has sent or is sending now, the earliest first.
    pub fn reminders_due(&self, now: Timestamp) -> Vec<u32> {
        let Some(aware) = self.aware_at.filter(|_| self.is_clock_running()) else { return Vec::new() };
        let free =
            |hours: u32| self.reminders.iter().find(|r| r.hours == hours).is_none_or(|r| r.sent_at.is_none() && r.claimed_until.is_none_or(|u| u <= now));
        HOURS.into_iter().filter(|hours| hours_after(aware, *hours) <= now && free(*hours)).collect()
    }

    /// Takes a reminder for a while; false where it is not due any more.
    pub fn claim_reminder(&mut self, hours: u32, now: Timestamp) -> bool {
        if !self.reminders_due(now).contains(&hours) {
            return false;
        }
        self.reminder(hours).claimed_until = Some(now.plus_millis(CLAIM_MILLIS));
        true
    }

    /// How the sending of a claimed reminder ended.
    pub fn reminded(&mut self, hours: u32, now: Timestamp, taken: bool) {
        let reminder = self.reminder(hours);
        reminder.claimed_until = None;
        if !taken {
            reminder.failures += 1;
            return;
        }
        let first = reminder.sent_at.is_none();
        reminder.sent_at.get_or_insert(now);
        if first {
            self.tell(now, "system", "reminder", Some(format!("{hours} h")));
        }
    }

    fn reminder(&mut self, hours: u32) -> &mut Reminder {
        let at = self.reminders.iter().position(|r| r.hours == hours).unwrap_or_else(|| {
            self.reminders.push(Reminder { hours, claimed_until: None, sent_at: None, failures: 0 });
            self.reminders.len() - 1
        });
        &mut self.reminders[at]
    }
}
