//! What a load found, for people and as JSON.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use serde::Serialize;

use super::gauge::{Counts, Gauge, Second, Stage, Times, Waits};
use super::inject::Faulted;
use super::player::Played;
use super::verify::Verified;

/// Most problems of calls that are told in words.
const TOLD: usize = 20;

/// Everything that a run found.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Report {
    /// Counts of calls, turns and failures.
    #[serde(flatten)]
    pub counts: Counts,
    /// How long requests waited.
    #[serde(flatten)]
    pub waits: Waits,
    /// What the record holds.
    #[serde(flatten)]
    pub verified: Verified,
    /// Turns that were answered twice, and not the same.
    pub contradictions: u64,
    /// Calls that were broken off, with the reason; the first few.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub broken_off: Vec<String>,
    /// Seconds from the first call to the last archive.
    pub seconds: f64,
    /// Answered turns by seconds in which turns were answered.
    pub turns_per_second: f64,
    /// The calls.
    pub call_ids: Vec<String>,
    /// Times by stage, in milliseconds.
    pub stages: BTreeMap<&'static str, Times>,
    /// What was broken on purpose, with `--faults`.
    #[serde(flatten, skip_serializing_if = "Option::is_none")]
    pub faulted: Option<Faulted>,
    /// Whether all of it holds.
    pub ok: bool,
    /// Each second of the run, for the page.
    #[serde(skip)]
    pub timeline: Vec<Second>,
}

impl Report {
    /// What was measured and compared.
    pub fn new(gauge: &Gauge, played: &[Played], mut verified: Verified) -> Self {
        let mut counts = gauge.counts();
        if counts.calls == 0 {
            // Nothing was sent: an earlier run is compared.
            counts.calls = played.len() as u64;
            counts.turns = played.iter().map(|call| call.sent.len() as u64).sum();
            counts.answered = played.iter().map(|call| call.answered.len() as u64).sum();
        }
        let contradictions = played.iter().map(|call| call.problems.len() as u64).sum();
        let told = played.iter().flat_map(|call| call.problems.iter().map(|problem| format!("call {}: {problem}", call.call)));
        verified.problems.extend(told.take(TOLD));
        let broken_off = played.iter().filter_map(|call| Some(format!("call {}: {}", call.call, call.broken_off.as_ref()?))).take(TOLD);
        let (timeline, waits) = (gauge.seconds(), gauge.waits());
        let busy = timeline.iter().filter(|second| second.turns > 0).count().max(1);
        Self {
            ok: verified.holds() && contradictions == 0 && counts.answered > 0 && waits.overdue == 0,
            waits,
            turns_per_second: counts.answered as f64 / busy as f64,
            seconds: gauge.elapsed().as_secs_f64(),
            call_ids: played.iter().map(|call| call.call.clone()).collect(),
            stages: Stage::ALL.into_iter().map(|stage| (stage.name(), gauge.times(stage))).filter(|(_, times)| times.count > 0).collect(),
            counts,
            verified,
            contradictions,
            broken_off: broken_off.collect(),
            faulted: None,
            timeline,
        }
    }

    /// Adds what became of the faults: with them a call without an archive is one that is stuck.
    #[must_use]
    pub fn with_faults(mut self, faulted: Faulted) -> Self {
        self.ok = self.ok && faulted.holds() && self.verified.unarchived == 0;
        self.faulted = Some(faulted);
        self
    }

