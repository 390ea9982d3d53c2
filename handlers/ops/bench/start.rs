//! From exec to the first answer, with a running Redis, beside what merely starting this executable takes.

use std::process::Stdio;

use tokio::process::Command;
use tokio::time::Instant;

use super::RowName;
use super::report::{Goal, Row};
use super::stage::Stage;
use super::wire::Taken;
use crate::error::{Error, Result};

/// Starts of each kind.
const STARTS: usize = 10;

/// The row.
pub(super) async fn rows(stage: &Stage) -> Result<Vec<Row>> {
    let arm = stage.arm("start", true);
    // The first one makes keys and file: an instance in production finds them.
    stage.serve(&arm, &[]).await?.stop().await?;
    let executable = std::env::current_exe().map_err(Error::internal)?;
    let (mut served, mut empty) = (Taken::default(), Taken::default());
    for _ in 0..STARTS {
        let handler = stage.serve(&arm, &[]).await?;
        served.push(handler.started);
        handler.stop().await?;
        let began = Instant::now();
        let mut command = Command::new(&executable);
        command.arg("--version").stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        command.status().await.map_err(Error::internal)?;
        empty.push(began.elapsed());
    }
    Ok(vec![
        Row::new(RowName::Start, "exec to first answer, median of ten", served.millis(50.0), "ms")
            .limit(empty.millis(50.0), "the same executable, --version")
            .goal(Goal::Most(15.0))
            .note("GET /api/ready over a new connection; the embedded record is opened and checked, Redis is connected to and checked"),
    ])
}
