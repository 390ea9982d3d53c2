//! Ready: the aggregate status alone, for load balancers.

use std::time::Duration;

use serde_json::json;

use crate::harness::app::Rtvoice;
use crate::harness::faults::Fault;

#[tokio::test]
async fn it_says_healthy_and_nothing_else() {
    let app = Rtvoice::start();
    assert_eq!(app.get("/api/ready").await.ok(), json!({"status": "healthy"}));
    app.finish().await;
}

#[tokio::test(start_paused = true)]
async fn without_documents_or_queue_it_serves_on_degraded() {
    let app = Rtvoice::start();
    for switch in [&app.documents, &app.queue] {
        switch.fail(Fault::Away);
        tokio::time::advance(Duration::from_secs(31)).await;
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
    tokio::time::advance(Duration::from_secs(6)).await;
    let answer = app.get("/api/ready").await;
    assert_eq!((answer.status, answer.json()), (503, json!({"status": "unhealthy"})));
    app.state.heal();
    tokio::time::advance(Duration::from_secs(6)).await;
    assert_eq!(app.get("/api/ready").await.ok(), json!({"status": "healthy"}));
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
        app.get("/api/ready").await.ok();
        tokio::time::advance(Duration::from_millis(1_001)).await;
    }
    assert_eq!((app.documents.calls(), app.queue.calls()), (vec!["check"], vec!["check"]));
    let of_the_state = app.state.calls();
    assert_eq!((of_the_state.len(), of_the_state.iter().filter(|call| **call == "check").count()), (7, 1), "a look is good for 5 s: {of_the_state:?}");
    tokio::time::advance(Duration::from_secs(1)).await;
    app.get("/api/ready").await.ok();
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
        tokio::time::advance(Duration::from_millis(5_001)).await;
        let answer = app.get("/api/ready").await;
        assert_eq!((answer.status, answer.json()), (http, json!({"status": status})), "{environment}");
        let report = app.get("/api/health").await.json();
        let check = &report["details"]["redis_connectivity"];
        assert_eq!((&check["status"], &check["reason"]), (&json!("unhealthy"), &json!("the backend is set up wrong")));
        app.state.heal();
        tokio::time::advance(Duration::from_secs(31)).await;
        // The embedded stores remain, and nobody wants those in production.
        let left = if environment == "dev" { "healthy" } else { "degraded" };
        assert_eq!(app.get("/api/ready").await.ok(), json!({"status": left}), "once it is set right");
        app.finish().await;
    }
}
