//! `docs/OPERATIONS.md`: every alert and every situation has a runbook of five parts, and every command in one runs, with the exit
//! code of a system that is well. Commands of Azure are not run.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::{Arc, Mutex};

use rtvoice::dev::host::{LocalHost, Options};
use rtvoice::dev::log::LogSink;
use rtvoice::ports::clock::{Clock as _, SystemClock};
use rtvoice::ports::documents::Container;
use rtvoice::steps::alerts::RULES;
use rtvoice::steps::breach;
use serde_json::json;
use tokio::sync::Semaphore;
use tokio::task::JoinSet;

use crate::harness::app::{Rtvoice, START};
use crate::harness::redis::{self, RedisServer};

/// Situations that no rule covers.
const SITUATIONS: [&str; 12] = [
    "redis-degraded",
    "failover",
    "key-rotation",
    "security-incident",
    "session-audit",
    "poison-messages",
    "erasure-request",
    "region-loss",
    "restore-from-backup",
    "quota-exhausted",
    "capacity-scaling",
    "cost-spike",
];
/// How the parts of a runbook begin, in their order.
const PARTS: [&str; 5] = ["**Callers.**", "**Look", "**Decide", "**Do", "**Over when**"];
/// Processes that run at once.
const AT_ONCE: usize = 4;

/// One runbook: its anchor and its lines.
type Runbook = (String, Vec<String>);

fn page() -> String {
    std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/OPERATIONS.md")).unwrap()
}

/// The sections below `## Alerts` and `## Situations`.
fn runbooks(page: &str) -> Vec<Runbook> {
    let mut found: Vec<Runbook> = Vec::new();
    let mut within = false;
    for line in page.lines() {
        if line.starts_with("# ") || line.starts_with("## ") {
            within = ["## Alerts", "## Situations"].contains(&line);
        } else if let (true, Some(anchor)) = (within, line.strip_prefix("### ")) {
            found.push((anchor.to_owned(), Vec::new()));
        } else if let (true, Some((_, lines))) = (within, found.last_mut()) {
            lines.push(line.to_owned());
        }
    }
    found
}

/// The commands in a runbook's blocks.
fn commands(lines: &[String]) -> Vec<String> {
    let (mut found, mut within) = (Vec::new(), false);
    for line in lines {
        match line.as_str() {
            "```sh" => within = true,
            "```" => within = false,
            line if within && !line.is_empty() => found.push(line.split(" # ").next().unwrap_or(line).trim().to_owned()),
            _ => {}
        }
    }
    found
}

#[test]
fn every_alert_and_every_situation_has_a_runbook_of_five_parts() {
    let page = page();
    let runbooks = runbooks(&page);
    let anchors: Vec<&str> = runbooks.iter().map(|(anchor, _)| anchor.as_str()).collect();
    for rule in RULES.iter() {
        assert!(anchors.contains(&rule.runbook.as_str()), "{}: docs/OPERATIONS.md has no runbook {}", rule.name, rule.runbook);
        assert_eq!(rule.runbook, rule.name, "one runbook for each rule");
    }
    for situation in SITUATIONS {
        assert!(anchors.contains(&situation), "docs/OPERATIONS.md has no runbook {situation}");
    }
    assert_eq!(anchors.len(), RULES.len() + SITUATIONS.len(), "{anchors:?}");
    for (anchor, lines) in &runbooks {
        let mut parts: Vec<&str> = lines.iter().filter_map(|line| PARTS.iter().find(|part| line.starts_with(**part)).copied()).collect();
        parts.dedup();
        if anchor == "security-incident" {
            // It goes by the clock, so what to decide and to do comes more than once.
            parts = PARTS.into_iter().filter(|part| parts.contains(part)).collect();
        }
        assert_eq!(parts, PARTS, "{anchor}");
        assert!(commands(lines).iter().any(|line| line.starts_with("rtvoice ")), "{anchor}: nothing to look with");
    }
    for link in page.split("](#").skip(1).filter_map(|rest| rest.split(')').next()) {
        assert!(anchors.contains(&link), "a link leads to {link}, which is not there");
    }
}

/// What stands for the words in capitals.
struct Filled {
    shared: BTreeMap<&'static str, String>,
    /// By runbook: what a command of one may change is no other's.
    own: BTreeMap<String, BTreeMap<&'static str, String>>,
}

