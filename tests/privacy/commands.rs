//! `rtvoice audit` and `rtvoice breach` as an operator runs them.

use std::process::{Command, Output};

use serde_json::{Value, json};
use tempfile::TempDir;

/// A folder with stores of its own.
struct Place(TempDir);

impl Place {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    fn run(&self, arguments: &[&str]) -> Output {
        Command::new(env!("CARGO_BIN_EXE_rtvoice"))
            .args(arguments)
            .env_clear()
            .env("ENVIRONMENT", "test")
            .env("EMBEDDED_PATH", self.0.path().join("rtvoice.db"))
            .env("FUNCTIONS_APP_ROOT_PATH", env!("CARGO_MANIFEST_DIR"))
            .output()
            .unwrap()
    }

    /// What a command that goes well prints, as JSON.
    #[track_caller]
    fn json(&self, arguments: &[&str]) -> Value {
        let output = self.run(arguments);
        assert!(output.status.success(), "{arguments:?}: {output:?}");
        serde_json::from_slice(&output.stdout).unwrap()
    }

    #[track_caller]
    fn fails(&self, arguments: &[&str], code: i32, words: &str) {
        let output = self.run(arguments);
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(code), "{arguments:?}: {said}");
        assert!(said.contains(words), "{arguments:?}: {said}");
    }
}

#[test]
fn a_breach_is_carried_at_the_command_line() {
    let place = Place::new();
    let opened = place.json(&["breach", "open", "--set", "nature=A laptop was stolen", "--set", "systems=[\"laptop\"]"]);
    let id = opened["id"].as_str().unwrap();
    assert_eq!((&opened["state"], &opened["systems"], &opened["timeline"][0]["by"]), (&json!("detected"), &json!(["laptop"]), &json!("cli")));
    place.fails(&["breach", "aware", id, "--set", "reason=x"], 1, "the breach is detected: allowed is triage");
    place.json(&["breach", "triage", id, "--set", "note=looked", "--set", "by=dpo"]);
    place.fails(&["breach", "aware", id], 2, "reason must be there");
    place.fails(&["breach", "triage", id, "--set", "by=system"], 2, "by must be");
    place.fails(&["breach", "show", "b-unknown"], 1, "no such breach");
    place.fails(&["breach", "open", "--set", "nature"], 2, "FIELD=VALUE");
    let file = place.0.path().join("aware.json");
    std::fs::write(&file, json!({"reason": "certain"}).to_string()).unwrap();
    let aware = place.json(&["breach", "aware", id, "--json", file.to_str().unwrap()]);
    assert_eq!(aware["state"], "aware");
    let list = String::from_utf8(place.run(&["breach", "list"]).stdout).unwrap();
    assert!(list.contains(id) && list.contains(aware["dueAt"].as_str().unwrap()), "{list}");
    assert_eq!(place.json(&["breach", "export"])[0]["id"], id);
    let table = String::from_utf8(place.run(&["breach", "export", "--format", "csv"]).stdout).unwrap();
    assert!(table.starts_with("\"id\",") && table.contains(id), "{table}");
    // Who did what is in the audit log, and the scope query finds it there.
    let scope = place.json(&["breach", "scope", id, "--set", "from=2026-01-01T00:00:00Z", "--set", "actor=operator:dpo"]);
    assert_eq!((&scope["entries"], &scope["keys"][0]["actions"]), (&json!(1), &json!(["breach.triage"])));
}

#[test]
fn verification_exits_1_on_a_finding_and_opens_an_incident() {
    let place = Place::new();
    for _ in 0..3 {
        place.json(&["breach", "open"]);
    }
    let sound = place.json(&["audit", "verify", "--json"]);
    assert_eq!((&sound["findings"], &sound["streams"]), (&json!([]), &json!(3)));
    let file = rusqlite::Connection::open(place.0.path().join("rtvoice.db")).unwrap();
    let sql = "UPDATE documents SET body = replace(body, '\"count\":1', '\"count\":2') WHERE container = 'audit' AND partition = (
        SELECT min(partition) FROM documents WHERE container = 'audit' AND id = '00000000000000000001')";
    assert!(file.execute(sql, []).unwrap() > 0);
    drop(file);
    let output = place.run(&["audit", "verify", "--json"]);
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    let found: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!((&found["findings"][0]["what"], &found["findings"][0]["seq"]), (&json!("edited"), &json!(1)));
    let incident = found["incident"].as_str().unwrap();
    assert_eq!(place.json(&["breach", "show", incident])["source"], "security:audit-break");
    let text = place.run(&["audit", "verify"]);
    assert!(String::from_utf8_lossy(&text.stdout).contains(": edited: "), "{text:?}");
}
