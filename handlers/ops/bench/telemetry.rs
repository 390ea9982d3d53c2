//! What metrics, traces and alerts cost turns: a handler with all of it, spans handed to a collector, against one without.

use super::RowName;
use super::report::{Goal, Row};
use super::stage::{BLOCKS, CONCURRENT, Stage};
use super::turns::{BEHIND, Caller, degraded};
use super::wire::{Taken, closed};
use crate::error::Result;

/// The row.
pub(super) async fn rows(stage: &Stage) -> Result<Vec<Row>> {
    let (on, off) = (stage.arm("telemetry-on", true), stage.arm("telemetry-off", true));
    let with = stage.serve(&on, &[("OTEL_EXPORTER_OTLP_ENDPOINT", stage.sink.base_url())]).await?;
    let without = stage.serve(&off, &[("TELEMETRY", "off".to_owned())]).await?;
    let mut callers = [Caller::many(&with, CONCURRENT, BEHIND).await?, Caller::many(&without, CONCURRENT, BEHIND).await?];
    let mut taken = [Taken::default(), Taken::default()];
    for block in 0..BLOCKS * 4 {
        // On, off, off, on: whatever drifts meets both alike.
        let arm = (block.div_ceil(2) % 2) as usize;
        let (more, back) = closed(std::mem::take(&mut callers[arm]), stage.block() / 2, Caller::turn).await?;
        taken[arm].add(more);
        callers[arm] = back;
    }
    let note = format!("privacy on; each invocation and each stage of a turn is a span for a collector{}", degraded(&callers[0]));
    with.stop().await?;
    without.stop().await?;
    let row = Row::new(RowName::Telemetry, "turns at 64 concurrent with metrics, traces and alerts", taken[0].rate(), "per second");
    Ok(vec![row.limit(taken[1].rate(), "the same without").goal(Goal::Share(0.95)).note(note)])
}