impl Filled {
    /// The command with its placeholders filled; panics on one that is not known.
    fn fill(&self, runbook: &str, command: &str) -> String {
        let is_word = |c: char| c.is_ascii_alphanumeric() || c == '_';
        let mut filled = String::new();
        let mut rest = command;
        while !rest.is_empty() {
            let end = rest.find(|c| !is_word(c)).unwrap_or(rest.len()).max(1);
            let (word, after) = rest.split_at(if rest.starts_with(is_word) { end } else { rest.chars().next().map_or(1, char::len_utf8) });
            let value = self.own.get(runbook).and_then(|own| own.get(word)).or_else(|| self.shared.get(word));
            let is_placeholder = word.len() > 1 && word.chars().all(|c| c.is_ascii_uppercase() || c == '_') && word != "PIN";
            assert!(value.is_some() || !is_placeholder, "{runbook}: nothing is known to stand for {word} in: {command}");
            filled.push_str(value.map_or(word, String::as_str));
            rest = after;
        }
        filled
    }
}

/// A system that is well: Redis, the local host with a handler, an archived call, people, a parked message and incidents.
struct Well {
    host: LocalHost,
    environment: Vec<(String, String)>,
    /// What host and handler said.
    said: Arc<Mutex<Vec<String>>>,
    filled: Filled,
    _redis: RedisServer,
    _folder: tempfile::TempDir,
}

async fn well(runbooks: &[Runbook]) -> Well {
    let redis =
        RedisServer::start(redis::Options { aof: true, extra: vec!["--maxmemory", "256mb", "--maxmemory-policy", "noeviction"], ..redis::Options::default() });
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("rtvoice.db").display().to_string();
    let mut settings = redis.settings();
    settings.extend([("ENVIRONMENT", "test".to_owned()), ("EMBEDDED_PATH", file), ("APP_PREFIX", format!("r-{}", &SystemClock.new_id()[..12]))]);
    let app = super::app_on(&settings);
    app.clock.advance_millis(SystemClock.now().since(START));

    let mut own: BTreeMap<String, BTreeMap<&'static str, String>> = BTreeMap::new();
    for (number, (anchor, lines)) in runbooks.iter().enumerate() {
        let all = lines.join("\n");
        let own = own.entry(anchor.clone()).or_default();
        if all.contains("USER") {
            let (person, call) = (format!("person-{number}"), format!("call-of-{number}"));
            let turn = json!({"turnId": "t1", "text": "it is me", "context": {"user_id": person}});
            app.post(&format!("/api/calls/{call}/turns"), &turn).await.ok();
            app.event("CallDisconnected", &call, "e2").await.ok();
            own.insert("USER", app.token(&person).await.to_string());
        }
        if all.contains("events send disconnected") {
            let call = format!("call-to-end-{number}");
            app.event("CallConnected", &call, "e1").await.ok();
            app.turn(&call, "t1", "Good evening").await.ok();
            own.insert("CALL", call);
        }
        if all.contains("BREACH") {
            let opened = breach::open(&app.app, serde_json::from_value(json!({"by": "test", "nature": "a rehearsal"})).unwrap()).await.unwrap();
            own.insert("BREACH", opened.id);
        }
    }
    app.turn("call-1", "t1", "Hello").await.ok();
    app.event("CallDisconnected", "call-1", "e2").await.ok();
    app.event("CallConnected", "call-open", "e1").await.ok();
    app.turn("call-open", "t1", "Good morning").await.ok();
    app.quiesce().await;
    app.deliver_queue().await;
    assert!(app.archive("call-1").await.is_some());
    let (day, id) = parked(&app).await;
    app.app.audit.close().await.unwrap();
    app.finish_with(0, 1).await;

    let phrases = folder.path().join("phrases.txt");
    std::fs::write(&phrases, "Thank you for calling.\nOne moment please.\n").unwrap();
    let environment: Vec<(String, String)> = settings.into_iter().map(|(name, value)| (name.to_owned(), value)).collect();
    let said = Arc::new(Mutex::new(Vec::new()));
    let (heard, executable) = (Arc::clone(&said), Some(env!("CARGO_BIN_EXE_rtvoice").into()));
    let log = LogSink::new(move |_, line| heard.lock().unwrap().push(line.to_owned()));
    let options = Options { port: 0, environment: environment.clone(), executable, log, ..Options::new(env!("CARGO_MANIFEST_DIR").into()) };
    let host = LocalHost::start(options).await.expect("it starts");
    let shared =
        BTreeMap::from([("TARGET", host.url().to_owned()), ("CALL", "call-1".to_owned()), ("FILE", phrases.display().to_string()), ("DAY", day), ("ID", id)]);
    Well { host, environment, said, filled: Filled { shared, own }, _redis: redis, _folder: folder }
}

