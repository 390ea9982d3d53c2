//! The board: what instances share adds up, and of many who open or close an episode one alone is told so. On both backends.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use rtvoice::model::time::Timestamp;
use rtvoice::ports::board::local::LocalBoard;
use rtvoice::ports::board::{Board, Grain, Silence};
use rtvoice::ports::state::StateHealth as _;
use rtvoice::ports::state::redis::AsyncAzureRedisManager;
use rtvoice::steps::watch::Windows;
use rtvoice::telemetry::Metrics;
use rtvoice::telemetry::label::{Only, Stage, TurnOutcome};
use rtvoice::telemetry::metric::{OUTBOX_DEPTH, TURN_STAGES, TURNS};

use crate::harness::app::START;
use crate::harness::redis::{RedisCluster, RedisServer, config_for};

async fn adds_up_over_instances(board: Arc<dyn Board>) {
    let (a, b) = (Metrics::default(), Metrics::default());
    let (first, second) = (Windows::new(1.0), Windows::new(1.0));
    for (metrics, windows, n) in [(&a, &first, 3_u64), (&b, &second, 4)] {
        for value in 0..n {
            metrics.count(TURNS, TurnOutcome::Answered);
            metrics.record(TURN_STAGES, Stage::Total, 1000 * value);
        }
        metrics.set(OUTBOX_DEPTH, Only, n as f64);
        windows.take(metrics, START).await;
        windows.share(board.as_ref()).await.unwrap();
        // Nothing has come since: nothing is added.
        windows.take(metrics, START.plus_millis(10)).await;
        windows.share(board.as_ref()).await.unwrap();
    }
    for windows in [&first, &second, &Windows::new(1.0)] {
        let view = windows.view(board.as_ref(), START.plus_millis(5_000)).await;
        assert!(view.shared);
        for seconds in [60, 3600] {
            let figures = view.last(seconds);
            assert_eq!(figures.count(TURNS, TurnOutcome::Answered), 7, "over {seconds} s");
            assert_eq!(figures.spread(TURN_STAGES, Stage::Total).sum, 9_000);
            assert!(figures.gauge(OUTBOX_DEPTH, Only).is_some());
        }
    }
    let later = first.view(board.as_ref(), START.plus_millis(700_000)).await;
    assert_eq!((later.last(60).all(TURNS), later.last(3600).all(TURNS)), (0, 7));
}

/// What an instance set long ago does not stand in the way of what another one has set since.
#[tokio::test]
async fn an_old_gauge_does_not_come_back() {
    let board = LocalBoard::default();
    let (a, b) = (Metrics::default(), Metrics::default());
    let (first, second) = (Windows::new(1.0), Windows::new(1.0));
    a.set(OUTBOX_DEPTH, Only, 50.0);
    for seconds in (0..=600).step_by(5) {
        if seconds == 120 {
            b.set(OUTBOX_DEPTH, Only, 0.0);
        }
        for (metrics, windows) in [(&b, &second), (&a, &first)] {
            windows.take(metrics, START.plus_millis(seconds * 1000)).await;
            windows.share(&board).await.unwrap();
        }
        let view = first.view(&board, START.plus_millis(seconds * 1000)).await;
        let now = if seconds < 120 { 50.0 } else { 0.0 };
        let depth = rtvoice::telemetry::Series::parse("outbox.depth").unwrap();
        assert_eq!((view.last(600).gauge(OUTBOX_DEPTH, Only), view.gauges(600).get(&depth)), (Some(now), Some(&now)), "after {seconds} s");
    }
}

