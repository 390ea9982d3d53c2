//! The function app's files: against the published schemas, against the typed structs, against what is shipped.

use std::path::{Path, PathBuf};

use jsonschema::Draft;
use rtvoice::error::Kind;
use rtvoice::host::manifest::{AuthLevel, DataType, Manifest, Trigger, expand, span};
use serde_json::{Value, json};

const EXPECTED: &[&str] = &[
    "AlertEvaluator",
    "AuthState",
    "BreachClock",
    "BreachWorkflow",
    "CallConnected",
    "CallDisconnected",
    "CallEvents",
    "CallWorker",
    "ComplianceReport",
    "ComplianceReports",
    "ConversationTurn",
    "Dashboard",
    "EraseUser",
    "ErasureRunner",
    "Erasures",
    "Health",
    "Metrics",
    "OutboxRelay",
    "PiiScan",
    "Ready",
    "RetentionPurge",
    "SystemMetrics",
    "TranscriptDeadLetter",
    "TranscriptWriter",
    "TtsCache",
    "UserLookup",
    "UserProfile",
    "WeeklyReport",
    "WorkerAffinity",
    "WorkerHeartbeat",
];

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

fn read(path: impl AsRef<Path>) -> Value {
    let text = std::fs::read_to_string(root().join(path.as_ref())).unwrap_or_else(|e| panic!("{}: {e}", path.as_ref().display()));
    serde_json::from_str(&text).unwrap_or_else(|e| panic!("{}: {e}", path.as_ref().display()))
}

/// The function.json schema calls itself draft 4 but uses `const`: read as draft 7 its bindings work.
fn validator(name: &str) -> jsonschema::Validator {
    let mut schema = read(Path::new("tests/fixtures/schemas").join(name));
    schema["$schema"] = json!("http://json-schema.org/draft-07/schema#");
    jsonschema::options().with_draft(Draft::Draft7).build(&schema).expect("a schema that stands alone")
}

fn complaints(validator: &jsonschema::Validator, value: &Value) -> Vec<String> {
    validator.iter_errors(value).map(|e| format!("{}: {e}", e.instance_path)).collect()
}

/// A copy of the app's files in which one text is replaced.
fn broken(file: &str, from: &str, to: &str) -> (tempfile::TempDir, String) {
    let copy = tempfile::tempdir().expect("a folder");
    for name in ["host.json".to_owned()].into_iter().chain(EXPECTED.iter().map(|f| format!("{f}/function.json"))) {
        let mut text = std::fs::read_to_string(root().join(&name)).expect("a file");
        if name == file {
            assert!(text.contains(from), "{file} holds {from}");
            text = text.replacen(from, to, 1);
        }
        let target = copy.path().join(&name);
        std::fs::create_dir_all(target.parent().expect("a folder")).expect("a folder");
        std::fs::write(target, text).expect("written");
    }
    let error = Manifest::read(copy.path()).expect_err("refused");
    assert_eq!(error.kind, Kind::Setting);
    (copy, error.detail)
}

#[test]
fn host_json_is_valid_by_the_published_schema() {
    assert_eq!(complaints(&validator("host.json"), &read("host.json")), Vec::<String>::new());
}

#[test]
fn every_function_json_is_valid_by_the_published_schema() {
    let validator = validator("function.json");
    for function in EXPECTED {
        let file = read(format!("{function}/function.json"));
        assert_eq!(complaints(&validator, &file), Vec::<String>::new(), "{function}");
        let mut nameless = file.clone();
        nameless["bindings"][0].as_object_mut().expect("a binding").remove("name");
        assert!(!validator.is_valid(&nameless), "{function}: the schema must be able to refuse");
    }
}

#[test]
fn local_settings_are_valid_and_hold_no_secret() {
    let settings = read("local.settings.json");
    assert_eq!(complaints(&validator("local.settings.json"), &settings), Vec::<String>::new());
    for (name, value) in settings["Values"].as_object().expect("values") {
        assert!(value.is_string(), "{name} must be a string");
        assert!(!name.ends_with("_KEY") && !value.as_str().unwrap_or_default().contains("AccountKey"), "{name}");
    }
    assert_eq!(settings["Values"]["TTL_MULTIPLIER"], "0.5");
    let prod = read("infra/settings.prod.sample.json");
    assert_eq!(prod["TTL_MULTIPLIER"], "2.0");
    assert!(prod.as_object().expect("settings").keys().all(|name| !name.ends_with("_KEY")));
    let lookup = |name: &str| prod[name].as_str().map(str::to_owned);
    rtvoice::config::Config::from_lookup(lookup, root()).expect("the sample is a sound configuration");
}

