//! Every alert fires under its real condition within its time, and resolves after it. Time runs sixty times as fast for alerts,
//! and as usual for everything else. Those that take longer than ten seconds are run alone (`make rehearse`).

use std::process::Output;

use rtvoice::steps::alerts::RULES;
use serde_json::Value;

async fn alerts(arguments: &[&str], path: &str) -> Output {
    let mut command = tokio::process::Command::new(env!("CARGO_BIN_EXE_rtvoice"));
    command.arg("alerts").args(arguments).env_clear().env("PATH", path);
    command.env("FUNCTIONS_APP_ROOT_PATH", env!("CARGO_MANIFEST_DIR")).kill_on_drop(true);
    command.output().await.expect("it runs")
}

const PATH: &str = "/usr/local/bin:/usr/bin:/bin";

/// One stack at a time: each is a whole one.
static ALONE: tokio::sync::Mutex<()> = tokio::sync::Mutex::const_new(());

async fn fires_and_resolves(rule: &str) {
    let _alone = ALONE.lock().await;
    let output = alerts(&["test", rule, "--pace", pace(rule), "--json"], PATH).await;
    let told = String::from_utf8_lossy(&output.stderr);
    let report: Value = serde_json::from_slice(&output.stdout).unwrap_or_else(|e| panic!("{e}: {output:?}"));
    assert_eq!((&report["ok"], &report["rules"][0]["rule"]), (&Value::Bool(true), &Value::from(rule)), "{report}\n{told}");
    let seconds = |name: &str| report["rules"][0][name].as_f64().unwrap_or_else(|| panic!("{name}: {report}"));
    assert!(seconds("firedAfterS") <= seconds("withinS") + seconds("grantedS") && seconds("resolvedAfterS") > 0.0, "{report}");
    // Two real seconds: nothing else is granted, whatever the machine did.
    let granted = 2.0 * pace(rule).parse::<f64>().expect("a number");
    assert!(seconds("stalledS") >= 0.0 && (seconds("grantedS") - granted).abs() < 0.001, "{report}");
    assert!(output.status.success(), "{report}\n{told}");
}

/// How many times as fast time runs: ten slow minutes are ten seconds at sixty.
fn pace(rule: &str) -> &'static str {
    if rule == "redis-slow" { "120" } else { "60" }
}

/// One test for each rule, so that they can be run one by one.
macro_rules! rehearsals {
    ($($(#[$mark:meta])* $test:ident = $rule:literal;)+) => {
        $(
            $(#[$mark])*
            #[tokio::test(flavor = "multi_thread")]
            async fn $test() {
                fires_and_resolves($rule).await;
            }
        )+

        /// The rules that are rehearsed.
        const REHEARSED: &[&str] = &[$($rule),+];
    };
}

rehearsals! {
    redis_away = "redis-unavailable";
    redis_nearly_full = "redis-memory-critical";
    redis_filling_up = "redis-memory-high";
    set_ups_that_fail = "call-setup-failed";
    wrong_tokens_in_a_burst = "security-event";
    keys_that_never_expire = "keys-without-ttl";
    callers_who_guess = "authentication-failures";
    ten_slow_minutes = "redis-slow";
    #[ignore = "takes up to a minute: run it alone"]
    twice_as_many_keys = "key-count-growth";
    #[ignore = "takes up to a minute: run it alone"]
    a_month_burnt_fast = "call-setup-burn-fast";
    #[ignore = "takes up to a minute: run it alone"]
    a_month_burnt_slowly = "call-setup-burn-slow";
    keys_by_the_thousand = "key-creation-rate";
    hardly_a_seat_left = "in-flight";
    operations_that_fail = "failed-operations";
    lives_that_are_too_short = "ttl-distribution";
}

#[test]
fn every_rule_is_rehearsed() {
    let mut rehearsed: Vec<&str> = REHEARSED.to_vec();
    let mut rules: Vec<&str> = RULES.iter().map(|rule| rule.name.as_str()).collect();
    rehearsed.sort_unstable();
    rules.sort_unstable();
    assert_eq!(rehearsed, rules);
}

#[tokio::test]
async fn the_rules_are_listed_and_a_rule_that_is_none_is_wrong_usage() {
    let output = alerts(&["list", "--json"], PATH).await;
    let listed: Value = serde_json::from_slice(&output.stdout).expect("JSON");
    assert_eq!((listed["rules"].as_array().map(Vec::len), output.status.code()), (Some(RULES.len()), Some(0)));
    assert_eq!(alerts(&["test", "no-such-rule"], PATH).await.status.code(), Some(2));
    // A machine without redis-server: each rule says so.
    let output = alerts(&["test", "all", "--json"], "/nowhere").await;
    let told: Value = serde_json::from_slice(&output.stdout).expect("JSON");
    let rules = told["rules"].as_array().expect("an entry for each rule");
    assert_eq!((rules.len(), output.status.code(), &told["ok"]), (RULES.len(), Some(2), &Value::Bool(false)));
    assert!(rules.iter().all(|rule| rule["ok"] == false && rule["error"].as_str().is_some_and(|e| e.contains("redis-server"))), "{told}");
    let output = alerts(&["status"], PATH).await;
    assert_eq!(output.status.code(), Some(2), "with embedded state there is nothing to see: {output:?}");
}
