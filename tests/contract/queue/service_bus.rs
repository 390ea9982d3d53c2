//! What only the Service Bus backend promises, and proof that the stand-in behind these tests is strict.

use std::sync::Arc;
use std::time::Duration;

use reqwest::Method;
use rtvoice::config::{Secret, ServiceBusConfig};
use rtvoice::error::{Error, Kind};
use rtvoice::ports::clock::{Clock, SystemClock};
use rtvoice::ports::http;
use rtvoice::ports::identity::Identity;
use rtvoice::ports::queue::Queue as _;
use rtvoice::ports::queue::service_bus::ServiceBusQueue;
use tokio::time::{Instant, timeout};

use super::{Message, START, message};
use crate::harness::identity::{IdentityEndpoint, audience_of, identity, identity_for, mint, unix_now};
use crate::harness::port::NOBODY;
use crate::harness::service_bus::{AUDIENCE, Fault, KEY, POLICY, QUEUE, ServiceBus, sign};

fn connect(base_url: &str, key: Option<(&str, &str)>, identity: Option<Identity>, clock: Arc<dyn Clock>) -> ServiceBusQueue {
    let key = key.map(|(policy, key)| (policy.to_owned(), Secret::new(key)));
    let config = ServiceBusConfig { base_url: base_url.to_owned(), key };
    ServiceBusQueue::connect(&config, QUEUE, http::client().expect("a client"), identity, clock).expect("a queue")
}

/// The queue of the stand-in, with the right key.
pub fn with_key(bus: &ServiceBus, clock: Arc<dyn Clock>) -> ServiceBusQueue {
    connect(bus.base_url(), Some((POLICY, KEY)), None, clock)
}

/// Sends one message after these faults have been laid out.
async fn send_after(bus: &ServiceBus, faults: impl IntoIterator<Item = Fault>) -> Result<(), Error> {
    bus.inject(faults);
    with_key(bus, Arc::new(SystemClock)).send(&message("a", "lane-1")).await
}

#[tokio::test]
async fn a_message_arrives_with_all_its_properties() {
    let bus = ServiceBus::start().await;
    let full = Message { label: "türn 👋".to_owned(), not_before: Some(START.plus_millis(1)), ..message("a", "lane-1") };
    with_key(&bus, Arc::new(SystemClock)).send(&full).await.expect("taken");
    let accepted = bus.accepted().remove(0);
    assert_eq!((accepted.message_id.as_str(), accepted.session_id.as_str(), accepted.correlation_id.as_str()), ("a", "lane-1", "call-1"));
    assert_eq!((accepted.label, accepted.traceparent, accepted.body), (full.label, full.traceparent, full.body));
    assert_eq!(accepted.scheduled.as_deref(), Some("Thu, 15 Jan 2026 10:00:01 GMT"), "whole seconds, never too early");
}

#[tokio::test]
async fn a_trace_context_that_is_none_is_left_behind() {
    let bus = ServiceBus::start().await;
    let odd = Message { traceparent: Some("00-ABC\r\nx: y".to_owned()), ..message("a", "lane-1") };
    with_key(&bus, Arc::new(SystemClock)).send(&odd).await.expect("taken");
    assert_eq!(bus.accepted()[0].traceparent, None);
}

#[tokio::test]
async fn an_entra_token_for_service_bus_is_used_without_a_key() {
    let bus = ServiceBus::start().await;
    let queue = connect(bus.base_url(), None, Some(identity()), Arc::new(SystemClock));
    queue.check().await.expect("within reach");
    queue.send(&message("a", "lane-1")).await.expect("taken");
    assert_eq!((bus.accepted().len(), bus.probes()), (1, 1));
}

#[tokio::test]
async fn wrong_credentials_are_denied() {
    let bus = ServiceBus::start().await;
    let clock = || Arc::new(SystemClock);
    let wrong = [
        connect(bus.base_url(), Some((POLICY, "another key")), None, clock()),
        connect(bus.base_url(), Some(("another policy", KEY)), None, clock()),
        connect(bus.base_url(), None, Some(identity_for("https://vault.azure.net")), clock()),
        // A clock that stands in the past signs what has run out.
        with_key(&bus, Arc::new(rtvoice::ports::clock::ManualClock::at(START))),
    ];
    for queue in wrong {
        assert_eq!(queue.send(&message("a", "lane-1")).await.expect_err("denied").kind, Kind::Denied);
        assert_eq!(queue.check().await.expect_err("denied").kind, Kind::Denied);
    }
    assert_eq!((bus.accepted().len(), bus.refused().len()), (0, 8), "and not tried twice");
}