async fn one_opens_and_one_closes(board: Arc<dyn Board>) {
    assert!(board.episodes().await.unwrap().is_empty());
    for _ in 0..2 {
        let opened = futures::future::join_all((0..8).map(|n| {
            let board = Arc::clone(&board);
            async move { board.open("redis-slow", &format!("text {n}")).await.unwrap() }
        }));
        assert_eq!(opened.await.into_iter().filter(|mine| *mine).count(), 1);
        assert_eq!(board.episodes().await.unwrap().keys().collect::<Vec<_>>(), ["redis-slow"]);
        let closed = futures::future::join_all((0..8).map(|n| {
            let board = Arc::clone(&board);
            async move { board.close("redis-slow", &format!("closer {n}")).await.unwrap() }
        }));
        assert_eq!(closed.await.into_iter().filter(|mine| *mine).count(), 1);
        assert!(board.episodes().await.unwrap().is_empty());
    }
    let silence =
        |from: Option<i64>| Silence { from: from.map(Timestamp::from_millis), until: Timestamp::from_millis(17), why: "a rehearsal-of ours".to_owned() };
    for silence in [silence(None), silence(Some(11))] {
        board.silence("*", Some(&silence)).await.unwrap();
        assert_eq!(board.silences().await.unwrap(), BTreeMap::from([("*".to_owned(), silence)]));
    }
    board.silence("*", None).await.unwrap();
    assert!(board.silences().await.unwrap().is_empty());
    board.probe().await.unwrap();
}

#[tokio::test]
async fn figures_add_up_in_the_process() {
    adds_up_over_instances(Arc::new(LocalBoard::default())).await;
}

#[tokio::test]
async fn episodes_are_opened_and_closed_once_in_the_process() {
    one_opens_and_one_closes(Arc::new(LocalBoard::default())).await;
}

fn on(server: &RedisServer) -> Arc<AsyncAzureRedisManager> {
    Arc::new(AsyncAzureRedisManager::new(&config_for(&server.settings()), None).unwrap())
}

#[tokio::test]
async fn figures_add_up_on_redis() {
    let server = RedisServer::single();
    adds_up_over_instances(on(&server)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cluster_is_a_board_too() {
    let cluster = RedisCluster::start();
    let board = Arc::new(AsyncAzureRedisManager::new(&config_for(&cluster.settings()), None).unwrap());
    // The first connection to all nodes takes longer than one operation has.
    let connected = async { while board.check().await.is_err() {} };
    tokio::time::timeout(Duration::from_secs(20), connected).await.expect("it connects");
    adds_up_over_instances(Arc::clone(&board) as _).await;
    one_opens_and_one_closes(Arc::clone(&board) as _).await;
    let load = board.server().await.unwrap().expect("there is a server");
    assert!(load.keys >= 2 && load.keys == load.expiring, "{load:?}");
}

#[tokio::test]
async fn episodes_are_opened_and_closed_once_on_redis_and_every_key_expires() {
    let server = RedisServer::single();
    let board = on(&server);
    one_opens_and_one_closes(Arc::clone(&board) as _).await;
    board.open("redis-slow", "text").await.unwrap();
    let windows = Windows::new(1.0);
    let metrics = Metrics::default();
    metrics.count(TURNS, TurnOutcome::Answered);
    windows.take(&metrics, START).await;
    windows.share(board.as_ref()).await.unwrap();
    let load = board.server().await.unwrap().expect("there is a server");
    assert!(load.keys >= 4 && load.keys == load.expiring, "{load:?}");
    assert!(load.memory_used > 0 && load.clients > 0, "{load:?}");
}

#[tokio::test]
async fn while_the_board_is_away_an_instance_goes_by_itself_and_shares_it_later() {
    let server = RedisServer::single();
    let mut settings = server.settings();
    settings.retain(|(name, _)| *name != "REDIS_PORT");
    settings.push(("REDIS_PORT", "1".to_owned()));
    let away: Arc<dyn Board> = Arc::new(AsyncAzureRedisManager::new(&config_for(&settings), None).unwrap());
    let (metrics, windows) = (Metrics::default(), Windows::new(1.0));
    metrics.count(TURNS, TurnOutcome::Answered);
    windows.take(&metrics, START).await;
    windows.share(away.as_ref()).await.expect_err("it is away");
    let view = windows.view(away.as_ref(), START).await;
    assert_eq!((view.shared, view.last(60).all(TURNS)), (false, 1));
    let back = on(&server);
    windows.share(back.as_ref()).await.unwrap();
    let fine = START.millis() / Grain::Fine.millis();
    assert_eq!(back.read(Grain::Fine, &[fine]).await.unwrap()[0].all(TURNS), 1, "under the slot in which it was counted");
}
