//! Dashboard: what it shows, to whom, and that what was said comes on an audited request alone, masked and escaped.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use axum::http::Method;
use rtvoice::app::{App, Parts};
use rtvoice::error::{Error, Result};
use rtvoice::host::manifest::{AuthLevel, Manifest};
use rtvoice::model::ids::CallId;
use rtvoice::ports::board::local::LocalBoard;
use rtvoice::ports::board::{Board, Grain, ServerLoad, Silence, Slot};
use rtvoice::ports::documents::Container;
use rtvoice::steps::alerts::{self, RULES};
use rtvoice::steps::dashboard::page::POLICY;
use rtvoice::telemetry::Figures;
use rtvoice::telemetry::label::{Dependency, Only, RedisOp, Stage, TtlKind};
use rtvoice::telemetry::metric::{CIRCUIT_OPEN, REDIS_MEMORY_SHARE, REDIS_OPS, TTL_WRITTEN, TURN_STAGES};
use serde_json::{Value, json};

use super::compliance_report::parts;
use crate::harness::answer::Answer;
use crate::harness::app::{Rtvoice, START};
use crate::harness::faults::Fault;

const PATH: &str = "/api/dashboard";
const FORM: &[(&str, &str)] = &[("content-type", "application/x-www-form-urlencoded")];

async fn page(app: &Rtvoice) -> String {
    let answer = app.get(PATH).await;
    assert_eq!((answer.status, answer.header("content-type")), (200, "text/html; charset=utf-8"));
    text(&answer)
}

fn text(answer: &Answer) -> String {
    String::from_utf8(answer.body.to_vec()).unwrap()
}

async fn figures(app: &Rtvoice) -> Value {
    app.get("/api/dashboard?format=json").await.ok()
}

async fn ask(app: &Rtvoice, query: &str, form: &str) -> Answer {
    app.send(Method::POST, &format!("{PATH}{query}"), FORM, form.to_owned()).await
}

/// What the page calls a call.
async fn name(app: &Rtvoice, call: &str) -> String {
    app.app.vault.call_token(&CallId::parse(call).unwrap()).await.unwrap().to_string()
}

/// The actions that the audit log has, with who did them.
fn audited(app: &Rtvoice, action: &str) -> Vec<Value> {
    let entries = app.documents_in(Container::Audit).into_iter().flat_map(|document| document["entries"].as_array().cloned().unwrap_or_default());
    entries.filter(|entry| entry["action"] == action).collect()
}

#[tokio::test]
async fn it_shows_how_everything_stands() {
    let app = Rtvoice::start();
    app.event("CallConnected", "call-1", "e1").await.ok();
    app.queue.fail(Fault::Away);
    app.turn("call-1", "t1", "my pin is 4711").await.ok();
    app.quiesce().await;
    app.clock.advance_millis(30_000);
    let now = figures(&app).await;
    assert_eq!(
        (&now["status"], &now["source"], &now["at"]),
        (&json!("degraded"), &json!("rtvoice/dev"), &json!(START.plus_millis(30_000))),
        "the queue is away"
    );
    let call = &now["calls"]["shown"][0];
    assert_eq!(
        (&call["call"], &call["status"], &call["turns"], &call["waiting"]),
        (&json!(name(&app, "call-1").await), &json!("connected"), &json!(1), &json!(1)),
        "{now}"
    );
    assert_eq!((&now["flow"]["outboxDepth"], &now["flow"]["outboxAgeS"], &now["flow"]["exact"]), (&json!(1), &json!(30.0), &json!(true)));
    assert_eq!(now["alerts"].as_array().map(Vec::len), Some(RULES.len()));
    assert_eq!((now["tenMinutes"][0]["lines"][0]["values"].as_array().map(Vec::len), now["sixHours"][0]["step"].as_i64()), (Some(60), Some(300)));
    assert_eq!(now["keeping"]["rules"][0], json!({"container": "transcripts", "days": 90, "documents": null, "overdue": null}));

    let page = page(&app).await;
    assert!(!page.contains("call-1") && !now.to_string().contains("call-1"), "a call stands there under its token alone");
    for part in [
        name(&app, "call-1").await.as_str(),
        "redis connectivity",
        "Open calls",
        "redis-unavailable",
        "p95 limit 2",
        "p99 limit 5",
        "No alert fires",
        "Health is not as it should be",
        "transcripts",
    ] {
        assert!(page.contains(part), "{part} in {page}");
    }
    assert!(!page.contains("my pin") && !now.to_string().contains("my pin"), "what was said is no part of it");
    assert!(audited(&app, "call.read").is_empty());
    app.queue.heal();
    app.relay().await.ok();
    app.finish().await;
}

