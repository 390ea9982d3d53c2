//! `rtvoice bench` measures and leaves nothing behind: `privacy` both arms, on a file and on Redis, `paths` every row.

use serde_json::Value;

use crate::harness::redis::{RedisServer, Reply};

fn bench(settings: &[(&'static str, String)]) -> Value {
    let folder = tempfile::tempdir().expect("a folder");
    let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_rtvoice"));
    command.args(["bench", "privacy", "--turns", "40", "--json"]).env_clear().env("PATH", "/usr/local/bin:/usr/bin:/bin");
    command.env("EMBEDDED_PATH", folder.path().join("rtvoice.db")).env("FUNCTIONS_APP_ROOT_PATH", env!("CARGO_MANIFEST_DIR"));
    let output = command.envs(settings.iter().map(|(name, value)| (*name, value.as_str()))).output().expect("it runs");
    assert!(output.status.success(), "{output:?}");
    assert_eq!(std::fs::read_dir(folder.path()).expect("a folder").count(), 0, "its files are gone");
    serde_json::from_slice(&output.stdout).expect("one JSON object")
}

fn check(measured: &Value, state: &str) {
    assert_eq!((measured["state"].as_str(), measured["turns"].as_u64()), (Some(state), Some(40)));
    for arm in ["on", "off"] {
        let (p50, p95) = (measured[arm]["p50Ms"].as_f64().expect("a time"), measured[arm]["p95Ms"].as_f64().expect("a time"));
        assert!(p50 > 0.0 && p50 <= p95, "{measured}");
    }
    assert!(measured["p50Ratio"].as_f64().is_some_and(|ratio| ratio > 0.1 && ratio < 10.0), "{measured}");
}

#[test]
fn it_measures_a_file() {
    check(&bench(&[]), "embedded");
}

#[test]
fn it_measures_redis() {
    let redis = RedisServer::single();
    check(&bench(&redis.settings()), "redis");
}

#[test]
fn it_refuses_production() {
    let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_rtvoice"));
    let folder = tempfile::tempdir().expect("a folder");
    command.args(["bench", "privacy"]).env_clear().env("ENVIRONMENT", "staging").env("ALLOW_EMBEDDED", "true");
    command.env("KEY_VAULT_URL", "http://127.0.0.1:1").env("EMBEDDED_PATH", folder.path().join("rtvoice.db"));
    let output = command.output().expect("it runs");
    assert_eq!(output.status.code(), Some(2), "{output:?}");
}

/// A short run of these rows on a server of its own.
fn paths(rows: &str, more: &[&str]) -> Value {
    let (redis, folder) = (RedisServer::single(), tempfile::tempdir().expect("a folder"));
    let saved = folder.path().join("results.json");
    let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_rtvoice"));
    command.args(["bench", "paths", "--json", "--seconds", "0.4", "--only", rows, "--save"]).arg(&saved).args(more).env_clear();
    command
        .env("PATH", "/usr/local/bin:/usr/bin:/bin")
        .env("EMBEDDED_PATH", folder.path().join("rtvoice.db"))
        .env("FUNCTIONS_APP_ROOT_PATH", env!("CARGO_MANIFEST_DIR"));
    let output = command.envs(redis.settings()).output().expect("it runs");
    assert!(output.status.success(), "{output:?}");
    let report: Value = serde_json::from_slice(&output.stdout).expect("one JSON object");
    assert_eq!(report, serde_json::from_slice::<Value>(&std::fs::read(&saved).expect("the file")).expect("JSON"));
    assert_eq!(std::fs::read_dir(folder.path()).expect("a folder").count(), 1, "its files are gone, but for the one that was asked for");
    assert_eq!(redis.wire().command(&["DBSIZE"]), Reply::Integer(0), "its keys are gone");
    report
}

fn rows_of<'a>(report: &'a Value, name: &str) -> Vec<&'a Value> {
    let rows: Vec<&Value> = report["rows"].as_array().expect("rows").iter().filter(|row| row["row"] == name).collect();
    assert!(!rows.is_empty(), "{name} has no row in {report}");
    rows
}

fn assert_sound(report: &Value, names: &[&str]) {
    for row in names.iter().flat_map(|name| rows_of(report, name)) {
        assert!(row["figure"].as_f64().is_some_and(|figure| figure > 0.0), "{row}");
        if let Some(limit) = row["limit"].as_f64() {
            assert!(limit > 0.0 && row["ratio"].as_f64().is_some_and(|ratio| ratio > 0.0), "{row}");
        }
        assert_eq!(row["goal"].as_str().expect("a goal").is_empty(), row["met"].is_null(), "{row}");
    }
}