#[tokio::test]
async fn without_key_and_identity_the_setting_is_named() {
    let config = ServiceBusConfig { base_url: "http://127.0.0.1:9".to_owned(), key: None };
    let e = ServiceBusQueue::connect(&config, QUEUE, http::client().expect("a client"), None, Arc::new(SystemClock)).expect_err("no way in");
    assert_eq!(e.kind, Kind::Setting);
    assert!(e.detail.contains("SERVICE_BUS_KEY"), "{}", e.detail);
}

#[tokio::test]
async fn each_refusal_is_told_apart() {
    const TOO_LARGE: &str = "<Error><Code>403</Code><Detail>The message is too large</Detail></Error>";
    let seconds = |s| Some(Duration::from_secs(s));
    // Fault, kind, when to come back, how many requests it takes.
    let table = [
        (Fault::status(400), Kind::BadInput, None, 1),
        (Fault::status(401), Kind::Denied, None, 1),
        (Fault::status(403), Kind::Denied, None, 1),
        (Fault::Answer(403, None, TOO_LARGE), Kind::BadInput, None, 1),
        (Fault::quota(), Kind::Throttled, seconds(60), 1),
        (Fault::status(404), Kind::Setting, None, 1),
        (Fault::status(410), Kind::Setting, None, 1),
        (Fault::status(413), Kind::BadInput, None, 1),
        (Fault::status(302), Kind::Internal, None, 1),
        (Fault::status(429), Kind::Throttled, seconds(10), 1),
        (Fault::Answer(429, Some(7), ""), Kind::Throttled, seconds(7), 1),
        (Fault::Answer(503, Some(20), ""), Kind::Unavailable, seconds(20), 1),
        (Fault::status(500), Kind::Unavailable, None, 2),
        (Fault::status(503), Kind::Unavailable, None, 2),
        (Fault::Drop, Kind::Unavailable, None, 2),
    ];
    for (fault, kind, retry_after, requests) in table {
        let bus = ServiceBus::start().await;
        let e = send_after(&bus, [fault.clone(), fault.clone(), fault.clone()]).await.expect_err("refused");
        assert_eq!((e.kind, e.retry_after, bus.faulted()), (kind, retry_after, requests), "{fault:?}: {}", e.chain());
        assert!(bus.accepted().is_empty() && bus.refused().is_empty(), "{fault:?}");
        if kind == Kind::Setting {
            assert!(e.detail.contains("TRANSCRIPT_QUEUE"), "{}", e.detail);
        }
        assert!(!e.chain().contains(KEY));
    }
}

#[tokio::test]
async fn a_failure_by_chance_is_tried_once_more_with_the_same_id() {
    for fault in [Fault::status(500), Fault::status(503), Fault::Drop, Fault::Answer(429, Some(1), ""), Fault::Answer(429, Some(0), "")] {
        let bus = ServiceBus::start().await;
        send_after(&bus, [fault.clone()]).await.unwrap_or_else(|e| panic!("{fault:?}: {}", e.chain()));
        assert_eq!((bus.accepted().len(), bus.faulted(), bus.duplicates()), (1, 1, 0), "{fault:?}");
    }
}

#[tokio::test]
async fn a_retry_of_what_was_taken_leaves_one_message() {
    let bus = ServiceBus::start().await;
    send_after(&bus, [Fault::TakeAndDrop]).await.expect("the retry is taken as a duplicate");
    assert_eq!((bus.accepted().len(), bus.duplicates()), (1, 1));
}

#[tokio::test]
async fn a_service_that_hangs_is_left_at_the_deadline() {
    let bus = ServiceBus::start().await;
    let started = Instant::now();
    let sending = send_after(&bus, [Fault::Hang]);
    let e = timeout(Duration::from_secs(10), sending).await.expect("an end").expect_err("no answer");
    assert_eq!(e.kind, Kind::Deadline);
    assert!(started.elapsed() >= Duration::from_secs(2), "{:?}", started.elapsed());
    assert!(bus.accepted().is_empty());
}

