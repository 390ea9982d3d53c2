//! `rtvoice bench privacy` measures both arms, on a file and on Redis, and leaves nothing behind.

use serde_json::Value;

use crate::harness::redis::RedisServer;

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