#[test]
fn paths_measures_turns_and_what_surrounds_them_beside_their_limits() {
    let report = paths("turns,http,envelope,script", &[]);
    assert_sound(&report, &["turns", "http", "envelope", "script"]);
    assert_eq!(rows_of(&report, "turns").len(), 8, "both arms");
    assert!(rows_of(&report, "turns")[0]["note"].as_str().expect("a note").contains("100 % of the phrases were cached"), "{report}");
    assert_eq!((report["perCall"].is_null(), report["machine"]["build"].as_str()), (true, Some("debug")));
}

#[test]
fn paths_measures_growth_audio_starts_and_memory() {
    let report = paths("growth,tts,start,memory,telemetry,pure", &["--long-turns", "60"]);
    assert_sound(&report, &["growth", "tts", "start", "memory", "telemetry", "pure"]);
    let traffic = rows_of(&report, "growth").into_iter().find(|row| row["what"] == "turn 60 beside turn 30, Redis traffic").expect("the row");
    // Turn 60 reads as many entries as turn 30.
    assert!(traffic["ratio"].as_f64().is_some_and(|ratio| ratio > 0.9 && ratio < 1.1), "{traffic}");
}

#[test]
fn paths_says_what_a_call_costs_so_that_it_can_be_planned() {
    let report = paths("archive,call", &[]);
    assert_sound(&report, &["archive", "call"]);
    let call = &report["perCall"];
    let figure = |name: &str| call[name].as_f64().unwrap_or_else(|| panic!("{name} in {call}"));
    assert_eq!(call["turns"], 40);
    // Load, commit, phrase and settling of each turn, and what the two events take.
    assert!((40.0 * 3.0..40.0 * 8.0).contains(&figure("redisOperations")), "{call}");
    assert!((figure("queueMessages") - 41.0).abs() < 10.0, "each turn, the end, and revisions: {call}");
    assert!(figure("writerOperations") >= 41.0 && figure("writerOperations") <= figure("documentOperations"), "{call}");
    assert!(call["storedBytes"]["transcripts"].as_f64().is_some_and(|bytes| bytes > 4000.0), "{call}");
    assert!(figure("redisBytes") > 5000.0 && figure("redisSummaryBytes") > 100.0 && figure("redisSummaryBytes") < figure("redisBytes"), "{call}");
}

#[test]
fn paths_needs_a_redis_and_refuses_production() {
    let run = |settings: &[(&str, &str)]| {
        let folder = tempfile::tempdir().expect("a folder");
        let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_rtvoice"));
        command.args(["bench", "paths"]).env_clear().env("EMBEDDED_PATH", folder.path().join("rtvoice.db")).envs(settings.iter().copied());
        let output = command.output().expect("it runs");
        assert_eq!(std::fs::read_dir(folder.path()).expect("a folder").count(), 0);
        (output.status.code(), String::from_utf8(output.stderr).expect("text"))
    };
    let (code, said) = run(&[]);
    assert!(code == Some(2) && said.contains("REDIS_HOST"), "{code:?} {said}");
    let (code, said) = run(&[("REDIS_HOST", "127.0.0.1"), ("ENVIRONMENT", "staging"), ("ALLOW_EMBEDDED", "true"), ("KEY_VAULT_URL", "http://127.0.0.1:1")]);
    assert!(code == Some(2) && said.contains("PRIVACY"), "{code:?} {said}");
    let (code, _) = run(&[("REDIS_HOST", "127.0.0.1"), ("REDIS_CLUSTER", "true")]);
    assert_eq!(code, Some(2));
}

#[test]
fn the_page_shows_the_figures_of_the_committed_run() {
    let read = |path: &str| std::fs::read_to_string(std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join(path)).expect(path);
    let report: rtvoice::ops::bench::Report = serde_json::from_str(&read("benches/results.json")).expect("a report");
    assert!(report.per_call.is_some() && report.machine.build == "release", "rtvoice plan reads it");
    let page = read("docs/PERFORMANCE.md");
    for row in &report.rows {
        let (figure, limit) = (rtvoice::ops::bench::number(row.figure), row.limit.map(rtvoice::ops::bench::number).unwrap_or_default());
        let met = match row.met {
            None => "",
            Some(true) => "yes",
            Some(false) => "no",
        };
        let told = page.lines().any(|line| {
            let mut cells = line.split('|').map(str::trim);
            cells.any(|cell| cell == row.what)
                && line.contains(&format!("| {figure} {} ", row.unit))
                && line.contains(&limit)
                && line.ends_with(&format!("| {met} |").replace("|  |", "| |"))
        });
        assert!(told, "docs/PERFORMANCE.md does not say {}: {figure} {}, limit {limit}, met {met:?}", row.what, row.unit);
    }
}
