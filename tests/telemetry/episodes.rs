//! Episodes of alerts: they begin and end at different limits, and of several instances that judge alike one alone tells.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use rtvoice::app::{App, Parts};
use rtvoice::error::Result;
use rtvoice::ports::board::local::LocalBoard;
use rtvoice::ports::board::{Board, Grain, ServerLoad, Silence, Slot};
use rtvoice::steps::{alerts, watch};
use rtvoice::telemetry::Figures;
use rtvoice::telemetry::label::{Only, SetupOutcome};
use rtvoice::telemetry::metric::{CALL_SETUPS, REDIS_MEMORY_SHARE};
use serde_json::Value;
use wiremock::matchers::any;
use wiremock::{Mock, MockServer, ResponseTemplate};

use crate::functions::compliance_report::parts;
use crate::harness::app::Rtvoice;

async fn receiver() -> MockServer {
    let server = MockServer::start().await;
    Mock::given(any()).respond_with(ResponseTemplate::new(202)).mount(&server).await;
    server
}

/// What was told of a rule, in order.
async fn told(server: &MockServer, rule: &str) -> Vec<String> {
    let requests = server.received_requests().await.unwrap();
    let bodies = requests.iter().map(|request| request.body_json::<Value>().unwrap());
    bodies.filter(|body| body["rule"] == rule).map(|body| body["state"].as_str().unwrap().to_owned()).collect()
}

#[tokio::test]
async fn an_alert_ends_at_another_limit_than_it_begins() {
    let server = receiver().await;
    let app = Rtvoice::with(&[("ALERT_WEBHOOK_URL", &server.uri())]);
    // redis-memory-critical begins above 85 % and ends at 80 %.
    let (fires, over) = (vec!["firing".to_owned()], vec!["firing".to_owned(), "resolved".to_owned()]);
    for (share, expected) in
        [(0.84, &Vec::new()), (0.85, &Vec::new()), (0.86, &fires), (0.85, &fires), (0.81, &fires), (0.86, &fires), (0.80, &over), (0.84, &over), (0.85, &over)]
    {
        app.app.metrics.set(REDIS_MEMORY_SHARE, Only, share);
        app.tick("AlertEvaluator").await.ok();
        app.clock.advance_millis(10_000);
        assert_eq!(&told(&server, "redis-memory-critical").await, expected, "at {share}");
    }
    app.finish().await;
}

/// A board as somebody sees it who looked at the episodes a moment ago.
struct Late {
    board: Arc<dyn Board>,
    seen: Mutex<BTreeMap<String, String>>,
}

#[async_trait]
impl Board for Late {
    async fn add(&self, slots: &BTreeMap<Slot, Figures>) -> Result<()> {
        self.board.add(slots).await
    }

    async fn read(&self, grain: Grain, numbers: &[i64]) -> Result<Vec<Figures>> {
        self.board.read(grain, numbers).await
    }

    async fn open(&self, rule: &str, text: &str) -> Result<bool> {
        self.board.open(rule, text).await
    }

    async fn close(&self, rule: &str, by: &str) -> Result<bool> {
        self.board.close(rule, by).await
    }

    async fn episodes(&self) -> Result<BTreeMap<String, String>> {
        let now = self.board.episodes().await?;
        Ok(std::mem::replace(&mut self.seen.lock().unwrap(), now))
    }

    async fn silence(&self, rule: &str, silence: Option<&Silence>) -> Result<()> {
        self.board.silence(rule, silence).await
    }

    async fn silences(&self) -> Result<BTreeMap<String, Silence>> {
        self.board.silences().await
    }

    async fn server(&self) -> Result<Option<ServerLoad>> {
        self.board.server().await
    }

    async fn probe(&self) -> Result<()> {
        self.board.probe().await
    }
}

#[tokio::test]
async fn instances_judge_by_what_all_of_them_counted_and_one_of_them_tells() {
    let server = receiver().await;
    let app = Rtvoice::with(&[("ALERT_WEBHOOK_URL", &server.uri())]);
    let board: Arc<dyn Board> = Arc::new(LocalBoard::default());
    let instance = |board: Arc<dyn Board>| App::from_parts(Parts { board, metrics: Arc::default(), ..parts(&app) });
    let late = Late { board: Arc::clone(&board), seen: Mutex::default() };
    let (first, second) = (instance(board), instance(Arc::new(late)));
    // Too few on either to say anything: twenty are needed.
    for instance in [&first, &second] {
        instance.metrics.add(CALL_SETUPS, SetupOutcome::Failed, 3);
        instance.metrics.add(CALL_SETUPS, SetupOutcome::Ok, 9);
    }
    watch::round(&first).await;
    assert!(told(&server, "call-setup-failed").await.is_empty(), "twelve say nothing");
    // The second one shares what it counted, and both see 24 now; it does not see yet that the first has opened the episode.
    second.windows.take(&second.metrics, app.clock_now()).await;
    second.windows.share(second.board.as_ref()).await.unwrap();
    let view = first.windows.view(first.board.as_ref(), app.clock_now()).await;
    alerts::judge(&first, &view).await;
    assert_eq!(told(&server, "call-setup-failed").await, ["firing"]);
    alerts::judge(&second, &view).await;
    assert_eq!(told(&server, "call-setup-failed").await, ["firing"], "who came second tells nothing");
    app.clock.advance_millis(140_000);
    let view = first.windows.view(first.board.as_ref(), app.clock_now()).await;
    alerts::judge(&first, &view).await;
    alerts::judge(&second, &view).await;
    assert_eq!(told(&server, "call-setup-failed").await, ["firing", "resolved"], "nor when it ends");
    app.finish().await;
}
