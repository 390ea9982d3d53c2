//! Ready: the aggregate status alone, for load balancers, by what health last saw.

use std::time::Duration;

use rtvoice::steps::health;
use serde_json::json;
use tokio_util::sync::CancellationToken;

use crate::harness::app::Rtvoice;
use crate::harness::faults::Fault;

/// Somebody asks Health after this long, which looks anew.
async fn seen_after(app: &Rtvoice, wait: Duration) {
    tokio::time::advance(wait).await;
    app.get("/api/health").await;
}

#[tokio::test]
async fn it_says_healthy_and_nothing_else() {
    let app = Rtvoice::start();
    assert_eq!(app.get("/api/ready").await.ok(), json!({"status": "healthy"}));
    app.finish().await;
}

#[tokio::test(start_paused = true)]
async fn it_costs_nothing_once_there_was_a_look() {
    let app = Rtvoice::start();
    app.get("/api/ready").await.ok();
    assert_eq!(app.state.calls(), ["ping", "check"]);
    assert_eq!((app.documents.calls(), app.queue.calls()), (vec!["check"], vec!["check"]));
    for _ in 0..50 {
        tokio::time::advance(Duration::from_secs(1)).await;
        app.get("/api/ready").await.ok();
    }
    assert_eq!((app.state.calls(), app.documents.calls(), app.queue.calls()), (vec![], vec![], vec![]));
    app.finish().await;
}

#[tokio::test(start_paused = true)]
async fn without_documents_or_queue_it_serves_on_degraded() {
    let app = Rtvoice::start();
    for switch in [&app.documents, &app.queue] {
        switch.fail(Fault::Away);
        seen_after(&app, Duration::from_secs(31)).await;
        assert_eq!(app.get("/api/ready").await.ok(), json!({"status": "degraded"}));
        switch.heal();
    }
    app.finish().await;
}

#[tokio::test(start_paused = true)]
async fn without_state_for_long_it_is_unhealthy_until_the_state_is_back() {
    let app = Rtvoice::start();
    app.state.fail(Fault::Away);
    assert_eq!(app.get("/api/ready").await.ok(), json!({"status": "degraded"}), "a failover of a moment takes nobody out");
    tokio::time::advance(Duration::from_millis(5_000)).await;
    app.get("/api/ready").await.ok();
    tokio::time::advance(Duration::from_millis(1)).await;
    let answer = app.get("/api/ready").await;
    assert_eq!((answer.status, answer.json()), (503, json!({"status": "unhealthy"})), "it is counted, nobody has to look");
    app.state.heal();
    seen_after(&app, Duration::from_millis(1_001)).await;
    assert_eq!(app.get("/api/ready").await.ok(), json!({"status": "healthy"}), "what is away is looked for each second");
    app.finish().await;
}

#[tokio::test(start_paused = true)]
async fn the_watch_sees_within_a_second_that_the_state_store_is_away_and_back() {
    let app = Rtvoice::start();
    let stop = CancellationToken::new();
    let (watched, until) = (app.app.clone(), stop.clone());
    let watching = tokio::spawn(async move { health::keep_looking(&watched, &until).await });
    tokio::time::sleep(Duration::from_millis(2_500)).await;
    assert_eq!(app.get("/api/ready").await.ok(), json!({"status": "healthy"}));
    app.state.fail(Fault::Away);
    app.server.away(true);
    tokio::time::sleep(Duration::from_millis(1_000)).await;
    assert_eq!(app.get("/api/ready").await.ok(), json!({"status": "degraded"}));
    tokio::time::sleep(Duration::from_millis(5_000)).await;
    assert_eq!(app.get("/api/ready").await.status, 503, "six seconds after it went");
    app.state.heal();
    app.server.away(false);
    tokio::time::sleep(Duration::from_millis(1_100)).await;
    assert_eq!(app.get("/api/ready").await.ok(), json!({"status": "healthy"}));
    stop.cancel();
    watching.await.unwrap();
    app.finish().await;
}

#[tokio::test]
async fn many_who_ask_at_once_share_one_look() {
    let app = Rtvoice::start();
    futures::future::join_all((0..20).map(|_| app.get("/api/ready"))).await.iter().for_each(|a| assert_eq!(a.status, 200));
    assert_eq!(app.state.calls(), ["ping", "check"]);
    app.finish().await;
}

#[tokio::test(start_paused = true)]
async fn what_costs_money_is_looked_at_every_half_minute() {
    let app = Rtvoice::start();
    for _ in 0..29 {
        app.get("/api/health").await.ok();
        tokio::time::advance(Duration::from_millis(1_001)).await;
    }
    assert_eq!((app.documents.calls(), app.queue.calls()), (vec!["check"], vec!["check"]));
    let of_the_state = app.state.calls();
    assert_eq!((of_the_state.len(), of_the_state.iter().filter(|call| **call == "check").count()), (7, 1), "a look is good for 5 s: {of_the_state:?}");
    tokio::time::advance(Duration::from_secs(1)).await;
    app.get("/api/health").await.ok();
    assert_eq!((app.documents.calls(), app.queue.calls()), (vec!["check"], vec!["check"]));
    app.finish().await;
}

#[tokio::test(start_paused = true)]
async fn a_state_store_that_may_evict_calls_is_unhealthy_in_production_also_after_a_degraded_start() {
    for (environment, status, http) in [("prod", "unhealthy", 503), ("staging", "unhealthy", 503), ("dev", "degraded", 200)] {
        let app = Rtvoice::with(&[("ENVIRONMENT", environment), ("ALLOW_EMBEDDED", "true")]);
        app.state.fail(Fault::Away);
        assert_eq!(app.get("/api/ready").await.ok(), json!({"status": "degraded"}));
        app.state.heal();
        app.state.fail_in("check", Fault::Unfit);
        seen_after(&app, Duration::from_millis(5_001)).await;
        let answer = app.get("/api/ready").await;
        assert_eq!((answer.status, answer.json()), (http, json!({"status": status})), "{environment}");
        let report = app.get("/api/health").await.json();
        let check = &report["details"]["redis_connectivity"];
        assert_eq!((&check["status"], &check["reason"]), (&json!("unhealthy"), &json!("the backend is set up wrong")));
        app.state.heal();
        seen_after(&app, Duration::from_secs(31)).await;
        // The embedded stores remain, and nobody wants those in production.
        let left = if environment == "dev" { "healthy" } else { "degraded" };
        assert_eq!(app.get("/api/ready").await.ok(), json!({"status": left}), "once it is set right");
        app.finish().await;
    }
}
