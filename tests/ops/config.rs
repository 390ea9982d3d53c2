//! `rtvoice config`: what takes effect and whence, no secret, and all that is wrong at once.

use std::path::Path;

use rtvoice::config::SETTINGS;
use rtvoice::ops::config::{self, ConfigArgs};
use serde_json::{Value, json};

use super::{args, json};

fn config(settings: &[(&str, &str)], words: &[&str]) -> (Value, bool) {
    let lookup = |name: &str| settings.iter().find(|(n, _)| *n == name).map(|(_, value)| ((*value).to_owned(), "environment"));
    let told = config::tell(&args::<ConfigArgs>(&[words, &["--json"]].concat()), Path::new("/app"), lookup).unwrap();
    (json(&told), told.good)
}

fn row<'a>(body: &'a Value, name: &str) -> &'a Value {
    body["settings"].as_array().unwrap().iter().find(|row| row["name"] == name).unwrap_or_else(|| panic!("no {name}"))
}

#[test]
fn every_setting_is_told_with_its_value_and_source() {
    let (body, good) = config(&[], &[]);
    assert!(good);
    assert_eq!(body["settings"].as_array().unwrap().len(), SETTINGS.len());
    for (name, value, source) in [
        ("ENVIRONMENT", json!("dev"), "default"),
        ("TRANSCRIPT_QUEUE", json!("transcripts"), "default"),
        ("EMBEDDED_PATH", json!("/app/.rtvoice/rtvoice.db"), "default"),
        ("KEYS_PATH", json!("/app/.rtvoice/keys.json"), "default"),
        ("REDIS_HOST", Value::Null, "unset"),
        ("REDIS_PORT", Value::Null, "unset"),
    ] {
        assert_eq!((&row(&body, name)["value"], &row(&body, name)["source"]), (&value, &json!(source)), "{name}");
    }
    assert_eq!(body["backends"]["speech"], "offline voice");

    let (body, _) = config(&[("REDIS_HOST", "contoso.example"), ("REDIS_ACCESS_KEY", "hush-hush")], &[]);
    assert_eq!(row(&body, "REDIS_PORT")["value"], "6380", "a default may follow from another setting");
    assert_eq!((&row(&body, "REDIS_SSL")["value"], &row(&body, "REDIS_SSL")["source"]), (&json!("true"), &json!("default")));
    assert_eq!(row(&body, "REDIS_HOST")["source"], "environment");
    assert_eq!(body["backends"]["state"], "Redis server contoso.example:6380 over TLS, by key");
}

#[test]
fn no_secret_is_shown() {
    let hook = "https://hooks.example/T0K3N";
    let settings = [
        ("REDIS_HOST", "h.example"),
        ("REDIS_ACCESS_KEY", "s3cret-1"),
        ("SPEECH_ENDPOINT", "https://s.example"),
        ("SPEECH_KEY", "s3cret-2"),
        ("SERVICE_BUS_NAMESPACE", "b.example"),
        ("SERVICE_BUS_KEY_NAME", "sender"),
        ("SERVICE_BUS_KEY", "s3cret-3"),
        ("COSMOS_ENDPOINT", "https://c.example"),
        ("COSMOS_KEY", "czNjcmV0LTQ="),
        ("OPENAI_ENDPOINT", "https://o.example"),
        ("OPENAI_DEPLOYMENT", "d"),
        ("OPENAI_KEY", "s3cret-5"),
        ("BREACH_WEBHOOK_URL", hook),
    ];
    let (body, good) = config(&settings, &[]);
    assert!(good, "{body}");
    for hidden in ["s3cret", "czNjcmV0LTQ", "T0K3N"] {
        assert!(!body.to_string().contains(hidden), "{hidden}: {body}");
    }
    assert_eq!(row(&body, "COSMOS_KEY")["value"], "‹secret›");
    let (set, _) = config(&settings, &["--set"]);
    assert_eq!(set["settings"].as_array().unwrap().len(), settings.len());
}

#[test]
fn all_that_is_wrong_is_told_at_once() {
    let settings = [("ENVIRONMENT", "production"), ("QUEUE_LANES", "0"), ("OPENAI_DEPLOYMENT", "x"), ("REDIS_PORT", "6379")];
    let (body, good) = config(&settings, &[]);
    assert!(!good);
    let wrong = body["wrong"].as_array().unwrap();
    for name in ["ENVIRONMENT must be one of", "QUEUE_LANES must be", "OPENAI_ENDPOINT must be set", "REDIS_HOST must be set"] {
        assert!(wrong.iter().any(|line| line.as_str().unwrap().starts_with(name)), "{name}: {wrong:?}");
    }
    assert_ne!(row(&body, "QUEUE_LANES")["wrong"], Value::Null);
}