#[test]
fn the_manifest_reads_all_functions_sorted() {
    let manifest = Manifest::read(&root()).expect("the app's own files");
    assert_eq!(manifest.functions.iter().map(|f| f.name.as_str()).collect::<Vec<_>>(), EXPECTED);
    assert!(manifest.host.forwards_http());
    assert_eq!(manifest.host.function_timeout(), Some(std::time::Duration::from_secs(300)));
    assert_eq!(manifest.host.extensions.service_bus.max_concurrent_sessions, Some(64));
    assert_eq!(manifest.host.custom_handler.description.default_executable_path, "rtvoice");
    assert_eq!(manifest.host.custom_handler.description.arguments, ["serve"]);
    for function in &manifest.functions {
        let expected = match function.name.as_str() {
            "CallConnected" | "CallDisconnected" => ("event", "eventGridTrigger"),
            "TranscriptWriter" | "TranscriptDeadLetter" => ("message", "serviceBusTrigger"),
            "AlertEvaluator" | "BreachClock" | "ComplianceReport" | "ErasureRunner" | "OutboxRelay" | "PiiScan" | "RetentionPurge" | "SystemMetrics"
            | "WeeklyReport" => ("timer", "timerTrigger"),
            _ => ("req", "httpTrigger"),
        };
        assert_eq!((function.binding(), function.kind()), expected, "{}", function.name);
        let open = function.auth_level().map(|level| level == AuthLevel::Anonymous);
        assert_eq!(open, (expected.0 == "req").then_some(function.name == "Ready"), "{}", function.name);
    }
    let Some(Trigger::ServiceBus(writer)) = manifest.function("transcriptwriter").map(|f| &f.trigger) else { panic!("the writer has a queue") };
    assert!(writer.is_sessions_enabled);
    assert_eq!(writer.data_type, Some(DataType::Binary));
}

#[test]
fn routes_lead_to_their_functions() {
    let manifest = Manifest::read(&root()).expect("the app's own files");
    let named = |method: &str, path: &str| manifest.by_route(method, path).map(|f| f.name.as_str());
    let name = |path: &str| named("POST", path);
    assert_eq!((named("GET", "users/u1"), named("DELETE", "users/u1")), (Some("UserProfile"), Some("EraseUser")));
    assert_eq!((named("POST", "users/lookup"), named("GET", "users/lookup")), (Some("UserLookup"), Some("UserLookup")));
    assert_eq!(name("calls/events"), Some("CallEvents"));
    assert_eq!(name("calls/c-1/turns"), Some("ConversationTurn"));
    assert_eq!(name("CALLS/c-1/Turns"), Some("ConversationTurn"));
    assert_eq!(name("calls/events/turns"), Some("ConversationTurn"));
    assert_eq!(name("tts"), Some("TtsCache"));
    assert_eq!(name("tts/abc"), Some("TtsCache"));
    assert_eq!(name("tts/abc/d"), None);
    assert_eq!(name("workers/w/calls/c%2F1"), Some("WorkerAffinity"));
    assert_eq!(name("calls//turns"), None);
    assert_eq!(name(""), None);
    assert_eq!(name("nothing"), None);
    let turn = manifest.function("ConversationTurn").expect("there");
    let Trigger::Http(_, route) = &turn.trigger else { panic!("http") };
    assert_eq!(route.matches("calls/c%2d1/turns").expect("it matches")["callConnectionId"], "c-1");
    assert_eq!(turn.methods(), ["POST"]);
    assert_eq!(turn.route(), Some("calls/{callConnectionId}/turns"));
}

