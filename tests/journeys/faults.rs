//! `rtvoice load --faults`: the short form of the long run. Everything is broken again and again, and nothing is lost.

use std::collections::BTreeSet;
use std::process::Output;
use std::time::Duration;

use rtvoice::ops::load::faults::{self, Fault, KINDS, Place};
use rtvoice::ops::load::proxy::Way;
use serde_json::Value;

async fn load(arguments: &[&str], path: &str) -> Output {
    let mut command = tokio::process::Command::new(env!("CARGO_BIN_EXE_rtvoice"));
    command.args(["load", "--faults", "--json"]).args(arguments).env_clear().env("PATH", path);
    command.env("FUNCTIONS_APP_ROOT_PATH", env!("CARGO_MANIFEST_DIR")).kill_on_drop(true);
    command.output().await.expect("it runs")
}

#[tokio::test(flavor = "multi_thread")]
async fn two_minutes_of_faults_lose_and_double_nothing() {
    // Every kind, and an agent that cannot be reached: what comes late is worth waiting for.
    let whole = |seed: &u64| {
        let planned = faults::schedule(*seed, Duration::from_secs(120));
        let kinds: BTreeSet<_> = planned.iter().map(|planned| planned.fault.kind()).collect();
        kinds.len() == KINDS && planned.iter().any(|planned| planned.fault == Fault::Network(Place::Replies, Way::Cut))
    };
    let seed = (1..).find(whole).expect("a seed with every kind").to_string();
    let output = load(&["--seconds", "120", "--seed", &seed, "--rate", "2", "--turns", "6", "--think-ms", "150"], "/usr/local/bin:/usr/bin:/bin").await;
    let report: Value = serde_json::from_slice(&output.stdout).unwrap_or_else(|e| panic!("{e}: {output:?}"));
    let told = String::from_utf8_lossy(&output.stderr);
    let found = |field: &str| report[field].as_u64().unwrap_or_else(|| panic!("{field}: {report}"));
    for field in ["missing", "doubled", "foreign", "misplaced", "unarchived", "contradictions", "deadLettered", "outboxLeft", "queueLeft"] {
        assert_eq!(found(field), 0, "{field}: {report}\n{told}");
    }
    assert_eq!((found("overdue"), found("calls")), (0, report["callIds"].as_array().map_or(0, Vec::len) as u64), "{report}\n{told}");
    assert!(report["memoryPeakMib"].as_f64().is_some_and(|peak| peak < 256.0) && report["longestWaitMs"].as_f64().is_some_and(|ms| ms > 0.0), "{report}");
    assert!(found("answered") > 600, "{report}\n{told}");
    let faults = report["faults"].as_array().expect("faults");
    let kinds: BTreeSet<&str> = faults.iter().map(|fault| fault["kind"].as_str().expect("a kind")).collect();
    // The last one is left out where those before it began late.
    assert!(kinds.len() >= KINDS - 1, "{kinds:?}");
    let bad = |kind: &str| faults.iter().any(|fault| fault["kind"] == kind && fault["way"].is_string());
    assert!(["queueNetwork", "speechNetwork", "repliesNetwork"].into_iter().filter(|kind| bad(kind)).count() >= 2, "{faults:?}");
    assert_eq!(found("fallbacks") > 0, bad("repliesNetwork"), "{report}");
    assert!(faults.iter().all(|fault| fault["recoveryMs"].is_u64() && fault["atS"].is_f64() && fault["lastedMs"].is_u64()), "{faults:?}");
    for fault in faults {
        let (recovery, stalled) = (fault["recoveryMs"].as_u64().expect("a number"), fault["stalledMs"].as_u64().expect("a number"));
        assert!(recovery <= 10_000, "{fault}, the machine stood still for {stalled} ms\n{told}");
    }
    assert_eq!(Some(found("recoveryMaxMs")), faults.iter().filter_map(|fault| fault["recoveryMs"].as_u64()).max());
    assert!(output.status.success(), "{report}\n{told}");
}

#[tokio::test]
async fn without_a_redis_server_it_says_what_it_needs() {
    let nowhere = tempfile::tempdir().expect("a folder");
    let output = load(&["--seconds", "1"], &nowhere.path().display().to_string()).await;
    assert_eq!(output.status.code(), Some(2), "{output:?}");
    assert!(String::from_utf8_lossy(&output.stderr).contains("redis-server"), "{output:?}");
}

#[test]
fn a_seed_repeats_its_schedule_and_every_kind_comes_before_one_comes_again() {
    let length = Duration::from_secs(1800);
    let planned = faults::schedule(7, length);
    assert_eq!(planned, faults::schedule(7, length));
    assert_ne!(planned, faults::schedule(8, length));
    assert!(planned.len() > 100, "{}", planned.len());
    for round in planned.chunks_exact(KINDS) {
        assert_eq!(round.iter().map(|planned| planned.fault.kind()).collect::<BTreeSet<_>>().len(), KINDS);
    }
    for pair in planned.windows(2) {
        assert!(pair[0].at + pair[0].lasts + Duration::from_secs(3) <= pair[1].at, "{pair:?}");
    }
    assert!(planned.iter().all(|planned| planned.at + planned.lasts <= length));
}
