//! Health: the status with the state of each dependency, and nothing that an outsider could use.

use serde_json::json;

use crate::harness::app::Rtvoice;
use crate::harness::faults::Fault;

#[tokio::test]
async fn it_tells_each_dependency() {
    let app = Rtvoice::start();
    let healthy = |backend: &str| json!({"status": "healthy", "backend": backend});
    let expected = json!({"status": "healthy", "details": {
        "state": healthy("embedded"), "documents": healthy("embedded"), "queue": healthy("embedded"),
        "speech": healthy("tone"), "replies": healthy("scripted"),
        "admission": {
            "status": "healthy",
            "interactive": {"inFlight": 0, "waiting": 0, "refused": 0, "maxInFlight": 256, "maxWaiting": 512},
            "background": {"inFlight": 0, "waiting": 0, "refused": 0, "maxInFlight": 128, "maxWaiting": 256},
        },
    }});
    assert_eq!(app.get("/api/health").await.ok(), expected);
    app.finish().await;
}

#[tokio::test(start_paused = true)]
async fn it_tells_what_is_away_and_why_in_safe_words() {
    for (switch, name) in [(0, "state"), (1, "documents"), (2, "queue")] {
        for (fault, reason) in [(Fault::Away, "the backend is out of reach"), (Fault::Hang, "the backend did not answer within 500 ms")] {
            let app = Rtvoice::start();
            [&app.state, &app.documents, &app.queue][switch].fail(fault);
            let report = app.get("/api/health").await.ok();
            assert_eq!(report["status"], "degraded");
            assert_eq!(report["details"][name], json!({"status": "unhealthy", "backend": "embedded", "reason": reason}), "{name}");
            app.finish().await;
        }
    }
}