#[test]
fn misspelt_fields_are_refused_by_name() {
    for (file, from, to, named) in [
        ("host.json", "\"functionTimeout\"", "\"functionTimeOut\"", "functionTimeOut"),
        ("host.json", "\"maxConcurrentSessions\"", "\"maxConcurentSessions\"", "maxConcurentSessions"),
        ("host.json", "\"enableProxyingHttpRequest\"", "\"enableProxyHttpRequest\"", "enableProxyHttpRequest"),
        ("host.json", "\"00:05:00\"", "\"5 minutes\"", "functionTimeout"),
        ("host.json", "\"autoCompleteMessages\": true", "\"autoCompleteMessages\": false", "autoCompleteMessages"),
        ("host.json", "\"Information\"", "\"Info\"", "Info"),
        ("TranscriptWriter/function.json", "\"isSessionsEnabled\"", "\"isSessionEnabled\"", "isSessionEnabled"),
        ("TranscriptWriter/function.json", "\"binary\"", "\"bytes\"", "bytes"),
        ("OutboxRelay/function.json", "\"useMonitor\"", "\"useMonitoring\"", "useMonitoring"),
        ("OutboxRelay/function.json", "0 * * * * *", "* * * * *", "schedule"),
        ("ConversationTurn/function.json", "\"authLevel\"", "\"authlevel\"", "authlevel"),
        ("ConversationTurn/function.json", "{callConnectionId}", "{callConnectionId:int}", "callConnectionId:int"),
        ("ConversationTurn/function.json", "\"out\"", "\"in\"", "in"),
        ("ConversationTurn/function.json", "\"res\"", "\"$return\"", "$return"),
        ("CallConnected/function.json", "eventGridTrigger", "eventgridTrigger", "eventgridTrigger"),
    ] {
        let (_copy, detail) = broken(file, from, to);
        assert!(detail.starts_with(&format!("{file}: ")) && detail.contains(named), "{file} with {to}: {detail}");
    }
}

#[test]
fn settings_in_names_are_filled_in() {
    let lookup = |name: &str| (name == "TRANSCRIPT_QUEUE").then(|| "t".to_owned());
    assert_eq!(expand("%TRANSCRIPT_QUEUE%/$DeadLetterQueue", lookup).expect("set"), "t/$DeadLetterQueue");
    assert_eq!(expand("plain 100%", lookup).expect("nothing to fill in"), "plain 100%");
    assert!(expand("%NOWHERE%", lookup).expect_err("unset").detail.starts_with("NOWHERE "));
    assert_eq!(span("1.02:03:04").map(|s| s.as_secs()), Some(86_400 + 2 * 3600 + 3 * 60 + 4));
    for nonsense in ["", "5", "00:61:00", "00:00:-1", "a:b:c", "00:00:00:00"] {
        assert_eq!(span(nonsense), None, "{nonsense}");
    }
}

/// What `.funcignore` keeps back, by both readers of it: git's rules (the last match wins; `/*` and `!/name/` alone are
/// used) and Core Tools' (a line is a prefix of the path, `*` is a run without slashes, any `!` line wins).
fn is_shipped(lines: &[String], path: &str) -> (bool, bool) {
    let top = path.split('/').next().unwrap_or_default();
    let (mut git, mut prefix) = (true, true);
    let mut let_in = false;
    for line in lines {
        if line == "/*" {
            (git, prefix) = (false, false);
        } else if let Some(kept) = line.strip_prefix("!/") {
            git |= kept.trim_end_matches('/') == top && (!kept.ends_with('/') || path.contains('/'));
            let_in |= path.starts_with(kept);
        } else {
            panic!(".funcignore: this test knows only /* and !/name, not {line}");
        }
    }
    (git, prefix || let_in)
}

#[test]
fn funcignore_ships_what_runs_and_nothing_else() {
    let text = std::fs::read_to_string(root().join(".funcignore")).expect(".funcignore");
    let lines: Vec<String> = text.lines().map(str::trim).filter(|l| !l.is_empty() && !l.starts_with('#')).map(str::to_owned).collect();
    let shipped = |path: &str| match is_shipped(&lines, path) {
        (git, tools) if git == tools => git,
        both => panic!("{path}: git's rules and Core Tools' disagree: {both:?}"),
    };
    for path in ["rtvoice", "host.json", "prompts/system.md"] {
        assert!(shipped(path), "{path}");
    }
    for function in EXPECTED {
        assert!(shipped(&format!("{function}/function.json")), "{function}");
    }
    let allowed: Vec<&str> = ["rtvoice", "host.json", "prompts"].iter().chain(EXPECTED).copied().collect();
    for entry in std::fs::read_dir(root()).expect("the app root") {
        let name = entry.expect("an entry").file_name().to_string_lossy().into_owned();
        if !allowed.contains(&name.as_str()) {
            assert!(!shipped(&name) && !shipped(&format!("{name}/any")), "{name} must not be shipped");
        }
    }
    for stray in ["local.settings.json", ".rtvoice/rtvoice.db", ".env", "target/release/rtvoice", "notes.txt", "handlers/lib.rs"] {
        assert!(!shipped(stray), "{stray}");
    }
}