#[tokio::test]
async fn a_deadline_after_acceptance_and_a_second_send_leave_one_message() {
    let bus = ServiceBus::start().await;
    assert_eq!(send_after(&bus, [Fault::TakeAndHang]).await.expect_err("no answer").kind, Kind::Deadline);
    send_after(&bus, []).await.expect("the caller tries again");
    assert_eq!((bus.accepted().len(), bus.duplicates()), (1, 1));
}

#[tokio::test]
async fn nobody_listening_is_out_of_reach() {
    let queue = connect(&format!("http://127.0.0.1:{NOBODY}"), Some((POLICY, KEY)), None, Arc::new(SystemClock));
    assert_eq!(queue.send(&message("a", "lane-1")).await.expect_err("nobody").kind, Kind::Unavailable);
    assert_eq!(queue.check().await.expect_err("nobody").kind, Kind::Unavailable);
}

#[tokio::test]
async fn a_check_takes_a_bad_request_for_an_answer_and_names_everything_else() {
    let table = [
        (Fault::status(400), None),
        (Fault::status(401), Some(Kind::Denied)),
        (Fault::status(410), Some(Kind::Setting)),
        (Fault::Answer(429, Some(7), ""), Some(Kind::Throttled)),
        (Fault::status(500), Some(Kind::Unavailable)),
    ];
    for (fault, kind) in table {
        let bus = ServiceBus::start().await;
        bus.inject([fault.clone(), fault.clone()]);
        let answer = with_key(&bus, Arc::new(SystemClock)).check().await;
        assert_eq!(answer.err().map(|e| e.kind), kind, "{fault:?}");
        assert!(bus.accepted().is_empty());
    }
}

/// A request by hand, one field at a time to be spoilt.
struct Raw {
    method: Method,
    path: String,
    resource: String,
    policy: String,
    key: String,
    expiry: i64,
    authorization: Option<String>,
    content_type: &'static str,
    properties: Option<String>,
    headers: Vec<(&'static str, String)>,
    body: String,
}

const TRACE: &str = "\"00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01\"";

impl Raw {
    fn correct(bus: &ServiceBus) -> Self {
        let properties = r#"{"MessageId":"m","SessionId":"s","CorrelationId":"c","Label":"turn","ScheduledEnqueueTimeUtc":"Thu, 15 Jan 2026 10:00:00 GMT"}"#;
        Self {
            method: Method::POST,
            path: format!("/{QUEUE}/messages"),
            resource: format!("{}/{QUEUE}", bus.base_url()),
            policy: POLICY.to_owned(),
            key: KEY.to_owned(),
            expiry: unix_now() + 600,
            authorization: None,
            content_type: "application/json",
            properties: Some(properties.to_owned()),
            headers: vec![("traceparent", TRACE.to_owned()), ("diagnostic-id", TRACE.to_owned())],
            body: "{}".to_owned(),
        }
    }

    fn property(&mut self, from: &str, to: &str) {
        let properties = self.properties.take().expect("properties");
        assert!(properties.contains(from), "{from} is not there to be spoilt");
        self.properties = Some(properties.replace(from, to));
    }

