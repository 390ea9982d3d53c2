//! The command line as a whole: every command says all of itself, the README's table is in step, completions load.

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

#[test]
fn every_command_tells_its_exit_codes_and_stands_in_the_readme() {
    let readme = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/README.md")).unwrap();
    let all = commands(&text(&["--help"]));
    for new in ["doctor", "health", "config", "calls", "outbox", "dlq", "ttl", "redis", "tts", "events", "replay", "completions"] {
        assert!(all.iter().any(|name| name == new), "{new} is missing in {all:?}");
    }
    for name in &all {
        let row = readme.lines().any(|line| line.starts_with("| `rtvoice") && line.contains(&format!("`rtvoice {name}")));
        assert!(row, "README's table of commands has no `rtvoice {name}`");
        let help = text(&[name, "--help"]);
        let below = commands(&help);
        let helps: Vec<String> = if below.is_empty() { vec![help] } else { below.iter().map(|sub| text(&[name, sub, "--help"])).collect() };
        // Those that were there before say it on their first page alone.
        let first = text(&[name, "--help"]);
        for help in helps.iter().filter(|help| commands(help).is_empty()) {
            assert!(help.contains("Exit codes:") || first.contains("Exit codes:"), "rtvoice {name}: {help}");
        }
    }
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