#[tokio::test]
async fn it_tells_browsers_to_run_and_keep_nothing_else() {
    let app = Rtvoice::start();
    app.event("CallConnected", "call-1", "e1").await.ok();
    app.turn("call-1", "t1", "hello").await.ok();
    for answer in
        [app.get(PATH).await, app.get("/api/dashboard?format=json").await, app.get("/api/dashboard?format=live").await, ask(&app, "", "call=call-1").await]
    {
        assert_eq!(answer.status, 200, "{answer:?}");
        for (name, value) in [
            ("content-security-policy", POLICY.as_str()),
            ("cache-control", "no-store"),
            ("x-content-type-options", "nosniff"),
            ("x-frame-options", "DENY"),
            ("referrer-policy", "no-referrer"),
        ] {
            assert_eq!(answer.header(name), value);
        }
    }
    for part in ["default-src 'none'", "frame-ancestors 'none'", "base-uri 'none'", "form-action 'self'"] {
        assert!(POLICY.contains(part), "{part} in {}", POLICY.as_str());
    }
    assert!(!POLICY.contains("unsafe") && !POLICY.contains("http") && !POLICY.contains('*'), "{}", POLICY.as_str());
    let page = page(&app).await;
    for outside in ["src=", "@import", "url(", " style=", "onclick", "javascript:"] {
        assert!(!page.contains(outside), "{outside} stands in the page");
    }
    let function = Manifest::read(std::path::Path::new(env!("CARGO_MANIFEST_DIR"))).unwrap();
    assert_eq!(function.function("Dashboard").unwrap().auth_level(), Some(AuthLevel::Function));
    app.finish().await;
}

#[tokio::test]
async fn what_was_said_comes_masked_once_the_log_has_it() {
    let app = Rtvoice::with(&[("STORE_PII", "encrypted")]);
    app.event("CallConnected", "call-1", "e1").await.ok();
    app.turn("call-1", "t1", "my number is 4255550123 thank you").await.ok();
    app.quiesce().await;
    app.deliver_queue().await;
    let token = name(&app, "call-1").await;
    let shown = ask(&app, "", &format!("call={token}")).await;
    let page = text(&shown);
    assert!(page.contains("my number is [PHONE_NUMBER] thank you") && !page.contains("4255550123"), "{page}");
    assert!(page.contains("<h2 id=\"h-now\">Now</h2>"), "the figures stand beside it");
    let notes = audited(&app, "call.read");
    assert_eq!((notes.len(), &notes[0]["actor"], &notes[0]["count"]), (1, &json!("function:Dashboard"), &json!(1)), "{notes:?}");
    assert!(notes[0].to_string().contains("call-1") || !notes[0]["call"].is_null(), "{}", notes[0]);
    assert!(!page.contains("call-1"), "{page}");
    let turns = ask(&app, "?format=json", &format!("call={token}")).await.ok();
    assert_eq!((&turns["call"], &turns["turns"][0]["user"]), (&json!(token), &json!("my number is [PHONE_NUMBER] thank you")));
    assert!(ask(&app, "?format=live", "call=call-1").await.ok()["html"].as_str().unwrap().contains("[PHONE_NUMBER]"));
    assert_eq!(audited(&app, "call.read").len(), 3, "each time that somebody reads it");
    app.finish().await;
}

#[tokio::test]
async fn what_somebody_says_is_text_and_no_markup() {
    let app = Rtvoice::start();
    app.event("CallConnected", "call-1", "e1").await.ok();
    app.turn("call-1", "t1", "</li><script>alert(1)</script> \"'& <img src=x onerror=alert(2)> \u{202e}").await.ok();
    for answer in [text(&ask(&app, "", "call=call-1").await), ask(&app, "?format=live", "call=call-1").await.ok()["html"].as_str().unwrap().to_owned()] {
        assert!(answer.contains("&lt;/li&gt;&lt;script&gt;alert(1)&lt;/script&gt; &quot;&#39;&amp; &lt;img src=x onerror=alert(2)&gt;"), "{answer}");
        assert!(!answer.contains("<script>alert") && !answer.contains("<img") && !answer.contains('\u{202e}'), "{answer}");
    }
    app.finish().await;
}

