//! Which settings a command goes by: the environment, and on a developer's machine `local.settings.json`, never a mixture of two apps.

use std::path::Path;
use std::process::{Command, Output};

use rtvoice::error::Kind;
use rtvoice::ops::settings::Chosen;

fn folder(values: &str) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("host.json"), "{}").unwrap();
    std::fs::write(folder.path().join("local.settings.json"), format!(r#"{{"IsEncrypted": false, "Values": {values}}}"#)).unwrap();
    folder
}

fn chosen(root: &Path, environment: &[(&'static str, &'static str)]) -> rtvoice::error::Result<Chosen> {
    let environment = environment.to_vec();
    Chosen::of(root, move |name| environment.iter().find(|(n, _)| *n == name).map(|(_, value)| (*value).to_owned()))
}

#[test]
fn the_file_counts_where_the_environment_names_no_app() {
    let folder = folder(r#"{"REDIS_HOST": "localhost", "APP_PREFIX": "mine", "LOG_LEVEL": "info"}"#);
    let all = chosen(folder.path(), &[("LOG_LEVEL", "warn"), ("REDIS_HOST", " ")]).unwrap();
    assert!(all.is_local());
    assert_eq!(all.lookup("APP_PREFIX"), Some(("mine".to_owned(), "local.settings.json")));
    assert_eq!(all.lookup("LOG_LEVEL"), Some(("warn".to_owned(), "environment")), "the environment wins, as with rtvoice dev");
    for name in ["WEBSITE_SITE_NAME", "ENVIRONMENT", "APP_PREFIX", "REDIS_HOST", "COSMOS_ENDPOINT", "SERVICE_BUS_NAMESPACE", "EMBEDDED_PATH"] {
        let all = chosen(folder.path(), &[(name, "something")]).unwrap();
        assert!(!all.is_local() && all.value("LOG_LEVEL").is_none(), "{name}: nothing of two apps is mixed");
    }
    let nowhere = tempfile::tempdir().unwrap();
    assert!(!chosen(nowhere.path(), &[]).unwrap().is_local());
}

#[test]
fn production_is_never_taken_from_a_file_and_a_broken_file_is_told() {
    for environment in ["prod", "Staging"] {
        let folder = folder(&format!(r#"{{"ENVIRONMENT": "{environment}", "REDIS_HOST": "redis.contoso.example"}}"#));
        let Err(error) = chosen(folder.path(), &[]) else { panic!("{environment} was taken") };
        assert!(error.kind == Kind::Setting && error.detail.contains(&format!("ENVIRONMENT={environment}")), "{}", error.detail);
    }
    let folder = folder("7");
    assert!(chosen(folder.path(), &[]).is_err_and(|e| e.kind == Kind::Setting && e.detail.starts_with("local.settings.json")));
}

fn run(root: &Path, words: &[&str], environment: &[(&str, &str)]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_rtvoice"));
    command.args(words).env_clear().env("FUNCTIONS_APP_ROOT_PATH", root).envs(environment.iter().copied());
    command.output().unwrap()
}

#[test]
fn commands_say_that_they_go_by_the_file() {
    // Where nothing listens.
    let folder = folder(r#"{"REDIS_HOST": "127.0.0.1", "REDIS_PORT": "1"}"#);
    let says = |output: &Output| String::from_utf8_lossy(&output.stderr).contains("with the settings of local.settings.json");
    let calls = run(folder.path(), &["calls", "list", "--json"], &[]);
    assert!(says(&calls) && calls.status.code() == Some(1), "{calls:?}");
    serde_json::from_slice::<serde_json::Value>(&calls.stdout).expect("standard output is JSON all the same");
    let doctor = run(folder.path(), &["doctor", "--json"], &[]);
    assert!(says(&doctor) && String::from_utf8_lossy(&doctor.stdout).contains("127.0.0.1:1 refuses connections"), "{doctor:?}");
    let config = run(folder.path(), &["config", "--set", "--json"], &[]);
    assert!(String::from_utf8_lossy(&config.stdout).contains("local.settings.json"), "{config:?}");
    let file = folder.path().join("other.db").display().to_string();
    let calls = run(folder.path(), &["calls", "list", "--json"], &[("EMBEDDED_PATH", &file)]);
    assert!(!says(&calls) && calls.status.code() == Some(0), "{calls:?}");
}
