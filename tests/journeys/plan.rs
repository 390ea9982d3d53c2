//! `rtvoice plan` on a fixture of round numbers, through the binary.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use serde_json::Value;

fn fixture(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/plan").join(name)
}

fn plan(arguments: &[&str], settings: &[(&str, &str)]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_rtvoice"));
    command.arg("plan").args(arguments).env_clear().env("FUNCTIONS_APP_ROOT_PATH", env!("CARGO_MANIFEST_DIR")).envs(settings.iter().copied());
    command.output().expect("it runs")
}

fn planned(calls: &str, settings: &[(&str, &str)]) -> Value {
    let (benchmarks, prices) = (fixture("results.json"), fixture("prices.json"));
    let files = [benchmarks.to_str().expect("a path"), prices.to_str().expect("a path")];
    let output = plan(&["--concurrent-calls", calls, "--json", "--benchmarks", files[0], "--prices", files[1]], settings);
    assert!(output.status.success(), "{output:?}");
    serde_json::from_slice(&output.stdout).expect("one JSON object")
}

#[track_caller]
fn near(plan: &Value, path: &str, expected: f64) {
    let value = plan.pointer(path).and_then(Value::as_f64).unwrap_or_else(|| panic!("{path} in {plan}"));
    assert!((value - expected).abs() <= expected.abs() * 1e-6, "{path} is {value}, not {expected}");
}

#[test]
fn a_hundred_thousand_calls_are_what_the_model_says() {
    let plan = planned("100000", &[]);
    for (path, expected) in [
        ("/callsPerSecond", 333.333_333),
        ("/turnsPerSecond", 13_333.333_3),
        ("/callsPerDay", 9_600_000.0),
        // 333.3 calls a second of 18 ms; 20,000 turns wait for their reply, 100 an instance.
        ("/functions/busyCores", 6.0),
        ("/functions/turnsInFlight", 20_000.0),
        ("/functions/httpInstances", 200.0),
        ("/functions/queueInstances", 11.0),
        ("/functions/quotaInstances", 250.0),
        ("/redis/operations", 53_333.333_3),
        ("/redis/shardsByOperations", 6.0),
        // 2 GB of calls, 33.6 GB of summaries, 1 GiB of audio, in shards of 12 GB that are filled to 70 %.
        ("/redis/summaryBytes", 33.6e9),
        ("/redis/bytes", 36.673_741_824e9),
        ("/redis/shardsByMemory", 5.0),
        ("/redis/shards", 6.0),
        // 20 MB/s at 2 MB/s a unit, in powers of two.
        ("/queue/bytes", 20e6),
        ("/queue/units", 16.0),
        // 125 operations of 8 ms a call, at half of a lane's time.
        ("/lanes/writerSecondsPerCall", 1.0),
        ("/lanes/busy", 333.333_333),
        ("/lanes/needed", 667.0),
        ("/lanes/configured", 256.0),
        ("/lanes/configuredCarry", 38_400.0),
        ("/cosmos/requestUnits", 80_000.0),
        // 9.6 million calls a day, for 90, 400 and 730 days.
        ("/cosmos/storedBytes/transcripts", 13.824e12),
        ("/cosmos/storedBytes/analytics", 3.84e12),
        ("/cosmos/storedBytes/audit", 14.016e12),
        ("/cosmos/partitions", 634.0),
    ] {
        near(&plan, path, expected);
    }
    assert_eq!(plan["bottlenecks"][0]["what"], "one Redis server without a cluster");
    near(&plan, "/bottlenecks/0/atCalls", 18_750.0);
    assert_eq!(plan["bottleneck"], plan["bottlenecks"][0]["what"]);
    assert_eq!(plan["instances"].as_f64(), Some(plan["functions"]["httpInstances"].as_f64().unwrap() + plan["functions"]["queueInstances"].as_f64().unwrap()));
    assert_eq!(plan["bottlenecks"][1]["what"], "QUEUE_LANES=256");
    near(&plan, "/bottlenecks/1/atCalls", 38_400.0);
    assert!(plan["lanes"]["reason"].as_str().expect("a reason").contains("at least 667"), "{plan}");
}