#[tokio::test]
async fn what_is_asked_wrongly_is_refused_and_nobody_else_may_ask() {
    let app = Rtvoice::start();
    app.event("CallConnected", "call-1", "e1").await.ok();
    app.turn("call-1", "t1", "hello").await.ok();
    for form in ["", "call=", "caller=call-1", "call=call-1&call=call-2", "call=a%3Cb%3E", "{\"call\":\"call-1\"}"] {
        let answer = ask(&app, "", form).await;
        assert_eq!((answer.status, answer.json()["type"].as_str()), (400, Some("urn:rtvoice:problem:bad-input")), "{form}");
    }
    ask(&app, "", "call=call-2").await.problem(404, "not-found", "");
    ask(&app, "", &format!("call={}", name(&app, "call-2").await)).await.problem(404, "not-found", "");
    app.get("/api/dashboard?format=xml").await.problem(400, "bad-input", "format");
    for site in ["cross-site", "same-site"] {
        let headers = [FORM[0], ("sec-fetch-site", site)];
        app.send(Method::POST, PATH, &headers, "call=call-1").await.problem(400, "bad-input", "Sec-Fetch-Site");
    }
    assert!(audited(&app, "call.read").is_empty(), "nothing was read");
    let own = app.send(Method::POST, PATH, &[FORM[0], ("sec-fetch-site", "same-origin")], "call=call-1").await;
    assert_eq!((own.status, audited(&app, "call.read").len()), (200, 1));
    app.finish().await;
}

#[tokio::test(start_paused = true)]
async fn a_look_is_shared_for_two_seconds() {
    let app = Rtvoice::start();
    assert_eq!(figures(&app).await["calls"]["looked"], 0);
    app.event("CallConnected", "call-1", "e1").await.ok();
    assert_eq!(figures(&app).await["calls"]["looked"], 0, "the same look");
    tokio::time::advance(Duration::from_millis(2_100)).await;
    assert_eq!(figures(&app).await["calls"]["looked"], 1);
    app.finish().await;
}

#[tokio::test(start_paused = true)]
async fn what_cannot_be_read_is_named_and_the_rest_stands() {
    let app = Rtvoice::start();
    app.event("CallConnected", "call-1", "e1").await.ok();
    app.state.fail(Fault::Hang);
    app.documents.fail(Fault::Away);
    let now = figures(&app).await;
    assert!(now["calls"]["failed"].as_str().is_some_and(|reason| !reason.is_empty()), "{now}");
    assert!(now["keeping"]["failed"].as_str().is_some() && now["flow"]["outboxDepth"].is_null(), "{now}");
    assert_eq!((&now["health"]["redis_connectivity"]["status"], &now["health"]["queue"]["status"]), (&json!("unhealthy"), &json!("healthy")));
    let page = page(&app).await;
    assert!(
        page.contains("Health is not as it should be") && page.contains("not known") && page.contains("Runbook redis-unavailable: is the server up"),
        "{page}"
    );
    app.state.heal();
    app.documents.heal();
    app.finish().await;
}

#[tokio::test]
async fn what_fires_leads_to_its_runbook() {
    let app = Rtvoice::start();
    app.app.metrics.set(REDIS_MEMORY_SHARE, Only, 0.9);
    app.tick("AlertEvaluator").await.ok();
    app.clock.advance_millis(65_000);
    let now = figures(&app).await;
    let firing: Vec<&Value> = now["alerts"].as_array().unwrap().iter().filter(|standing| !standing["episode"].is_null()).collect();
    assert_eq!(firing.iter().map(|standing| &standing["rule"]["name"]).collect::<Vec<_>>(), ["redis-memory-critical", "redis-memory-high"]);
    let page = page(&app).await;
    for part in ["<title>2 firing", "for 65\u{a0}s", "fires above 85 %", "alerts: redis-memory-critical, redis-memory-high"] {
        assert!(page.contains(part), "{part} in {page}");
    }
    for rule in RULES.iter() {
        assert!(page.contains(&format!("href=\"#runbook-{}\"", rule.runbook)), "{}", rule.name);
        assert_eq!(page.matches(&format!("id=\"runbook-{}\"", rule.runbook)).count(), 1, "{}", rule.name);
    }
    app.finish().await;
}

#[tokio::test]
async fn charts_show_what_was_measured_against_what_it_is_held_to() {
    let app = Rtvoice::start();
    for _ in 0..300 {
        app.app.metrics.record(REDIS_OPS, RedisOp::Script, 7_000);
        app.app.metrics.record(TURN_STAGES, Stage::Total, 40_000);
        app.app.metrics.record(TTL_WRITTEN, TtlKind::Session, 7_200);
    }
    app.app.metrics.set(CIRCUIT_OPEN, Dependency::Speech, 1.0);
    app.app.windows.take(&app.app.metrics, app.clock_now()).await;
    app.app.windows.share(app.app.board.as_ref()).await.unwrap();
    app.clock.advance_millis(10_000);
    let now = figures(&app).await;
    let chart = |id: &str| now["tenMinutes"].as_array().unwrap().iter().find(|chart| chart["id"] == id).unwrap().clone();
    let last = |chart: &Value, line: usize| chart["lines"][line]["values"][59].as_f64();
    let redis = chart("redis-time");
    assert!(last(&redis, 0).is_some_and(|p95| (6.5..8.0).contains(&p95)), "{redis}");
    assert_eq!(redis["limits"], json!([{"of": "p95", "at": 2.0}, {"of": "p99", "at": 5.0}]));
    assert!(last(&chart("turn-time"), 1).is_some_and(|p95| (36.0..46.0).contains(&p95)), "{now}");
    assert_eq!((&now["now"]["redisSamples"], &now["lives"][0]["policy"], &now["lives"][0]["written"]), (&json!(300), &json!("session"), &json!(300)));
    let speech = now["circuits"].as_array().unwrap().iter().find(|circuit| circuit["dependency"] == "speech").unwrap();
    assert_eq!(speech["open"], true);
    let page = page(&app).await;
    assert!(page.contains("above the limit of 2 / 5 ms"), "{page}");
    assert!(page.contains("Redis operations over the last 10\u{a0}min. p95: ") && page.contains("Limit of p99: 5\u{a0}ms."), "{page}");
    app.finish().await;
}

