//! An incident on the stores of production: the scope query names whose data was asked for in the window, and no one else.

use rtvoice::ports::clock::{Clock as _, SystemClock};
use serde_json::{Value, json};

use crate::harness::call::Call;
use crate::harness::process::eventually;
use crate::harness::stack::Stack;

/// A call of a caller with one turn, of which nothing is under way any more.
async fn said(stack: &Stack, phone: &str) -> Call {
    let call = Call::new(&stack.handler);
    call.connect().await;
    call.participants(phone).await;
    call.said("t1", "where is my parcel").await;
    stack.delivered().await;
    let settled = async || stack.redis.wire().keys(&format!("*{}*:outbox", call.id)).is_empty().then_some(());
    eventually("the turn is settled", || stack.handler.output(), settled).await;
    call
}

#[tokio::test(flavor = "multi_thread")]
async fn the_scope_names_whose_keys_were_read_in_redis() {
    let stack = Stack::start().await;
    let send = async |path: &str, body: &Value| stack.handler.send("POST", path, Some(body)).await.expect("an answer");
    let before = said(&stack, "+14255550101").await;
    let from = SystemClock.now();
    let within = said(&stack, "+14255550102").await;
    let to = SystemClock.now();
    let after = said(&stack, "+14255550103").await;
    let token = send("/api/users/lookup", &json!({"phoneNumber": "+14255550102"})).await;
    let token = token.body["token"].as_str().unwrap_or_else(|| panic!("{token:?}")).to_owned();
    let opened = send("/api/breaches", &json!({"occurredFrom": from, "occurredTo": to})).await;
    let id = opened.body["id"].as_str().expect("an id").to_owned();
    let scope = async |actor: &str| send(&format!("/api/breaches/{id}/scope"), &json!({"actor": actor})).await.body;
    let written = async || (scope("function:ConversationTurn").await["entries"].as_u64()? > 1).then_some(());
    eventually("the log is written", || stack.handler.output(), written).await;
    for call in [&before, &within, &after] {
        call.disconnect().await;
        call.archived(1).await;
    }
    for actor in ["function:ConversationTurn", "function:CallEvents"] {
        let found = scope(actor).await;
        let subjects: Vec<(&str, &Value)> =
            found["subjects"].as_array().expect("a list").iter().map(|s| (s["subject"].as_str().expect("a token"), &s["calls"])).collect();
        assert_eq!(subjects, [(token.as_str(), &json!([within.id]))], "{actor}: {found}");
        assert_eq!(found["calls"], json!([]), "{actor}: {found}");
        let fields = found["subjects"][0]["fields"].to_string();
        assert!(fields.contains("call:session"), "{actor}: {fields}");
    }
    let fields = scope("function:ConversationTurn").await["subjects"][0]["fields"].to_string();
    for field in ["conversation:context", "conversation:history", "conversation:turns", "conversation:outbox"] {
        assert!(fields.contains(field), "{field} in {fields}");
    }
    assert_eq!(scope("operator:nobody").await["subjects"], json!([]));
}
