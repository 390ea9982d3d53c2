//! Holds the house to its rules: who may import whom, which crate stands where, and that folders, registry, files, tests and
//! pages tell the same story.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use rtvoice::functions::{ALL, Face};
use rtvoice::host::manifest::{Manifest, Trigger, span};

/// Most lines of one source file.
const LINES: usize = 500;

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// Every file below a folder with this extension, by its path from the root, with its text.
fn sources(folder: &str, extension: &str) -> BTreeMap<String, String> {
    let mut found = BTreeMap::new();
    let mut folders = vec![root().join(folder)];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(&folder).unwrap() {
            let path: PathBuf = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|e| e == extension) {
                let name = path.strip_prefix(root()).unwrap().to_str().unwrap().replace('\\', "/");
                found.insert(name, std::fs::read_to_string(&path).unwrap());
            }
        }
    }
    assert!(!found.is_empty(), "nothing in {folder}");
    found
}

/// The lines that are code, with their numbers.
fn code(text: &str) -> impl Iterator<Item = (usize, &str)> {
    text.lines().enumerate().map(|(n, line)| (n + 1, line)).filter(|(_, line)| !line.trim_start().starts_with("//"))
}

/// `ConversationTurn` → `conversation_turn`.
fn snake(name: &str) -> String {
    let mut snake = String::new();
    for c in name.chars() {
        if c.is_ascii_uppercase() && !snake.is_empty() {
            snake.push('_');
        }
        snake.push(c.to_ascii_lowercase());
    }
    snake
}

/// True where the crate or module begins a path in this line.
fn mentions(line: &str, name: &str) -> bool {
    let path = format!("{name}::");
    line.match_indices(&path).any(|(at, _)| !line[..at].ends_with(|c: char| c.is_alphanumeric() || matches!(c, '_' | ':' | '.')))
}

fn stems(folder: &str) -> BTreeSet<String> {
    sources(folder, "rs").keys().filter_map(|path| Path::new(path).file_stem()?.to_str().map(str::to_owned)).filter(|stem| stem != "mod").collect()
}

#[test]
fn folders_registry_sources_and_tests_are_the_same_functions() {
    let registry: BTreeSet<String> = ALL.iter().map(|f| f.name.to_owned()).collect();
    assert_eq!(registry.len(), ALL.len(), "a name stands twice");
    let folders: BTreeSet<String> = std::fs::read_dir(root())
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.join("function.json").is_file())
        .map(|path| path.file_name().unwrap().to_str().unwrap().to_owned())
        .collect();
    assert_eq!(folders, registry);
    for folder in &folders {
        let files: Vec<_> = std::fs::read_dir(root().join(folder)).unwrap().map(|e| e.unwrap().file_name().into_string().unwrap()).collect();
        assert_eq!(files, ["function.json"], "{folder}");
    }
    let snake_names: BTreeSet<String> = registry.iter().map(|name| snake(name)).collect();
    assert_eq!(stems("handlers/functions"), snake_names);
    let mut tests = stems("tests/functions");
    assert!(tests.remove("bad_input"));
    assert_eq!(tests, snake_names);
}

#[test]
fn the_registry_says_what_each_function_json_says() {
    let manifest = Manifest::read(root()).unwrap();
    let timeout = manifest.host.function_timeout.as_deref().and_then(span).expect("host.json must set functionTimeout");
    assert_eq!(manifest.functions.len(), ALL.len());
    for function in ALL {
        let name = function.name;
        let file = manifest.function(name).unwrap();
        assert_eq!(file.name, name, "case matters");
        assert!(function.deadline < timeout, "{name} may take as long as functionTimeout");
        match function.face {
            Face::Http { route, methods, limit, .. } => {
                assert_eq!(file.route(), Some(route), "{name}");
                let registered: BTreeSet<String> = methods.iter().map(ToString::to_string).collect();
                assert_eq!(file.methods().into_iter().collect::<BTreeSet<_>>(), registered, "{name}");
                assert_eq!(file.binding(), rtvoice::host::router::HTTP_BINDING, "{name}");
                assert_eq!(file.http_output.as_deref(), Some(rtvoice::host::router::HTTP_OUTPUT), "{name}");
                assert!((1..=4 << 20).contains(&limit), "{name}: an envelope takes at most 4 MiB");
            }
            Face::Trigger { .. } => {
                let binding = match &file.trigger {
                    Trigger::EventGrid(_) => "event",
                    Trigger::ServiceBus(_) => "message",
                    Trigger::Timer(_) => "timer",
                    Trigger::Http(..) => panic!("{name} is an HTTP function in its function.json alone"),
                };
                assert_eq!(file.binding(), binding, "{name}");
            }
        }
    }
    assert_eq!(manifest.host.extensions.http.route_prefix, rtvoice::host::router::PREFIX);
}

