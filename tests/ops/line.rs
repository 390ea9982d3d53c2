//! The command line as a whole: every command says all of itself, the README's table is in step, completions load.

use std::collections::BTreeMap;
use std::process::{Command, Output};

use serde_json::Value;

fn rtvoice(words: &[&str], settings: &[(&str, &str)]) -> Output {
    let folder = tempfile::tempdir().unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_rtvoice"));
    command.args(words).env_clear().env("ENVIRONMENT", "test").env("EMBEDDED_PATH", folder.path().join("rtvoice.db"));
    command.env("FUNCTIONS_APP_ROOT_PATH", env!("CARGO_MANIFEST_DIR")).envs(settings.iter().copied());
    command.output().unwrap()
}

#[track_caller]
fn text(words: &[&str]) -> String {
    let output = rtvoice(words, &[]);
    assert_eq!(output.status.code(), Some(0), "{words:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

/// The names below `Commands:` of a help.
fn commands(help: &str) -> Vec<String> {
    let lines = help.lines().skip_while(|line| *line != "Commands:").skip(1).take_while(|line| !line.is_empty());
    let names = lines.filter(|line| line.starts_with("  ") && !line.starts_with("   ")).filter_map(|line| line.split_whitespace().next());
    names.filter(|name| *name != "help").map(str::to_owned).collect()
}

/// The help of this command and of all below it, by their words.
fn helps(words: &[&str], all: &mut BTreeMap<String, String>) {
    let help = text(&[words, &["--help"]].concat());
    for name in commands(&help) {
        helps(&[words, &[name.as_str()]].concat(), all);
    }
    all.insert(words.join(" "), help);
}

/// What runs until it is ended, prints a script, or prints lines of JSON alone.
const WITHOUT_JSON: [&str; 5] = ["serve", "dev", "completions", "pii detect", "pii mask"];

#[test]
fn every_command_tells_its_exit_codes_takes_json_and_stands_in_the_readme() {
    let readme = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/README.md")).unwrap();
    let mut all = BTreeMap::new();
    helps(&[], &mut all);
    assert!(all.len() > 60, "{:?}", all.keys());
    for (name, help) in &all {
        let codes = help.split("Exit codes:").nth(1).unwrap_or_default();
        assert!(codes.contains("0 ") && codes.contains("2 "), "rtvoice {name} tells no exit codes: {help}");
        let first = name.split(' ').next().unwrap_or_default();
        let row = readme.lines().any(|line| line.starts_with("| `rtvoice") && line.contains(&format!("`rtvoice {first}")));
        assert!(row, "README's table of commands has no `rtvoice {first}`");
        let is_one = commands(help).is_empty();
        assert!(!is_one || help.contains("--json") || WITHOUT_JSON.contains(&name.as_str()), "rtvoice {name} takes no --json: {help}");
    }
}

#[test]
fn json_may_stand_before_the_command_or_behind_it() {
    for words in [
        &["ttl", "audit"][..],
        &["redis", "usage"],
        &["calls", "list"],
        &["outbox", "list"],
        &["dlq", "list"],
        &["tts", "stats"],
        &["events", "list"],
        &["breach", "list"],
        &["audit", "verify"],
        &["keys", "status"],
        &["alerts", "list"],
    ] {
        let (behind, before) = (text(&[words, &["--json"]].concat()), text(&[&words[..1], &["--json"], &words[1..]].concat()));
        for told in [behind, before] {
            assert!(serde_json::from_str::<Value>(&told).is_ok(), "{words:?}: {told}");
        }
    }
}

#[test]
fn with_json_a_failure_is_json_too() {
    for (words, code) in [
        (&["calls", "show", "call-1", "--json"][..], 1),
        (&["dlq", "--json", "show", "x"], 1),
        (&["transcript", "call-1", "--json"], 1),
        (&["erase-user", "--json"], 2),
        (&["breach", "show", "b-unknown", "--json"], 1),
        (&["alerts", "silence", "redis-slow", "--why", "a test", "--json"], 2),
        (&["alerts", "test", "nonsense", "--json"], 2),
        (&["bench", "--json"], 2),
        (&["calls", "list", "--json", "--nonsense"], 2),
    ] {
        let output = rtvoice(words, &[]);
        assert_eq!(output.status.code(), Some(code), "{words:?}: {output:?}");
        let told: Value = serde_json::from_slice(&output.stdout).unwrap_or_else(|e| panic!("{words:?}: {e}: {output:?}"));
        let error = told["error"].as_str().unwrap_or_default();
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(!error.is_empty() && said.contains(error), "{words:?}: {told} {said}");
        let plain: Vec<&str> = words.iter().copied().filter(|word| *word != "--json").collect();
        assert!(rtvoice(&plain, &[]).stdout.is_empty(), "{plain:?}");
    }
}

#[test]
fn bench_alone_measures_the_paths() {
    let help = text(&["bench", "--help"]);
    assert!(help.contains("--seconds") && help.contains("rtvoice bench paths"), "{help}");
    let said = |words: &[&str]| String::from_utf8(rtvoice(words, &[]).stderr).unwrap();
    assert!(said(&["bench", "--seconds", "1"]).contains("REDIS_HOST"), "it is no error of usage");
    assert_eq!(said(&["bench", "--seconds", "1"]), said(&["bench", "paths", "--seconds", "1"]));
}

#[test]
fn completions_name_every_command() {
    for shell in ["bash", "zsh", "fish"] {
        let script = text(&["completions", shell]);
        for name in ["doctor", "outbox", "flush", "transcript"] {
            assert!(script.contains(name), "{shell}: {name}");
        }
    }
    let folder = tempfile::tempdir().unwrap();
    let script = folder.path().join("rtvoice.bash");
    std::fs::write(&script, text(&["completions", "bash"])).unwrap();
    let loaded = Command::new("bash").arg("-n").arg(&script).output().unwrap();
    assert!(loaded.status.success(), "{loaded:?}");
    assert_eq!(rtvoice(&["completions", "tcsh"], &[]).status.code(), Some(2));
}

#[test]
fn answers_are_exit_codes() {
    let code = |words: &[&str], settings: &[(&str, &str)]| {
        let output = rtvoice(words, settings);
        let said = format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
        assert!(!said.contains("panicked"), "{words:?}: {said}");
        output.status.code()
    };
    for fine in [
        &["ttl", "audit"][..],
        &["redis", "usage"],
        &["calls", "list"],
        &["outbox", "list"],
        &["outbox", "flush"],
        &["dlq", "list"],
        &["tts", "stats"],
        &["tts", "purge"],
        &["config"],
        &["config", "--dev"],
        &["events", "list"],
        &["health"],
        &["doctor", "--quiet"],
    ] {
        assert_eq!(code(fine, &[]), Some(0), "{fine:?}");
    }
    for no in [
        &["calls", "show", "call-1"][..],
        &["dlq", "show", "2026-03-10", "x"],
        &["events", "send", "turn", "--target", "http://127.0.0.1:9"],
        &["health", "--target", "http://127.0.0.1:9"],
    ] {
        assert_eq!(code(no, &[]), Some(1), "{no:?}");
    }
    for wrong in [
        &["calls", "show", "no {id}"][..],
        &["calls", "list", "--from", "99:0"],
        &["dlq", "drop", "2026-03-10"],
        &["dlq", "drop"],
        &["events", "send", "nonsense"],
        &["replay", "/nowhere"],
        &["tts", "warm", "/nowhere"],
    ] {
        assert_eq!(code(wrong, &[]), Some(2), "{wrong:?}");
    }
    for wrong in [&["config"][..], &["doctor"], &["ttl", "audit"]] {
        assert_eq!(code(wrong, &[("QUEUE_LANES", "0")]), Some(2), "{wrong:?}");
    }
}

#[test]
fn the_doctor_tells_all_wrong_settings_at_once() {
    let output = rtvoice(&["doctor", "--json"], &[("QUEUE_LANES", "0"), ("STORE_PII", "plain"), ("REDIS_PORT", "1")]);
    assert_eq!(output.status.code(), Some(2));
    let report: Value = serde_json::from_slice(&output.stdout).unwrap();
    let fixes: Vec<&str> = report["findings"].as_array().unwrap().iter().filter_map(|finding| finding["fix"].as_str()).collect();
    for fix in ["set QUEUE_LANES=256", "set STORE_PII=masked", "set REDIS_HOST="] {
        assert!(fixes.iter().any(|told| told.starts_with(fix)), "{fix}: {fixes:?}");
    }
}
