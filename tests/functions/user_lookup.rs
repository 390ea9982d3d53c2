//! UserLookup: one person, one token, however they are named; and no id in a URL.

use serde_json::json;

use crate::harness::app::Rtvoice;

const LOOKUP: &str = "/api/users/lookup";

#[tokio::test]
async fn an_id_and_a_number_lead_to_tokens() {
    let app = Rtvoice::start();
    let by_id = app.post(LOOKUP, &json!({"userId": "customer-7"})).await.ok();
    assert_eq!(by_id["token"], json!(app.token("customer-7").await));
    let number = app.post(LOOKUP, &json!({"phoneNumber": "+1 (425) 555-0123"})).await.ok();
    assert_eq!(number, app.post(LOOKUP, &json!({"phoneNumber": "14255550123"})).await.ok());
    assert_eq!(number, app.post(LOOKUP, &json!({"userId": "tel-14255550123"})).await.ok(), "one person, one token");
    assert_ne!(number, by_id);
    let token = number["token"].as_str().unwrap();
    assert!(token.starts_with("u1-") && !token.contains("5550123"), "{token}");
    app.get(&format!("/api/users/{token}")).await.problem(404, "not-found", "");
    app.finish().await;
}

#[tokio::test]
async fn what_is_neither_or_both_is_refused() {
    let app = Rtvoice::start();
    for body in [json!({}), json!({"userId": "a", "phoneNumber": "14255550123"})] {
        app.post(LOOKUP, &body).await.problem(400, "bad-input", "body");
    }
    app.post(LOOKUP, &json!({"userId": "a:b"})).await.problem(400, "bad-input", "userId");
    app.post(LOOKUP, &json!({"phoneNumber": "my number"})).await.problem(400, "bad-input", "phoneNumber");
    app.get(LOOKUP).await.problem(405, "method-not-allowed", "");
    for raw in ["customer-7", "tel-14255550123", "14255550123"] {
        app.get(&format!("/api/users/{raw}")).await.problem(400, "bad-input", "userId");
    }
    app.finish().await;
}