/// Modules that each part of the house may not import.
const DIRECTIONS: &[(&str, &[&str])] = &[
    ("handlers/model/", &["ports", "steps", "functions", "host", "app", "config", "dev", "ops"]),
    // The detector is usable alone.
    ("handlers/privacy/detect/", &["app", "config", "error", "ports", "steps", "functions", "host", "model", "dev", "ops"]),
    ("handlers/privacy/", &["app", "steps", "functions", "host", "dev", "ops"]),
    ("handlers/telemetry/", &["ports", "steps", "functions", "host", "app", "config", "dev", "ops"]),
    ("handlers/ports/", &["steps", "functions", "host", "app", "dev", "ops"]),
    ("handlers/privacy/vault/", &["steps", "functions", "host", "app", "dev", "ops"]),
    ("handlers/privacy/", &["ports", "config", "steps", "functions", "host", "app", "dev", "ops"]),
    ("handlers/steps/", &["functions", "host", "dev", "ops"]),
    ("handlers/functions/", &["functions", "dev", "ops"]),
    ("handlers/host/", &["dev", "ops"]),
    ("handlers/config/", &["app", "error", "ports", "steps", "functions", "host", "model", "dev", "ops"]),
    ("handlers/error.rs", &["app", "config", "ports", "steps", "functions", "host", "model", "dev", "ops"]),
];

#[test]
fn dependencies_point_one_way() {
    for (path, text) in sources("handlers", "rs") {
        let Some((_, forbidden)) = DIRECTIONS.iter().find(|(part, _)| path.starts_with(part)) else { continue };
        for (number, line) in code(&text) {
            for module in *forbidden {
                let imports =
                    line.contains(&format!("crate::{module}::")) || line.contains(&format!("crate::{module};")) || line.contains(&format!("crate::{{{module}"));
                assert!(!imports, "{path}:{number} must not use {module}: {line}");
            }
            // A function never calls another one.
            let sibling = path.starts_with("handlers/functions/") && !path.ends_with("/mod.rs") && line.contains("super::");
            assert!(!sibling, "{path}:{number} uses its siblings: {line}");
        }
    }
}

/// Vendor crates and the files that may know them.
const VENDORS: &[(&str, &[&str])] = &[
    ("redis", &["handlers/ports/state/redis.rs", "handlers/ports/state/redis/"]),
    ("azure_data_cosmos", &["handlers/ports/documents/cosmos.rs"]),
    ("azure_messaging_servicebus", &["handlers/ports/queue/service_bus"]),
    ("azure_core_legacy", &["handlers/ports/queue/service_bus"]),
    ("aws_lc_rs", &["handlers/privacy/"]),
    ("azure_identity", &["handlers/ports/identity.rs"]),
    ("tokio_rustls", &["handlers/ports/notices/smtp.rs"]),
    ("azure_core", &["handlers/ports/identity.rs", "handlers/ports/documents/cosmos.rs"]),
    (
        "rusqlite",
        &[
            "handlers/ports/embedded.rs",
            "handlers/ports/embedded/",
            "handlers/ports/documents/embedded.rs",
            "handlers/ports/queue/embedded",
            "handlers/ports/state/embedded",
        ],
    ),
    (
        "reqwest",
        &[
            "handlers/ports/http.rs",
            "handlers/ports/exchange.rs",
            "handlers/ports/identity.rs",
            "handlers/ports/queue/service_bus",
            "handlers/ports/export/",
            "handlers/ports/notices/",
            "handlers/ports/replies/azure.rs",
            "handlers/ports/root_key/key_vault.rs",
            "handlers/ports/speech/azure.rs",
            "handlers/ports/webhook.rs",
            // Asks services for their clock.
            "handlers/ports/probe.rs",
            // Speaks with a handler or host that an operator names.
            "handlers/ops/target.rs",
            // Parses URLs.
            "handlers/config/read.rs",
            // Produces what alerts are about against a handler on loopback.
            "handlers/ops/alerts/",
            // Plays calls against a target on loopback.
            "handlers/ops/load/",
            // Speaks with a handler on loopback.
            "handlers/host/link.rs",
            "handlers/dev/",
            "handlers/ops/load/",
        ],
    ),
];

