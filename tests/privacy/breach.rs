//! The clock of a breach: 72 hours are 72 hours, whatever calendars and time zones do.

use chrono::{DateTime, Utc};
use rtvoice::model::time::Timestamp;
use rtvoice::privacy::breach::{Action, Breach, Given};
use serde_json::json;

fn at(text: &str) -> Timestamp {
    Timestamp::parse(text).unwrap()
}

fn aware(moment: &str) -> Breach {
    let now = at(moment);
    let mut breach = Breach::detected("b-1".to_owned(), "operator", now, now, "dpo");
    breach.act(Action::Triage, Given::default(), "dpo", now).unwrap();
    let given = json!({"reason": "certain", "awareAt": moment}).as_object().unwrap().clone();
    breach.act(Action::Aware, Given::new(given), "dpo", now).unwrap();
    breach
}

#[test]
fn the_clock_is_right_across_summer_time_and_leap_days() {
    for (moment, due) in [
        // Summer time begins (Europe 29 March 2026, America 8 March 2026) and ends (25 October, 1 November).
        ("2026-03-28T12:00:00+01:00", "2026-03-31T11:00:00Z"),
        ("2026-03-27T23:30:00+01:00", "2026-03-30T22:30:00Z"),
        ("2026-10-24T12:00:00+02:00", "2026-10-27T10:00:00Z"),
        ("2026-03-07T10:00:00-05:00", "2026-03-10T15:00:00Z"),
        ("2026-10-31T20:00:00-04:00", "2026-11-04T00:00:00Z"),
        // A leap day, none, a century without one, and the turn of the year.
        ("2028-02-27T09:00:00Z", "2028-03-01T09:00:00Z"),
        ("2028-02-28T09:00:00Z", "2028-03-02T09:00:00Z"),
        ("2027-02-27T09:00:00Z", "2027-03-02T09:00:00Z"),
        ("2100-02-26T00:00:00Z", "2100-03-01T00:00:00Z"),
        ("2026-12-30T18:00:00Z", "2027-01-02T18:00:00Z"),
        // A weekend and a holiday change nothing.
        ("2026-12-24T15:00:00Z", "2026-12-27T15:00:00Z"),
    ] {
        let breach = aware(moment);
        assert_eq!(breach.due_at.unwrap(), at(due), "{moment}");
        for hours in [24, 48, 60, 71] {
            let then = breach.aware_at.unwrap().plus_millis(i64::from(hours) * 3_600_000);
            assert!(!breach.reminders_due(then.plus_millis(-1)).contains(&hours) && breach.reminders_due(then).contains(&hours), "{moment} {hours}");
        }
        let utc: DateTime<Utc> = DateTime::parse_from_rfc3339(moment).unwrap().to_utc();
        assert_eq!(breach.due_at.unwrap().utc() - utc, chrono::Duration::hours(72));
    }
}

#[test]
fn a_reminder_is_one_instances_for_a_while_and_then_anyones() {
    let mut breach = aware("2026-03-10T17:05:00Z");
    let now = at("2026-03-11T17:05:00Z");
    assert!(breach.claim_reminder(24, now));
    assert!(!breach.claim_reminder(24, now.plus_millis(119_999)), "somebody is sending it");
    assert!(breach.claim_reminder(24, now.plus_millis(120_000)), "whoever had it was killed");
    breach.reminded(24, now.plus_millis(121_000), true);
    assert!(!breach.claim_reminder(24, now.plus_millis(3_600_000)), "it was sent");
    assert_eq!(breach.reminders_due(at("2026-03-13T16:05:00Z")), [48, 60, 71]);
}

#[test]
fn a_wrong_step_changes_nothing() {
    let breach = aware("2026-03-10T17:05:00Z");
    let mut tried = breach.clone();
    let given = json!({"nature": "x", "risk": "huge", "rationale": "y"}).as_object().unwrap().clone();
    let refused = tried.act(Action::Assess, Given::new(given), "dpo", at("2026-03-10T18:05:00Z")).unwrap_err();
    assert_eq!(refused.field.as_deref(), Some("risk"));
    assert_eq!(tried, breach);
}
