//! A message that nobody can read ends as a parked document, and holds up nothing.

use rtvoice::app::App;
use rtvoice::model::ids::CallId;
use rtvoice::ports::clock::{Clock as _, SystemClock};
use rtvoice::ports::documents::Container;
use rtvoice::ports::queue::Message;
use rtvoice::ports::state::keys::lane;
use serde_json::Value;

use crate::harness::call::Call;
use crate::harness::process::{Handler, eventually};
use crate::harness::stack::Stack;

/// Puts messages that cannot be read into the lane of a call.
async fn poison(call: &Call, bodies: &[&str]) {
    let app = call.handler.app();
    let id = CallId::parse(call.id.clone()).expect("an id");
    for (number, body) in bodies.iter().enumerate() {
        let message = Message {
            message_id: format!("poison-{number}"),
            session_id: format!("lane-{}", lane(&id, app.config.queue_lanes)),
            correlation_id: call.id.clone(),
            label: "turn".to_owned(),
            traceparent: None,
            not_before: None,
            body: (*body).to_owned(),
        };
        app.queue.send(&message).await.expect("it is sent");
    }
}

/// The parked documents of today, once there are as many as that.
async fn parked(app: &App, handler: &Handler, count: usize) -> Vec<Value> {
    eventually(
        "all poison is parked",
        || handler.output(),
        async || {
            let page = app.documents.list(Container::DeadLetters, &SystemClock.now().day(), "", None, 50).await.ok()?;
            if page.documents.len() < count {
                return None;
            }
            let mut parked = Vec::new();
            for mut document in page.documents.into_iter().map(|d| d.body) {
                document["body"] = rtvoice::steps::parking::opened(app, &document).await.ok()?.into();
                parked.push(document);
            }
            Some(parked)
        },
    )
    .await
}

/// JSON all of it, since the stand-in of Service Bus takes nothing else; none of it a message.
const BODIES: [&str; 3] = [r#"{"kind":"nonsense"}"#, r#"[1,2,3]"#, r#"{"kind":"turn","callConnectionId":"a:b{c}"}"#];

fn check(documents: &[Value], bodies: &[&str]) {
    assert_eq!(documents.len(), bodies.len());
    for body in bodies {
        let document = documents.iter().find(|d| d["body"] == **body).unwrap_or_else(|| panic!("{body} is not parked: {documents:?}"));
        assert_eq!((document["readable"].as_bool(), document["reason"].as_str()), (Some(false), Some("MaxDeliveryCountExceeded")));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn is_parked_on_the_embedded_queue() {
    let handler = Handler::start(Vec::new()).await;
    let call = Call::new(&handler);
    call.connect().await;
    let bodies = [&BODIES[..], &["not JSON at all", ""]].concat();
    poison(&call, &bodies).await;
    call.said("after-poison", "still here").await;
    call.disconnect().await;
    assert!(call.archived(1).await.header.complete, "the lane goes on");
    let documents = parked(handler.app(), &handler, bodies.len()).await;
    check(&documents, &bodies);
    let config = &handler.app().config;
    let print = |id: &str| {
        let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_rtvoice"));
        let environment = [("EMBEDDED_PATH", config.embedded_path.as_os_str()), ("ENVIRONMENT", config.environment.as_str().as_ref())];
        command.args(["parked", documents[0]["day"].as_str().expect("a day"), id]).env_clear().envs(environment).output().expect("it runs")
    };
    let printed = print(documents[0]["id"].as_str().expect("an id"));
    assert_eq!(serde_json::from_slice::<Value>(&printed.stdout).expect("JSON"), documents[0], "{printed:?}");
    assert_eq!(print("nothing").status.code(), Some(1));
    let queue = handler.app().embedded_queue.clone().expect("an embedded queue");
    let empty = async || queue.stats().await.ok().filter(|s| s.pending() == 0 && s.dead == 0);
    eventually("nothing is left", || handler.output(), empty).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn is_parked_on_service_bus() {
    let stack = Stack::start().await;
    let call = Call::new(&stack.handler);
    call.connect().await;
    poison(&call, &BODIES).await;
    call.said("after-poison", "still here").await;
    call.disconnect().await;
    assert!(call.archived(1).await.header.complete, "the lane goes on");
    stack.delivered().await;
    check(&parked(stack.handler.app(), &stack.handler, BODIES.len()).await, &BODIES);
    assert_eq!((stack.pump.dead(), stack.pump.failed()), (BODIES.len(), BODIES.len() * 10));
}
