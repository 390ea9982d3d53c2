//! Alerts while Redis is away: instances that cannot see each other tell of an episode once all the same, and of its end once.

use std::sync::Arc;

use rtvoice::app::{App, Parts};
use rtvoice::ports::board::local::LocalBoard;
use rtvoice::ports::board::{Board, Silence};
use rtvoice::ports::documents::{Container, Documents as _};
use rtvoice::steps::watch;
use rtvoice::telemetry::label::SetupOutcome;
use rtvoice::telemetry::metric::CALL_SETUPS;
use serde_json::Value;
use wiremock::matchers::any;
use wiremock::{Mock, MockServer, ResponseTemplate};

use crate::functions::compliance_report::parts;
use crate::harness::app::Rtvoice;
use crate::harness::board::Telling;
use crate::harness::faults::Fault;

const RULE: &str = "call-setup-failed";

/// Instances of one app, each with its own way to one board.
struct Instances {
    app: Rtvoice,
    server: MockServer,
    board: Arc<LocalBoard>,
    all: Vec<(App, Arc<Telling>)>,
}

impl Instances {
    async fn start(count: usize) -> Self {
        let server = MockServer::start().await;
        Mock::given(any()).respond_with(ResponseTemplate::new(202)).mount(&server).await;
        let app = Rtvoice::with(&[("ALERT_WEBHOOK_URL", &server.uri())]);
        let mut instances = Self { app, server, board: Arc::default(), all: Vec::new() };
        (0..count).for_each(|_| instances.another());
        instances
    }

    fn another(&mut self) {
        let way = Arc::new(Telling::new(Arc::clone(&self.board) as Arc<dyn Board>));
        let app = App::from_parts(Parts { board: Arc::clone(&way) as _, metrics: Arc::default(), ..parts(&self.app) });
        self.all.push((app, way));
    }

    fn gone(&self, gone: bool) {
        self.all.iter().for_each(|(_, way)| way.gone(gone));
    }

    /// Set-ups fail on this instance.
    fn failing(&self, instance: usize) {
        self.all[instance].0.metrics.add(CALL_SETUPS, SetupOutcome::Failed, 30);
    }

    /// Rounds of all at once, every 5 s.
    async fn rounds(&self, count: usize) {
        for _ in 0..count {
            futures::future::join_all(self.all.iter().map(|(app, _)| watch::round(app))).await;
            self.app.clock.advance_millis(5_000);
        }
    }

    /// What was told of the rule: its state, and of which episode.
    async fn told(&self) -> Vec<(String, String)> {
        let requests = self.server.received_requests().await.unwrap();
        let bodies = requests.iter().map(|request| request.body_json::<Value>().unwrap()).filter(|body| body["rule"] == RULE);
        let text = |body: &Value, field: &str| body[field].as_str().unwrap().to_owned();
        bodies.map(|body| (text(&body, "state"), text(&body, "episode"))).collect()
    }

    #[track_caller]
    fn states(told: &[(String, String)]) -> Vec<&str> {
        told.iter().map(|(state, _)| state.as_str()).collect()
    }

    /// The episodes of the rule that are over, as they are kept.
    async fn over(&self) -> usize {
        let page = self.app.beneath().list(Container::Metrics, "2026-03-10-alerts", "", None, 100).await.unwrap();
        page.documents.iter().filter(|document| document.body["rule"] == RULE).count()
    }

    /// Until nothing of it is in the window any more, nor was seen of late.
    async fn over_at_last(&self) {
        self.rounds(45).await;
    }
}

#[tokio::test]
async fn an_episode_without_the_board_is_told_once_and_ends_once() {
    let instances = Instances::start(2).await;
    instances.gone(true);
    instances.failing(0);
    instances.failing(1);
    instances.rounds(4).await;
    assert_eq!(Instances::states(&instances.told().await), ["firing"]);
    instances.over_at_last().await;
    let told = instances.told().await;
    assert_eq!(Instances::states(&told), ["firing", "resolved"]);
    assert_eq!((told[0].1 == told[1].1, instances.over().await), (true, 1));
    // The same again: an episode of its own.
    instances.failing(1);
    instances.over_at_last().await;
    let told = instances.told().await;
    assert_eq!(Instances::states(&told), ["firing", "resolved", "firing", "resolved"]);
    assert!(told[1].1 != told[2].1 && told[2].1 == told[3].1, "{told:?}");
    instances.gone(false);
    instances.rounds(3).await;
    assert_eq!(instances.told().await.len(), 4, "nothing more is told once the board is back");
    assert!(!instances.board.episodes().await.unwrap().contains_key(RULE));
    instances.app.finish().await;
}

#[tokio::test]
async fn one_that_sees_nothing_wrong_ends_nothing() {
    let instances = Instances::start(2).await;
    instances.gone(true);
    for _ in 0..20 {
        instances.failing(0);
        instances.rounds(1).await;
    }
    assert_eq!(Instances::states(&instances.told().await), ["firing"], "the other one has no call at all");
    instances.over_at_last().await;
    assert_eq!(Instances::states(&instances.told().await), ["firing", "resolved"]);
    instances.app.finish().await;
}

