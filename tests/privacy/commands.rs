//! `rtvoice audit` and `rtvoice breach` as an operator runs them.

use std::process::{Child, Command, Output, Stdio};

use rtvoice::ports::clock::{Clock as _, SystemClock};
use rtvoice::ports::state::redis::AsyncAzureRedisManager;
use rtvoice::steps::watch::Windows;
use rtvoice::telemetry::label::SecurityKind;
use rtvoice::telemetry::metric::SECURITY_EVENTS;
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::harness::app::Rtvoice;
use crate::harness::redis::{RedisServer, config_for};

/// A folder with stores of its own.
struct Place(TempDir);

impl Place {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_rtvoice"));
        command.args(arguments).env_clear().env("ENVIRONMENT", "test").env("EMBEDDED_PATH", self.0.path().join("rtvoice.db"));
        command.env("FUNCTIONS_APP_ROOT_PATH", env!("CARGO_MANIFEST_DIR"));
        command
    }

    fn run(&self, arguments: &[&str]) -> Output {
        self.command(arguments).output().unwrap()
    }

    /// Runs a command of which nobody reads what it prints: it must end with this code and without a word.
    #[track_caller]
    fn unread(&self, mut command: Command, code: i32) {
        let mut child: Child = command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        drop(child.stdout.take());
        let output = child.wait_with_output().unwrap();
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!((output.status.code(), said.contains("panicked")), (Some(code), false), "{command:?}: {said}");
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
    let aware = place.json(&["breach", "aware", id, "--fields", file.to_str().unwrap(), "--json"]);
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
        SELECT min(partition) FROM documents WHERE container = 'audit' AND id = '00000000000000000001' AND body LIKE '%breach.open%')";
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

#[tokio::test]
async fn those_who_serve_hear_of_a_finding() {
    let (place, server) = (Place::new(), RedisServer::single());
    place.json(&["breach", "open"]);
    let file = rusqlite::Connection::open(place.0.path().join("rtvoice.db")).unwrap();
    assert!(file.execute("UPDATE documents SET body = replace(body, '\"count\":1', '\"count\":2') WHERE container = 'audit'", []).unwrap() > 0);
    drop(file);
    let mut settings = server.settings();
    let output = place.command(&["audit", "verify"]).envs(settings.iter().map(|(name, value)| (*name, value.as_str()))).output().unwrap();
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    settings.extend([("ENVIRONMENT", "test".to_owned()), ("APP_PREFIX", "rtvoice".to_owned())]);
    let board = AsyncAzureRedisManager::new(&config_for(&settings), None).unwrap();
    let told = Windows::new(1.0).view(&board, SystemClock.now()).await;
    assert_eq!((told.shared, told.last(300).count(SECURITY_EVENTS, SecurityKind::AuditBreak)), (true, 1), "{output:?}");
}

#[test]
fn a_key_is_rotated_for_those_who_have_one_alone() {
    let place = Place::new();
    let nobody = format!("u1-{:032x}", 11);
    place.fails(&["keys", "rotate", "user", "--user", &nobody], 1, "nobody with this token has a key");
    place.fails(&["keys", "rotate", "user", "--user", "nonsense"], 2, "");
    let status = place.json(&["keys", "status", "--json"]);
    assert_eq!((&status["subjects"], &status["userKeys"]), (&json!(0), &json!(0)), "none was made");
}

/// `rtvoice ... | head -1`: whoever stops reading stops nothing else.
#[tokio::test]
async fn a_reader_that_goes_away_is_no_failure() {
    let rt = Rtvoice::start();
    // The commands go by the real time: by that, what is written at the time of the tests has expired.
    rt.clock.advance_millis(SystemClock.now().since(rt.clock_now()));
    rt.turn("call-a", "t1", "hello").await.ok();
    rt.event("CallDisconnected", "call-a", "e2").await.ok();
    rt.deliver_queue().await;
    rt.enqueue("no message").await;
    rt.deliver_queue().await;
    assert_eq!(rt.deliver_dead().await, 1);
    let parked = rt.parked().await.remove(0);
    rt.app.audit.close().await.unwrap();
    let redis = RedisServer::single();
    let place = Place::new();
    let id = place.json(&["breach", "open"])["id"].as_str().unwrap().to_owned();
    let user = format!("u1-{:032x}", 12);
    let commands: &[&[&str]] = &[
        &["audit", "verify"],
        &["audit", "verify", "--json"],
        &["breach", "open"],
        &["breach", "list"],
        &["breach", "show", &id],
        &["breach", "scope", &id, "--set", "from=2026-01-01T00:00:00Z"],
        &["breach", "export"],
        &["breach", "export", "--format", "csv"],
        &["keys", "status"],
        &["keys", "rotate", "epoch"],
        &["keys", "reencrypt"],
        &["erase-user", "--user", &user],
        &["erase-user", "--sweep"],
        &["pii", "scan"],
        &["pii", "detect"],
        &["pii", "mask"],
        &["bench", "privacy", "--turns", "40"],
        &["--help"],
    ];
    for arguments in commands {
        place.unread(place.command(arguments), 0);
    }
    let [day, letter] = ["day", "id"].map(|field| parked[field].as_str().unwrap());
    for arguments in [&["transcript", "call-a"] as &[&str], &["transcript", "call-a", "--json"], &["parked", day, letter]] {
        let mut command = place.command(arguments);
        command.env("EMBEDDED_PATH", &rt.app.config.embedded_path).env("ENVIRONMENT", rt.app.config.environment.as_str());
        place.unread(command, 0);
    }
    let mut migrate = place.command(&["migrate", "--dry-run"]);
    migrate.envs(redis.settings());
    place.unread(migrate, 0);
    place.unread(place.command(&["demo"]), 0);
    // Where nobody hears of a failure either, the exit code tells of it.
    let mut failing = place.command(&["breach", "show", "b-unknown"]);
    let mut child = failing.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    drop((child.stdout.take(), child.stderr.take()));
    assert_eq!(child.wait().unwrap().code(), Some(1));
    rt.finish_with(0, 1).await;
}
