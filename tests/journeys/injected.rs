//! Whole calls on documents whose SDK injects faults into itself: callers notice nothing, and once they are over the archive is whole
//! within ten seconds.

use std::sync::Arc;
use std::time::Duration;

use azure_data_cosmos::fault_injection::{FaultInjectionErrorType, FaultOperationType};
use rtvoice::app::App;
use rtvoice::config::Config;
use rtvoice::host::deliver::{Deliverer, Target};
use rtvoice::host::link::HandlerLink;
use rtvoice::host::manifest::{Manifest, Trigger};
use rtvoice::host::server;
use rtvoice::model::ids::CallId;
use rtvoice::ports::clock::{Clock as _, SystemClock};
use rtvoice::ports::documents::Container;
use rtvoice::ports::guarded::Guarded;
use rtvoice::ports::http;
use rtvoice::steps::archive;
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;

use crate::contract::documents_injected::{Injected, rule, store};
use crate::harness::cosmos::CosmosEmulator;
use crate::harness::process::eventually;
use crate::harness::stopwatch::Stopwatch;

/// The longest that an archive may wait once the record is well again.
const RECOVERY: Duration = Duration::from_secs(10);

/// The app in this process, because the SDK's faults are: served on a port, its queue delivered to it.
struct Served {
    app: App,
    url: String,
    client: reqwest::Client,
    stop: CancellationToken,
    _folder: tempfile::TempDir,
}

impl Drop for Served {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}

impl Served {
    async fn on(documents: rtvoice::ports::documents::cosmos::CosmosDocuments) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let lookup = |name: &str| (name == "EMBEDDED_PATH").then(|| folder.path().join("rtvoice.db").display().to_string());
        let config = Config::from_lookup(lookup, env!("CARGO_MANIFEST_DIR").into()).expect("sound settings");
        let app = App::observed(config, Arc::new(SystemClock), |_| Arc::new(Guarded::new("Cosmos DB", documents))).expect("an app");
        server::connect(&app).await.expect("sound settings");
        let listener = server::bind(0).await.expect("a free port");
        let port = listener.local_addr().expect("its address").port();
        let (client, stop) = (http::client().expect("a client"), CancellationToken::new());
        tokio::spawn(server::serve(app.clone(), listener, stop.clone()));
        let manifest = Manifest::read(&app.config.app_root).expect("the app's files");
        let link = HandlerLink::new(client.clone(), port, Some(Duration::from_secs(130)));
        let queue = app.embedded_queue.clone().expect("an embedded queue");
        let deliverer = Deliverer { queue, invoker: Arc::new(link), clock: Arc::clone(&app.clock) };
        for function in &manifest.functions {
            let Trigger::ServiceBus(trigger) = &function.trigger else { continue };
            let named = |name: &str| (name == "TRANSCRIPT_QUEUE").then(|| app.config.transcript_queue.clone());
            let target = Target::of(&function.name, trigger, &manifest, &app.config, named).expect("a sound binding").expect("our queue");
            tokio::spawn(deliverer.clone().run(target, stop.clone()));
        }
        Self { app, url: format!("http://127.0.0.1:{port}"), client, stop, _folder: folder }
    }

    async fn post(&self, path: &str, body: &Value) -> Value {
        let sent = self.client.post(format!("{}{path}", self.url)).header("content-type", "application/json").body(body.to_string());
        let answer = sent.send().await.expect("an answer");
        assert_eq!(answer.status().as_u16(), 200, "{path}");
        serde_json::from_slice(&answer.bytes().await.expect("a body")).unwrap_or_default()
    }

    async fn event(&self, call: &CallId, kind: &str) {
        let data = json!({"callConnectionId": call, "serverCallId": "server-call", "correlationId": "correlation"});
        let event = json!([{ "specversion": "1.0", "id": format!("{kind}-{call}"), "source": "calling/callConnections/x", "type": format!("Microsoft.Communication.{kind}"), "time": SystemClock.now(), "data": data }]);
        self.post("/api/calls/events", &event).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_call_goes_through_every_fault_of_the_sdk() {
    let faults = [
        ("429", None, Injected::Answer(429, Some(Duration::from_millis(300)))),
        ("503", None, Injected::Answer(503, None)),
        ("412", Some(FaultOperationType::ReplaceItem), Injected::Answer(412, None)),
        ("slow", None, Injected::Slow(Duration::from_secs(3))),
        ("connection", None, Injected::Error(FaultInjectionErrorType::ConnectionError)),
        ("lost", None, Injected::Error(FaultInjectionErrorType::ResponseTimeoutAfterService)),
    ];
    let cosmos = CosmosEmulator::start().await;
    let rules: Vec<_> = faults.iter().map(|(name, operation, fault)| rule(name, *operation, fault)).collect();
    let served = Served::on(store(&cosmos, rules.clone())).await;
    for ((name, ..), rule) in faults.iter().zip(&rules) {
        let call = CallId::parse(format!("call-{name}-{}", SystemClock.new_id())).expect("an id");
        served.event(&call, "CallConnected").await;
        rule.enable();
        for number in 1..=3 {
            let watch = Stopwatch::start();
            let answer = served.post(&format!("/api/calls/{call}/turns"), &json!({"turnId": format!("t{number}"), "text": "hello", "speak": false})).await;
            assert_eq!((&answer["degraded"], &answer["seq"]), (&json!(false), &json!(number)), "{name}: {answer}");
            watch.below(Duration::from_secs(2), format!("{name}: a turn waits for no record"));
        }
        served.event(&call, "CallDisconnected").await;
        if *name != "412" {
            // So often that a circuit opens, and a message that were given back each time would be a dead letter.
            let met = async || (rule.hit_count() >= 6).then_some(());
            eventually(&format!("{name} is met"), String::new, met).await;
        }
        rule.disable();
        let well = Stopwatch::start();
        let whole = async || archive::read(&served.app, &call).await.ok()?.filter(|archived| archived.header.complete && archived.union.len() == 3);
        let archived = well.in_time(RECOVERY, || format!("{name}: no archive in time"), eventually("the call is archived", String::new, whole)).await;
        let seqs: Vec<_> = archived.union.in_order().into_iter().map(|turn| turn.seq).collect();
        assert_eq!(seqs, [Some(1), Some(2), Some(3)], "{name}");
    }
    let queue = served.app.embedded_queue.clone().expect("an embedded queue");
    let empty = async || (queue.stats().await.expect("stats").pending() == 0).then_some(());
    eventually("the queue is empty", String::new, empty).await;
    assert_eq!(queue.stats().await.expect("stats").dead, 0);
    let parked = served.app.documents.list(Container::DeadLetters, &SystemClock.now().day(), "", None, 10).await.expect("a list");
    assert_eq!(parked.documents.len(), 0, "an outage burns no delivery");
}