#[tokio::test]
async fn what_began_before_the_board_went_is_not_told_again_and_its_end_is_the_boards() {
    let instances = Instances::start(2).await;
    instances.failing(0);
    instances.failing(1);
    instances.rounds(2).await;
    assert_eq!(Instances::states(&instances.told().await), ["firing"]);
    instances.gone(true);
    instances.failing(0);
    instances.failing(1);
    instances.rounds(3).await;
    assert_eq!(Instances::states(&instances.told().await), ["firing"], "it goes on");
    instances.over_at_last().await;
    assert_eq!(Instances::states(&instances.told().await), ["firing"], "whether others still see it nobody knows");
    // One is back before the other.
    instances.all[1].1.gone(false);
    instances.rounds(2).await;
    assert!(!instances.board.episodes().await.unwrap().contains_key(RULE));
    instances.gone(false);
    instances.rounds(2).await;
    let told = instances.told().await;
    assert_eq!(Instances::states(&told), ["firing", "resolved"], "told once");
    assert_eq!(told[0].1, told[1].1, "it is the same one");
    instances.app.finish().await;
}

#[tokio::test]
async fn who_alone_cannot_reach_the_board_ends_nothing_that_others_see() {
    let instances = Instances::start(2).await;
    instances.failing(1);
    instances.rounds(2).await;
    assert_eq!(Instances::states(&instances.told().await), ["firing"]);
    instances.all[0].1.gone(true);
    for _ in 0..30 {
        instances.failing(1);
        instances.rounds(1).await;
    }
    assert_eq!(Instances::states(&instances.told().await), ["firing"], "it goes on where the calls are");
    // It ends on the board while one is still away: who comes back neither opens it again nor tells.
    instances.over_at_last().await;
    assert_eq!(Instances::states(&instances.told().await), ["firing", "resolved"]);
    instances.gone(false);
    instances.rounds(3).await;
    assert_eq!(instances.told().await.len(), 2);
    assert!(!instances.board.episodes().await.unwrap().contains_key(RULE));
    instances.app.finish().await;
}

#[tokio::test]
async fn a_board_that_forgot_ends_what_it_had_all_the_same() {
    let instances = Instances::start(1).await;
    instances.failing(0);
    instances.rounds(2).await;
    instances.gone(true);
    instances.rounds(2).await;
    // The store comes back empty.
    instances.board.close(RULE, "forgotten").await.unwrap();
    instances.gone(false);
    instances.over_at_last().await;
    let told = instances.told().await;
    assert_eq!(Instances::states(&told), ["firing", "resolved"]);
    assert_eq!(told[0].1, told[1].1, "it is the same one");
    instances.app.finish().await;
}

#[tokio::test]
async fn a_board_that_is_back_gets_what_fires_and_nobody_is_told_again() {
    let mut instances = Instances::start(2).await;
    instances.gone(true);
    instances.failing(0);
    instances.failing(1);
    instances.rounds(2).await;
    // One that starts meanwhile finds it in the record.
    instances.another();
    instances.gone(true);
    instances.failing(2);
    instances.rounds(2).await;
    assert_eq!(Instances::states(&instances.told().await), ["firing"]);
    let id = instances.told().await[0].1.clone();
    instances.all[0].1.gone(false);
    instances.rounds(1).await;
    let there = instances.board.episodes().await.unwrap();
    assert!(there[RULE].contains(&id), "{there:?}");
    // It ends on the board, while others still cannot see it, and are back later.
    instances.rounds(40).await;
    assert_eq!(Instances::states(&instances.told().await), ["firing", "resolved"]);
    instances.gone(false);
    instances.rounds(10).await;
    assert_eq!(Instances::states(&instances.told().await), ["firing", "resolved"]);
    assert!(!instances.board.episodes().await.unwrap().contains_key(RULE));
    instances.app.finish().await;
}

#[tokio::test]
async fn without_board_and_record_each_tells_rather_than_none() {
    let instances = Instances::start(2).await;
    instances.gone(true);
    instances.app.documents.fail(Fault::Away);
    instances.failing(0);
    instances.failing(1);
    instances.rounds(3).await;
    assert_eq!(Instances::states(&instances.told().await), ["firing", "firing"]);
    instances.app.documents.heal();
    instances.rounds(3).await;
    assert_eq!(instances.told().await.len(), 2, "and agrees with the others once it can");
    instances.over_at_last().await;
    assert_eq!(Instances::states(&instances.told().await), ["firing", "firing", "resolved"]);
    instances.app.finish().await;
}

#[tokio::test]
async fn what_is_silent_stays_so_without_the_board() {
    let instances = Instances::start(1).await;
    let until = instances.app.clock_now().plus_millis(600_000);
    instances.board.silence(RULE, Some(&Silence { from: None, until, why: "planned".to_owned() })).await.unwrap();
    instances.rounds(1).await;
    instances.gone(true);
    instances.failing(0);
    instances.rounds(3).await;
    assert!(instances.told().await.is_empty());
    instances.app.finish().await;
}