    async fn status(self, bus: &ServiceBus) -> u16 {
        let resource = self.resource.replace(':', "%3A").replace('/', "%2F");
        let signature = sign(&self.key, &format!("{resource}\n{}", self.expiry)).replace('+', "%2B").replace('/', "%2F").replace('=', "%3D");
        let signed = format!("SharedAccessSignature sr={resource}&sig={signature}&se={}&skn={}", self.expiry, self.policy);
        let client = http::client().expect("a client");
        let mut request = client.request(self.method, format!("{}{}", bus.base_url(), self.path)).header("content-type", self.content_type);
        request = request.header("authorization", self.authorization.unwrap_or(signed));
        if let Some(properties) = self.properties {
            request = request.header("BrokerProperties", properties);
        }
        for (name, value) in self.headers {
            request = request.header(name, value);
        }
        request.body(self.body).send().await.expect("an answer").status().as_u16()
    }
}

type Mutation = (&'static str, u16, fn(&mut Raw));

const MUTATIONS: [Mutation; 25] = [
    ("method", 405, |r| r.method = Method::PUT),
    ("path", 404, |r| r.path = "/other/messages".to_owned()),
    ("query", 400, |r| r.path.push_str("?api-version=1")),
    ("resource of another queue", 401, |r| r.resource.push_str("-2")),
    ("policy", 401, |r| r.policy = "reader".to_owned()),
    ("signature", 401, |r| r.key = "another key".to_owned()),
    ("expiry in the past", 401, |r| r.expiry = unix_now() - 1),
    ("expiry in a year", 401, |r| r.expiry = unix_now() + 31_536_000),
    ("no token", 401, |r| r.authorization = Some("Basic eA==".to_owned())),
    ("bearer for another audience", 401, |r| r.authorization = Some(format!("Bearer {}", mint("https://vault.azure.net", unix_now() + 600)))),
    ("bearer that expired", 401, |r| r.authorization = Some(format!("Bearer {}", mint(AUDIENCE, unix_now() - 1)))),
    ("bearer nobody issued", 401, |r| r.authorization = Some(format!("Bearer {}x", mint(AUDIENCE, unix_now() + 600)))),
    ("content type", 400, |r| r.content_type = "text/plain"),
    ("no properties", 400, |r| r.properties = None),
    ("properties not JSON", 400, |r| r.property("{", "")),
    ("missing MessageId", 400, |r| r.property(r#""MessageId":"m","#, "")),
    ("empty MessageId", 400, |r| r.property(r#""m""#, r#""""#)),
    ("long MessageId", 400, |r| r.property(r#""m""#, &format!("\"{}\"", "m".repeat(129)))),
    ("MessageId a number", 400, |r| r.property(r#""m""#, "1")),
    ("missing SessionId", 400, |r| r.property(r#""SessionId":"s","#, "")),
    ("date with an offset", 400, |r| r.property("GMT", "+0000")),
    ("wrong weekday", 400, |r| r.property("Thu", "Fri")),
    ("trace context without quotes", 400, |r| r.headers[0].1 = TRACE.replace('"', "")),
    ("stray header", 400, |r| r.headers.push(("x-stray", "1".to_owned()))),
    ("body over 256 KiB", 403, |r| r.body = format!("\"{}\"", "x".repeat(256 * 1024))),
];

#[tokio::test]
async fn the_stand_in_takes_a_correct_request_and_none_with_one_field_spoilt() {
    let bus = ServiceBus::start().await;
    assert_eq!(Raw::correct(&bus).status(&bus).await, 201);
    let bearer = Raw { authorization: Some(format!("Bearer {}", mint(AUDIENCE, unix_now() + 600))), ..Raw::correct(&bus) };
    assert_eq!(bearer.status(&bus).await, 201);
    assert_eq!((bus.accepted().len(), bus.duplicates()), (1, 1));
    for (what, status, spoil) in MUTATIONS {
        let mut raw = Raw::correct(&bus);
        spoil(&mut raw);
        assert_eq!(raw.status(&bus).await, status, "{what}");
    }
    assert_eq!((bus.accepted().len(), bus.duplicates(), bus.refused().len()), (1, 1, MUTATIONS.len()));
}

#[tokio::test]
async fn the_identity_endpoint_gives_tokens_to_who_asks_in_order() {
    let endpoint = IdentityEndpoint::start().await;
    let [(_, url), (_, header)] = endpoint.env();
    let client = http::client().expect("a client");
    let ask = async |query: &str, header: &str| {
        let answer = client.get(format!("{url}?{query}")).header("X-IDENTITY-HEADER", header).send().await.expect("an answer");
        (answer.status().as_u16(), answer.json::<serde_json::Value>().await.expect("JSON"))
    };
    let correct = "api-version=2019-08-01&resource=https://servicebus.azure.net";
    let (status, token) = ask(correct, &header).await;
    assert_eq!((status, token["token_type"].as_str()), (200, Some("Bearer")));
    assert_eq!(audience_of(token["access_token"].as_str().expect("a token")).as_deref(), Some(AUDIENCE));
    assert!(token["expires_on"].as_str().expect("a string").parse::<i64>().expect("seconds") > unix_now());
    for (query, header) in [(correct, "wrong"), (&correct[23..], header.as_str()), (&correct[..22], &header), (&format!("{correct}/.default"), &header)] {
        assert_eq!(ask(query, header).await.0, 400, "{query}");
    }
    assert_eq!(endpoint.asked(), [AUDIENCE]);
}
