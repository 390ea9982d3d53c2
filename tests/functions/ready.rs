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
        tokio::time::advance(Duration::from_millis(1_100)).await;
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
    tokio::time::advance(Duration::from_secs(2)).await;
    assert_eq!(app.get("/api/ready").await.ok(), json!({"status": "healthy"}));
    app.finish().await;
}

#[tokio::test]
async fn many_who_ask_at_once_share_one_look() {
    let app = Rtvoice::start();
    futures::future::join_all((0..20).map(|_| app.get("/api/ready"))).await.iter().for_each(|a| assert_eq!(a.status, 200));
    assert_eq!(app.state.calls(), ["ping"]);
    app.finish().await;
}