#[tokio::test]
async fn the_parts_that_live_are_those_of_the_page() {
    let app = Rtvoice::start();
    let (page, live) = (page(&app).await, app.get("/api/dashboard?format=live").await.ok());
    let parts = live["parts"].as_object().unwrap();
    assert!(parts.len() >= 10);
    for (id, html) in parts {
        assert_eq!(page.matches(&format!("<div data-part=\"{id}\">{}</div>", html.as_str().unwrap())).count(), 1, "{id}");
    }
    assert!(page.contains(live["spoken"].as_str().unwrap()) && page.contains(&format!("<title>{}</title>", live["title"].as_str().unwrap())));
    app.finish().await;
}

#[tokio::test]
async fn far_above_its_limits_a_line_is_cut_off_and_says_so() {
    let app = Rtvoice::start();
    for (millis, label) in [(6, ">8</text>"), (90, ">≥20</text>")] {
        (0..50).for_each(|_| app.app.metrics.record(REDIS_OPS, RedisOp::Script, millis * 1_000));
        app.app.windows.take(&app.app.metrics, app.clock_now()).await;
        app.app.windows.share(app.app.board.as_ref()).await.unwrap();
        app.clock.advance_millis(10_000);
        tokio::time::pause();
        tokio::time::advance(Duration::from_secs(3)).await;
        tokio::time::resume();
        let page = page(&app).await;
        let chart = page.split("<figure").find(|figure| figure.contains("id=\"h-t-redis-time\"")).unwrap().to_owned();
        assert!(chart.contains(label) && chart.contains("p95 limit 2"), "{label} in {chart}");
    }
    app.finish().await;
}

/// A board that can be read and takes nothing, as of a Redis that is full.
struct Full(LocalBoard);

#[async_trait]
impl Board for Full {
    async fn add(&self, slots: &BTreeMap<Slot, Figures>) -> Result<()> {
        self.0.add(slots).await
    }

    async fn read(&self, grain: Grain, numbers: &[i64]) -> Result<Vec<Figures>> {
        self.0.read(grain, numbers).await
    }

    async fn open(&self, _rule: &str, _text: &str) -> Result<bool> {
        Err(Error::unavailable("the board", "full"))
    }

    async fn close(&self, _rule: &str, _by: &str) -> Result<bool> {
        Err(Error::unavailable("the board", "full"))
    }

    async fn episodes(&self) -> Result<BTreeMap<String, String>> {
        self.0.episodes().await
    }

    async fn silence(&self, rule: &str, silence: Option<&Silence>) -> Result<()> {
        self.0.silence(rule, silence).await
    }

    async fn silences(&self) -> Result<BTreeMap<String, Silence>> {
        self.0.silences().await
    }

    async fn server(&self) -> Result<Option<ServerLoad>> {
        self.0.server().await
    }

    async fn probe(&self) -> Result<()> {
        self.0.probe().await
    }
}

#[tokio::test]
async fn an_alert_that_the_board_does_not_take_is_shown_all_the_same() {
    let app = Rtvoice::start();
    let on_full = App::from_parts(Parts { board: Arc::new(Full(LocalBoard::default())), ..parts(&app) });
    on_full.metrics.set(REDIS_MEMORY_SHARE, Only, 0.9);
    on_full.windows.take(&on_full.metrics, app.clock_now()).await;
    on_full.windows.share(on_full.board.as_ref()).await.unwrap();
    let view = on_full.windows.view(on_full.board.as_ref(), app.clock_now()).await;
    alerts::judge(&on_full, &view).await;
    let now = alerts::now(&on_full, &view).await;
    let firing: Vec<&str> = now.iter().filter(|standing| standing.episode.is_some()).map(|standing| standing.rule.name.as_str()).collect();
    assert_eq!(firing, ["redis-memory-critical", "redis-memory-high"]);
    app.finish().await;
}