#[test]
fn a_vendor_crate_stands_in_its_backend_alone() {
    for (path, text) in sources("handlers", "rs") {
        for (vendor, homes) in VENDORS {
            if homes.iter().any(|home| path.starts_with(home)) {
                continue;
            }
            for (number, line) in code(&text) {
                assert!(!mentions(line, vendor), "{path}:{number} must not know {vendor}: {line}");
            }
        }
    }
}

#[test]
fn only_the_settings_read_the_environment() {
    for (path, text) in sources("handlers", "rs") {
        for (number, line) in code(&text) {
            let reads = ["env::var", "env::vars", "env::set_var", "env::remove_var"].iter().any(|call| line.contains(call));
            assert!(!reads || path.starts_with("handlers/config/"), "{path}:{number} reads the environment: {line}");
        }
    }
}

/// True where a string in this line looks like a key of ours, or like the beginning or the end of one.
fn writes_a_key(line: &str) -> bool {
    let types = ["call", "conversation", "worker", "cache", "system"];
    let components = ["session", "events", "summary", "context", "history", "turns", "outbox", "auth", "affinity", "heartbeat", "open"];
    let looks_like_a_key = |text: &str| {
        let begins = types.iter().any(|t| text.starts_with(&format!("{t}:")) || text.contains(&format!(":{t}:")));
        !text.contains(' ') && (begins || components.iter().any(|c| text.ends_with(&format!(":{c}"))))
    };
    line.split(['"', '\'']).skip(1).step_by(2).any(looks_like_a_key)
}

#[test]
fn keys_are_written_in_one_place() {
    let mut files = sources("handlers", "rs");
    files.extend(sources("handlers", "lua"));
    for (path, text) in files.iter().filter(|(path, _)| !path.starts_with("handlers/ports/state/keys")) {
        for (number, line) in code(text).filter(|(_, line)| !line.trim_start().starts_with("--")) {
            assert!(!writes_a_key(line), "{path}:{number} writes a key by hand: {line}");
        }
    }
}

#[test]
fn no_source_file_is_too_long() {
    for folder in ["handlers", "tests"] {
        for (path, text) in sources(folder, "rs") {
            let lines = text.lines().count();
            assert!(lines <= LINES, "{path} has {lines} lines");
        }
    }
}

#[test]
fn every_source_file_says_what_it_is() {
    for folder in ["handlers", "tests"] {
        for (path, text) in sources(folder, "rs") {
            assert!(text.starts_with("//! "), "{path} begins without a module comment");
            let name = Path::new(&path).file_stem().unwrap().to_str().unwrap();
            assert!(!["utils", "util", "helpers", "helper", "common", "types"].contains(&name), "{path} has a name that says nothing");
        }
    }
}

#[test]
fn every_route_is_documented() {
    let mut pages = sources("docs", "md");
    pages.insert("README.md".to_owned(), std::fs::read_to_string(root().join("README.md")).unwrap());
    for function in ALL {
        let Face::Http { route, methods, .. } = function.face else { continue };
        let mandatory = route.find("?}").map_or(route, |at| &route[..route[..at].rfind("/{").unwrap_or(at)]);
        let (bare, with) = (format!("/api/{mandatory}"), format!("/api/{}", route.replace("?}", "}")));
        for route in [bare.clone(), with] {
            let lines: Vec<&str> = pages.values().flat_map(|page| page.lines()).filter(|line| line.contains(&route)).collect();
            assert!(!lines.is_empty(), "no page tells of {route}");
        }
        for method in methods.iter().filter(|m| *m != axum::http::Method::OPTIONS) {
            let told = pages.values().flat_map(|page| page.lines()).any(|line| line.contains(&bare) && line.contains(method.as_str()));
            assert!(told, "no page tells of {method} {route}");
        }
    }
}

