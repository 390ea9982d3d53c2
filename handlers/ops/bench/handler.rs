//! A handler's process for a measurement: this executable, or a copy of it, with `serve`, on a free port.
//!
//! In: the executable and its settings, over those of this process. Out: its port, processor time and memory. It ends with this process,
//! whatever becomes of it: its standard input closes.

use std::fs::File;
use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use tokio::process::{Child, Command};
use tokio::time::{Instant, sleep, timeout};

use super::machine;
use super::wire::{Wire, get};
use crate::error::{Error, Kind, Result};

/// Longest start.
const START: Duration = Duration::from_secs(30);
/// Longest end.
const END: Duration = Duration::from_secs(12);
/// Pause between two looks whether it answers: short, because the start itself is measured.
const LOOK: Duration = Duration::from_micros(200);

/// The running process.
pub(super) struct Handler {
    child: Child,
    /// Its port on 127.0.0.1.
    pub(super) port: u16,
    /// From the start of the process to its first answer.
    pub(super) started: Duration,
}

impl Handler {
    /// Starts it and waits until it answers. `log` is where it may write.
    pub(super) async fn start(executable: &Path, settings: &[(&'static str, String)], log: &Path) -> Result<Self> {
        let port = free_port().map_err(Error::internal)?;
        let errors = File::create(log).map_err(Error::internal)?;
        let mut command = Command::new(executable);
        command.arg("serve").envs(settings.iter().map(|(name, value)| (name, value))).env("FUNCTIONS_CUSTOMHANDLER_PORT", port.to_string());
        command.env("RTVOICE_EXIT_WITH_STDIN", "1").stdin(Stdio::piped()).stdout(Stdio::null()).stderr(errors).kill_on_drop(true);
        let began = Instant::now();
        let mut child = command.spawn().map_err(Error::internal)?;
        let answered = timeout(START, async {
            loop {
                if let Ok(mut wire) = Wire::open(port).await
                    && wire.exchange(&get("/api/ready")).await.is_ok()
                {
                    return Ok(());
                }
                if let Some(status) = child.try_wait().map_err(Error::internal)? {
                    let said = std::fs::read_to_string(log).unwrap_or_default();
                    return Err(Error::new(Kind::Unavailable, format!("the handler ended ({status}): {}", said.trim())));
                }
                sleep(LOOK).await;
            }
        });
        answered.await.map_err(|_| Error::deadline("the handler", START))??;
        Ok(Self { child, port, started: began.elapsed() })
    }

    fn pid(&self) -> Result<u32> {
        self.child.id().ok_or_else(|| Error::new(Kind::Unavailable, "the handler has ended"))
    }

    /// Processor time so far.
    pub(super) fn cpu(&self) -> Result<Duration> {
        machine::cpu(self.pid()?)
    }

    /// Proportional set size, in bytes.
    pub(super) fn pss(&self) -> Result<u64> {
        machine::pss(self.pid()?)
    }

    /// Ends it: in order, else at once.
    pub(super) async fn stop(mut self) -> Result<()> {
        drop(self.child.stdin.take());
        match timeout(END, self.child.wait()).await {
            Ok(ended) => ended.map(drop).map_err(Error::internal),
            Err(_) => self.child.kill().await.map_err(Error::internal),
        }
    }
}

/// A port that was free a moment ago.
fn free_port() -> std::io::Result<u16> {
    std::net::TcpListener::bind(("127.0.0.1", 0))?.local_addr().map(|address| address.port())
}