    /// The report for people.
    pub fn text(&self) -> String {
        let (counts, verified) = (&self.counts, &self.verified);
        let mut table = comfy_table::Table::new();
        table.load_preset(comfy_table::presets::UTF8_FULL_CONDENSED).set_header(["stage", "count", "p50 ms", "p95 ms", "p99 ms", "max ms"]);
        for stage in Stage::ALL {
            if let Some(times) = self.stages.get(stage.name()) {
                let ms = |value: f64| format!("{value:.2}");
                table.add_row([stage.name().to_owned(), times.count.to_string(), ms(times.p50), ms(times.p95), ms(times.p99), ms(times.max)]);
            }
        }
        let mut out = String::new();
        // Writing to a String cannot fail.
        let _ = writeln!(out, "{table}");
        let _ = writeln!(out, "calls {}, ended {}, begun late {}", counts.calls, counts.ended, counts.late);
        let _ = writeln!(
            out,
            "turns {}, answered {}, degraded {}, fallbacks {}, silent {}, errors {}, of these refused {}; {:.1} a second in {:.1} s",
            counts.turns, counts.answered, counts.degraded, counts.fallbacks, counts.silent, counts.errors, counts.refused, self.turns_per_second, self.seconds
        );
        let _ = writeln!(out, "longest wait of a request {:.0} ms; {} waited longer than they may", self.waits.longest_wait_ms, self.waits.overdue);
        let _ = writeln!(
            out,
            "record: {} turns; missing {}, doubled {}, foreign {}, misplaced {}; calls without an archive {}",
            verified.archived, verified.missing, verified.doubled, verified.foreign, verified.misplaced, verified.unarchived
        );
        if let Some(faulted) = &self.faulted {
            out.push_str(&faulted_text(faulted));
        }
        for reason in &self.broken_off {
            let _ = writeln!(out, "broken off: {reason}");
        }
        for problem in &verified.problems {
            let _ = writeln!(out, "DOES NOT HOLD: {problem}");
        }
        let _ = write!(out, "{}", if self.ok { "every answered turn is in the record, once and in order" } else { "something does not hold" });
        out
    }

    /// The handler's memory for the page, where it was looked at.
    pub fn memory(&self) -> Option<String> {
        let faulted = self.faulted.as_ref()?;
        Some(format!("{:.1} of {}", faulted.memory_peak_mib?, faulted.memory_most_mib))
    }
}

/// The faults for people.
fn faulted_text(faulted: &Faulted) -> String {
    let mut out = String::new();
    for fault in &faulted.faults {
        let recovery = fault.recovery_ms.map_or_else(|| "never".to_owned(), |ms| format!("after {ms} ms"));
        let stalled = if fault.stalled_ms > 0 { format!(" of which the machine stood still for {} ms", fault.stalled_ms) } else { String::new() };
        // Writing to a String cannot fail.
        let way = fault.way.filter(|way| *way != fault.kind).map(|way| format!(" ({way})")).unwrap_or_default();
        let _ = writeln!(out, "fault at {:.1} s: {}{way} for {} ms, recovered {recovery}{stalled}", fault.at_s, fault.kind, fault.lasted_ms);
    }
    let left = |left: Option<u64>| left.map_or_else(|| "unknown".to_owned(), |left| left.to_string());
    let (outbox, queue) = (left(faulted.outbox_left), left(faulted.queue_left));
    let _ = writeln!(
        out,
        "{} faults, longest recovery {} ms; outbox {outbox}, queue {queue}, dead letters {}",
        faulted.faults.len(),
        faulted.recovery_max_ms,
        faulted.dead_lettered
    );
    let peak = faulted.memory_peak_mib.map_or_else(|| "unknown".to_owned(), |peak| format!("{peak:.1} MiB"));
    let _ = writeln!(
        out,
        "memory of the handler at most {peak}, of {} MiB that it may have; {} calls with {} answered turns looked for recovery",
        faulted.memory_most_mib, faulted.probes, faulted.probe_turns
    );
    out
}

/// One second for people.
pub fn line(second: &Second, counts: &Counts, gauge: &Gauge, outbox: Option<u64>) -> String {
    let p99s: Vec<String> = [Stage::Setup, Stage::Turn, Stage::Commit, Stage::Archive]
        .into_iter()
        .map(|stage| {
            let times = gauge.times(stage);
            format!("{} {:.1}/{:.1}/{:.1}", stage.name(), times.p50, times.p95, times.p99)
        })
        .collect();
    let outbox = outbox.map_or_else(|| "-".to_owned(), |depth| depth.to_string());
    format!(
        "{} calls/s, {} turns/s, calls {}, answered {}, errors {}, degraded {}, outbox {outbox}, ms p50/p95/p99: {}",
        second.calls,
        second.turns,
        counts.calls,
        counts.answered,
        counts.errors,
        counts.degraded,
        p99s.join(", ")
    )
}