/// What stands between backticks in a line.
fn quoted(line: &str) -> impl Iterator<Item = &str> {
    line.split('`').skip(1).step_by(2)
}

#[test]
fn the_architecture_page_names_what_exists() {
    names_what_exists("docs/ARCHITECTURE.md", "guarantee", 8);
}

#[test]
fn the_reliability_page_names_what_exists() {
    names_what_exists("docs/RELIABILITY.md", "fault", 20);
}

/// Every path and test that a page names exists; and below a heading with this word stands a table, its first column headed by the
/// same word, of so many rows at the least, whose last cells name tests.
fn names_what_exists(file: &str, word: &str, least: usize) {
    let page = std::fs::read_to_string(root().join(file)).unwrap();
    let tests = sources("tests", "rs");
    let mut rows = 0;
    let mut in_table = false;
    for (number, line) in page.lines().enumerate().map(|(n, line)| (n + 1, line)) {
        for path in quoted(line).filter(|q| ["handlers/", "tests/", "docs/", "infra/", "prompts/"].iter().any(|folder| q.starts_with(folder))) {
            let path = path.split("::").next().unwrap_or(path);
            assert!(!path.contains(['*', ' ']), "{file}:{number}: {path} is no path");
            assert!(root().join(path).exists(), "{file}:{number} names {path}, which does not exist");
        }
        if line.starts_with('#') {
            in_table = line.to_lowercase().contains(word);
        }
        let row = line.starts_with('|') && !line.starts_with("| ---") && !line.starts_with("|--") && !line.to_lowercase().starts_with(&format!("| {word} |"));
        if in_table && row {
            rows += 1;
            let named: Vec<&str> = line.trim_end_matches([' ', '|']).rsplit('|').next().map(|cell| quoted(cell).collect()).unwrap_or_default();
            assert!(!named.is_empty(), "{file}:{number}: the last cell must name a test, such as `functions::ready::it_says_healthy_and_nothing_else`");
            named.iter().for_each(|name| assert!(is_test(&tests, name), "{file}:{number} names {name}, which is no test"));
        }
    }
    assert!(rows >= least, "{file} must have a table of at least {least} rows below a heading with {word:?}");
}

/// True where `a::b::name` is a function `name` in `tests/a/b.rs`, or in a file or folder on the way there (a contract's
/// sentences become tests by a macro).
fn is_test(tests: &BTreeMap<String, String>, name: &str) -> bool {
    let parts: Vec<&str> = name.split("::").collect();
    let Some((function, modules)) = parts.split_last() else { return false };
    let on_the_way = |path: &str| {
        let path = path.trim_start_matches("tests/").trim_end_matches(".rs").trim_end_matches("/mod");
        (1..=modules.len()).any(|n| path == modules[..n].join("/"))
    };
    tests.iter().any(|(path, text)| on_the_way(path) && text.contains(&format!("fn {function}(")))
}

#[test]
fn the_readers_of_this_file_can_be_wrong() {
    assert!(mentions("use redis::Client;", "redis") && mentions("    redis::cmd(\"PING\")", "redis"));
    assert!(!mentions("use crate::ports::state::redis::Manager;", "redis") && !mentions("config.redis::x", "redis"));
    assert!(writes_a_key("let key = \"call:{id}:session\";") && writes_a_key("format!(\"{root}:{id}:outbox\")") && writes_a_key("KEYS[1] .. ':history'"));
    assert!(!writes_a_key("use crate::model::call::CallStatus;") && !writes_a_key("\"urn:rtvoice:problem:{}\""));
    assert_eq!((snake("TtsCache"), snake("Ready")), ("tts_cache".to_owned(), "ready".to_owned()));
    assert_eq!(quoted("a `b` and `c::d`").collect::<Vec<_>>(), ["b", "c::d"]);
    let tests = sources("tests", "rs");
    assert!(is_test(&tests, "functions::ready::it_says_healthy_and_nothing_else"));
    assert!(!is_test(&tests, "functions::ready::no_such_test") && !is_test(&tests, "functions::health::it_says_healthy_and_nothing_else"));
}
