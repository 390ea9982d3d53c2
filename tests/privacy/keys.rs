//! `rtvoice keys`: what it prints, and its exit codes.

use std::process::{Command, Output};

use rtvoice::app::App;
use rtvoice::config::Config;
use rtvoice::model::ids::{CallId, UserToken};
use serde_json::Value;

fn rtvoice(folder: &std::path::Path, arguments: &[&str]) -> Output {
    let embedded = folder.join("rtvoice.db");
    Command::new(env!("CARGO_BIN_EXE_rtvoice"))
        .arg("keys")
        .args(arguments)
        .env_clear()
        .env("EMBEDDED_PATH", embedded)
        .env("FUNCTIONS_APP_ROOT_PATH", env!("CARGO_MANIFEST_DIR"))
        .output()
        .unwrap()
}

fn json(folder: &std::path::Path, arguments: &[&str]) -> Value {
    let output = rtvoice(folder, arguments);
    assert!(output.status.success(), "{output:?}");
    serde_json::from_slice(&output.stdout).unwrap()
}

/// A first call gives its user a key.
async fn has_called(folder: &std::path::Path, user: &str) {
    let embedded = folder.join("rtvoice.db").display().to_string();
    let config = Config::from_lookup(|name| (name == "EMBEDDED_PATH").then(|| embedded.clone()), folder.to_owned()).unwrap();
    App::new(config).unwrap().vault.new_call(&CallId::parse("call-1").unwrap(), Some(&UserToken::parse(user).unwrap())).await.unwrap();
}

#[tokio::test]
async fn every_level_rotates_and_the_status_tells_of_it() {
    let folder = tempfile::tempdir().unwrap();
    let user = "u1-0123456789abcdef0123456789abcdef";
    let first = json(folder.path(), &["status", "--json"]);
    assert_eq!((first["userKeys"].as_u64(), first["subjects"].as_u64()), (Some(0), Some(0)), "{first}");
    has_called(folder.path(), user).await;
    let version = json(folder.path(), &["rotate", "user", "--user", user, "--json"])["version"].as_u64().unwrap();
    assert!(json(folder.path(), &["rotate", "user", "--user", user, "--json"])["version"].as_u64().unwrap() > version);
    let root = json(folder.path(), &["rotate", "root", "--json"]);
    // The epoch's key, and the one of tokens, which the audit log of the commands needs.
    assert_eq!(root["rewrapped"], 2, "{root}");
    let epoch = json(folder.path(), &["rotate", "epoch", "--json"]);
    assert_eq!((&epoch["rewrapped"], &epoch["lost"]), (&Value::from(0), &Value::from(0)), "{epoch}");
    let status = json(folder.path(), &["status", "--json"]);
    assert_eq!((&status["root"], &status["userKeys"], &status["epochs"][0]["userKeys"]), (&root["kid"], &Value::from(3), &Value::from(3)), "{status}");
    assert_eq!(json(folder.path(), &["reencrypt", "--json"])["retired"], 0);
    let text = String::from_utf8(rtvoice(folder.path(), &["status"]).stdout).unwrap();
    assert!(text.contains("1 subjects with 3 keys") && text.contains("epoch 2"), "{text}");
    for arguments in [&["rotate", "root", "--only-rewrap"][..], &["rotate", "epoch"], &["rotate", "user", "--user", user], &["reencrypt", "--dry-run"]] {
        let output = rtvoice(folder.path(), arguments);
        assert!(output.status.success() && output.stdout.len() > 20, "{output:?}");
    }
}

#[test]
fn wrong_usage_and_settings_are_told_apart_from_failures() {
    let folder = tempfile::tempdir().unwrap();
    for arguments in [&["rotate"][..], &["rotate", "user"], &["rotate", "user", "--user", "ann"], &["rotate", "everything"], &[]] {
        assert_eq!(rtvoice(folder.path(), arguments).status.code(), Some(2), "{arguments:?}");
    }
    std::fs::write(folder.path().join("keys.json"), "{}").unwrap();
    let output = rtvoice(folder.path(), &["status"]);
    let told = String::from_utf8(output.stderr).unwrap();
    assert!(output.status.code() == Some(2) && told.contains("KEYS_PATH"), "{told}");
}
