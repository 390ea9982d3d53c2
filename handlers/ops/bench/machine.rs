//! What the machine and its processes say of themselves, from `/proc`. Fails with `Setting` where there is none.

use std::time::Duration;

use super::report::Machine;
use crate::error::{Error, Kind, Result};

/// Ticks of a second in `/proc/PID/stat`: what Linux shows to programs, whatever the kernel's own clock (proc(5), USER_HZ).
const TICKS: u64 = 100;

fn read(path: &str) -> Result<String> {
    std::fs::read_to_string(path).map_err(|e| Error::new(Kind::Setting, "bench paths must run on Linux: it reads /proc").because(e))
}

/// Processor time of a process so far, of all its threads.
pub(super) fn cpu(pid: u32) -> Result<Duration> {
    let stat = read(&format!("/proc/{pid}/stat"))?;
    // The name may hold spaces and brackets: fields are counted from behind it. utime and stime are fields 14 and 15.
    let fields: Vec<&str> = stat.rsplit(')').next().unwrap_or_default().split_whitespace().collect();
    let field = |number: usize| fields.get(number - 3).and_then(|field| field.parse::<u64>().ok());
    match (field(14), field(15)) {
        (Some(user), Some(system)) => Ok(Duration::from_millis((user + system) * 1000 / TICKS)),
        _ => Err(Error::internal("/proc/PID/stat is not readable")),
    }
}

/// Proportional set size of a process, in bytes.
pub(super) fn pss(pid: u32) -> Result<u64> {
    let rollup = read(&format!("/proc/{pid}/smaps_rollup"))?;
    let line = rollup.lines().find_map(|line| line.strip_prefix("Pss:"));
    let kib = line.and_then(|line| line.trim().trim_end_matches("kB").trim().parse::<u64>().ok());
    kib.map(|kib| kib * 1024).ok_or_else(|| Error::internal("/proc/PID/smaps_rollup is not readable"))
}

/// The machine now.
pub(super) fn machine() -> Machine {
    let load = read("/proc/loadavg").ok().and_then(|text| text.split(' ').next()?.parse().ok()).unwrap_or_default();
    let model = read("/proc/cpuinfo").ok().and_then(|text| {
        let line = text.lines().find(|line| line.starts_with("model name"))?;
        line.split_once(':').map(|(_, name)| name.trim().to_owned())
    });
    Machine {
        cores: std::thread::available_parallelism().map_or(0, |n| n.get() as u64),
        processor: model.unwrap_or_default(),
        load_average: load,
        build: if cfg!(debug_assertions) { "debug" } else { "release" }.to_owned(),
        version: env!("CARGO_PKG_VERSION").to_owned(),
    }
}
