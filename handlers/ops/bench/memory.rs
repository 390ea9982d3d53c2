//! Memory: of the process idle and under 256 connections, and of a call in Redis.

use std::time::Duration;

use super::RowName;
use super::report::{Goal, Row};
use super::stage::Stage;
use super::turns::{Caller, degraded};
use super::wire::closed;
use crate::error::Result;
use crate::ports::state::redis::BareRedis;

/// Connections that take turns.
const CONNECTIONS: usize = 256;
/// Turns of the call that is weighed.
const TURNS: u64 = 20;
/// Time for work after the last answer.
const SETTLED: Duration = Duration::from_millis(500);
/// A mebibyte.
const MIB: f64 = 1_048_576.0;

/// The rows.
pub(super) async fn rows(stage: &Stage) -> Result<Vec<Row>> {
    let arm = stage.arm("memory", true);
    let handler = stage.serve_alone(&arm, &[("TTS_L1_BYTES", "0".to_owned())]).await?;
    let idle = handler.pss()? as f64 / MIB;
    let caller = Caller::many(&handler, 1, TURNS).await?.remove(0);
    tokio::time::sleep(SETTLED).await;
    let redis = BareRedis::connect(&arm).await?;
    let (bytes, keys) = redis.call_bytes(&caller.call).await?;
    let callers = Caller::many(&handler, CONNECTIONS, 4).await?;
    let (_, callers) = closed(callers, stage.block(), Caller::turn).await?;
    let busy = handler.pss()? as f64 / MIB;
    let degraded = degraded(&callers);
    handler.stop().await?;
    Ok(vec![
        Row::new(RowName::Memory, "PSS idle, after the first answer", idle, "MiB").goal(Goal::Most(30.0)).note("without the phrase cache"),
        Row::new(RowName::Memory, "PSS after turns on 256 connections", busy, "MiB").goal(Goal::Most(45.0)).note(format!("without the phrase cache{degraded}")),
        Row::new(RowName::Memory, "a call of 20 turns in Redis, sealed", bytes as f64, "bytes")
            .goal(Goal::Most(10_240.0))
            .note(format!("MEMORY USAGE of its {keys} keys, names and the server's own overhead included")),
    ])
}