#[test]
fn money_is_the_sum_of_what_has_a_price_and_the_rest_is_named() {
    let plan = planned("100000", &[]);
    // 211 instances of 2 GB for 8 hours on 30 days; 6 shards and 16 units for 730 hours; 800 × 100 RU/s; 31,680 GB.
    let sum = 211.0 * 2.0 * 864_000.0 * 0.000_01 + 6.0 * 730.0 + 16.0 * 730.0 + 800.0 * 730.0 * 0.01 + 31_680.0 * 0.2;
    near(&plan, "/cost/sum", sum);
    assert_eq!(plan["cost"]["withoutPrice"], serde_json::json!(["functionsMillionExecutions"]));
    assert_eq!((plan["cost"]["currency"].as_str(), plan["cost"]["note"].as_str()), (Some("EUR"), Some("round numbers")));
}

#[test]
fn settings_count_and_half_the_turns_are_half_the_work() {
    let plan_with = planned("100000", &[("QUEUE_LANES", "1024"), ("RETENTION_TRANSCRIPTS", "45")]);
    near(&plan_with, "/lanes/configuredCarry", 153_600.0);
    near(&plan_with, "/cosmos/storedBytes/transcripts", 6.912e12);
    assert!(plan_with["lanes"]["reason"].as_str().expect("a reason").contains("are enough"), "{plan_with}");
    let small = planned("1", &[]);
    for (path, least) in [("/functions/httpInstances", 1.0), ("/redis/shards", 1.0), ("/queue/units", 1.0), ("/lanes/needed", 1.0), ("/cosmos/partitions", 1.0)]
    {
        near(&small, path, least);
    }
}

#[test]
fn the_text_says_what_ends_first_and_what_has_no_price() {
    let (benchmarks, prices) = (fixture("results.json"), fixture("prices.json"));
    let files = [benchmarks.to_str().expect("a path"), prices.to_str().expect("a path")];
    let output = plan(&["--concurrent-calls", "100000", "--benchmarks", files[0], "--prices", files[1]], &[]);
    let text = String::from_utf8(output.stdout).expect("text");
    for part in ["ends first one Redis server without a cluster at 18750 calls", "QUEUE_LANES must be at least 667", "their prices are not known", "50 %"] {
        assert!(text.contains(part), "{part} in\n{text}");
    }
}

#[test]
fn without_a_benchmark_result_there_is_no_plan() {
    let output = plan(&["--concurrent-calls", "10", "--benchmarks", "/nowhere/results.json"], &[]);
    let said = String::from_utf8(output.stderr).expect("text");
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert!(said.contains("/nowhere/results.json") && said.contains("rtvoice bench paths --save"), "{said}");
    let folder = tempfile::tempdir().expect("a folder");
    let without = folder.path().join("results.json");
    let text = std::fs::read_to_string(fixture("results.json")).expect("the fixture");
    let mut report: Value = serde_json::from_str(&text).expect("JSON");
    report["perCall"] = Value::Null;
    std::fs::write(&without, report.to_string()).expect("a file");
    let output = plan(&["--concurrent-calls", "10", "--benchmarks", without.to_str().expect("a path")], &[]);
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    assert_eq!(plan(&["--concurrent-calls", "0"], &[]).status.code(), Some(2));
}

#[test]
fn the_committed_price_file_invents_nothing() {
    let text = std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("infra/prices.json")).expect("the file");
    let file: rtvoice::ops::plan::PriceFile = serde_json::from_str(&text).expect("a price file");
    for price in &file.prices {
        assert_eq!(price.price.is_some(), price.date.is_some(), "{} has a price without a date, or a date without one", price.name);
        assert!(!price.source.is_empty() && !price.unit.is_empty(), "{}", price.name);
    }
    assert!(file.note.contains("checked"), "{}", file.note);
}