/// A sound message that was given up because something was away.
async fn parked(app: &Rtvoice) -> (String, String) {
    app.turn("call-parked", "t1", "Hello").await.ok();
    app.quiesce().await;
    for _ in 0..rtvoice::ports::queue::embedded::MAX_DELIVERIES {
        for delivery in app.embedded_queue().receive(1, std::time::Duration::from_secs(60)).await.unwrap() {
            app.embedded_queue().abandon(&delivery).await.unwrap();
        }
    }
    assert_eq!(app.deliver_dead().await, 1);
    let parked = app.documents_in(Container::DeadLetters).pop().unwrap();
    let text = |name: &str| parked[name].as_str().unwrap().to_owned();
    (text("day"), text("id"))
}

/// Runs a command as an operator types it; what it said, where it did not end with 0.
async fn run(command: &str, environment: &[(String, String)], path: &str) -> Option<String> {
    let mut shell = tokio::process::Command::new("sh");
    shell.args(["-c", command]).env_clear().envs(environment.iter().cloned()).env("PATH", path).kill_on_drop(true);
    let output = tokio::time::timeout(std::time::Duration::from_secs(120), shell.output()).await.expect("it ends").unwrap();
    let said = || format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    (output.status.code() != Some(0)).then(|| format!("`{command}` ended with {:?}:\n{}", output.status.code(), said()))
}

#[tokio::test(flavor = "multi_thread")]
async fn every_command_of_a_runbook_runs() {
    let mut runbooks = runbooks(&page());
    runbooks.sort_by_key(|(anchor, _)| anchor != "poison-messages");
    let well = well(&runbooks).await;
    let binary = Path::new(env!("CARGO_BIN_EXE_rtvoice")).parent().unwrap().display().to_string();
    let environment = well.environment.clone();
    let (mut seen, mut azure, mut failed) = (BTreeSet::new(), BTreeSet::new(), Vec::new());
    let (seats, mut tasks) = (Arc::new(Semaphore::new(AT_ONCE)), JoinSet::new());
    for (anchor, lines) in &runbooks {
        // A parked message that nobody has dealt with is a fault, and says so in the others.
        let first = anchor == "poison-messages";
        let mut ours = Vec::new();
        for command in commands(lines) {
            if command.starts_with("az ") {
                azure.insert(command);
                continue;
            }
            assert!(command.starts_with("rtvoice "), "{anchor}: neither ours nor Azure's: {command}");
            let filled = well.filled.fill(anchor, &command);
            if seen.insert(filled.clone()) {
                ours.push(filled);
            }
        }
        let (anchor, seats, environment, path) = (anchor.clone(), Arc::clone(&seats), environment.clone(), format!("{binary}:/usr/local/bin:/usr/bin:/bin"));
        // What one runbook says is done in its order.
        let work = async move {
            let mut failed = Vec::new();
            for command in ours {
                let _seat = seats.acquire().await.unwrap();
                failed.extend(run(&command, &environment, &path).await.map(|said| format!("{anchor}: {said}")));
            }
            failed
        };
        if first { failed.extend(work.await) } else { drop(tasks.spawn(work)) }
    }
    println!("{} commands are run; these need Azure, and are not: {azure:#?}", seen.len());
    assert!(seen.len() > 50 && azure.len() > 10, "{} and {}", seen.len(), azure.len());
    failed.extend(tasks.join_all().await.into_iter().flatten());
    let errors: Vec<String> = well.said.lock().unwrap().iter().filter(|line| line.contains("ERROR")).cloned().collect();
    assert!(failed.is_empty(), "{}\n{}", failed.join("\n"), errors.join("\n"));
    well.host.stop().await;
}
