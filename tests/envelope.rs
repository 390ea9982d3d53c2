//! The envelope: every sample of the host's, every encoding there and back, and input that was never meant for it.

use axum::http::{Response, StatusCode};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use bytes::Bytes;
use proptest::prelude::*;
use rtvoice::error::Kind;
use rtvoice::host::envelope::{Envelope, answer_empty, answer_http};
use serde_json::{Value, json};

const ORDER: &str = r#"{"orderId":"A-1","qty":2,"paid":true,"lines":[{"sku":"x"}],"addr":{"city":"Oslo"}}"#;

fn sample(name: &str) -> Vec<u8> {
    let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/host").join(name);
    std::fs::read(&path).unwrap_or_else(|e| panic!("{}: {e}", path.display()))
}

fn envelope(name: &str) -> Envelope {
    Envelope::parse(&sample(name)).unwrap_or_else(|e| panic!("{name}: {}", e.chain()))
}

fn of(value: Value) -> Envelope {
    let body = json!({"Data": {"x": value}, "Metadata": {"MessageId": "\"m-1\"", "DeliveryCount": "\"0\""}}).to_string();
    Envelope::parse(body.as_bytes()).expect("an envelope")
}

#[test]
fn events_are_read_from_every_sample() {
    assert_eq!(envelope("eg_single_cloudevent.req.json").json("event").expect("an event")["id"], "ce-1");
    assert_eq!(envelope("eg_single_eventgridschema.req.json").json("event").expect("an event")["data"]["qty"], 2);
    let many = envelope("eg_many.req.json").json("events").expect("events");
    assert_eq!(many.as_array().map(Vec::len), Some(2));
    assert_eq!(many[1]["id"], "9391");
    assert_eq!(envelope("eg_single_cloudevent.req.json").traceparent().as_deref(), Some("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"));
}

#[test]
fn timers_are_read_from_every_sample() {
    for name in ["timer.req.json", "timer_nomonitor.req.json", "timer_retry.req.json"] {
        assert_eq!(envelope(name).json("timer").expect("a timer")["IsPastDue"], false, "{name}");
    }
}

#[test]
fn messages_are_read_from_every_sample() {
    for (name, binding, trusted) in [
        ("sb_single_binary.req.json", "msg", true),
        ("sb_session_binary.req.json", "msg", true),
        ("sb_dlq_binary.req.json", "msg", true),
        ("queue_binary.req.json", "item", true),
        ("sb_single_string.req.json", "msg", false),
        ("queue_string.req.json", "item", false),
    ] {
        let message = envelope(name).bytes(binding).unwrap_or_else(|e| panic!("{name}: {}", e.chain()));
        assert_eq!((&*message.bytes, message.trusted_metadata), (ORDER.as_bytes(), trusted), "{name}");
        if trusted {
            assert_eq!(envelope(name).binary(binding).expect("bytes"), message, "{name}");
        }
    }
    let plain = envelope("sb_session_plaintext_string.req.json").bytes("msg").expect("bytes");
    assert_eq!((&*plain.bytes, plain.trusted_metadata), (&b"hello world"[..], true));
    assert_eq!(envelope("sb_many_binary.req.json").json("msgs").expect("bodies").as_array().map(Vec::len), Some(2));
    assert_eq!(envelope("sb_many_string.req.json").json("msgs").expect("bodies").as_array().map(Vec::len), Some(2));
}

#[test]
fn metadata_of_a_binary_message_is_decoded() {
    let message = envelope("sb_session_binary.req.json");
    for (name, value) in [
        ("MessageId", "m-1"),
        ("SessionId", "customer-7"),
        ("Subject", "order.created"),
        ("DeliveryCount", "3"),
        ("SequenceNumber", "42"),
        ("LockToken", "4e773554-f6b7-4ea2-b07d-4c5fd5aba741"),
        ("EnqueuedTimeUtc", "2026-01-15T10:00:00"),
    ] {
        assert_eq!(message.metadata_text(name).as_deref(), Some(value), "{name}");
    }
    assert_eq!((message.metadata_text("Client"), message.metadata_text("nothing")), (None, None));
    assert_eq!(message.application_property("tenant").as_deref(), Some("t1"));
    assert_eq!(message.traceparent().as_deref(), Some("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"));
    assert_eq!(envelope("sb_dlq_binary.req.json").application_property("DeadLetterReason").as_deref(), Some("MaxDeliveryCountExceeded"));
}

#[test]
fn only_a_sound_trace_context_is_one() {
    use rtvoice::model::trace::is_valid;
    let (trace, span) = ("0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331");
    assert!(is_valid(&format!("00-{trace}-{span}-01")));
    let (no_trace, no_span) = ("0".repeat(32), "0".repeat(16));
    for odd in [
        format!("01-{trace}-{span}-01"),
        format!("00-{no_trace}-{span}-01"),
        format!("00-{trace}-{no_span}-01"),
        format!("00-{}-{span}-01", trace.to_uppercase()),
        format!("00-{trace}-{span}-01-more"),
        String::new(),
    ] {
        assert!(!is_valid(&odd), "{odd}");
    }
}

#[test]
fn metadata_that_a_body_may_have_written_is_not_shown() {
    for forged in [json!("\"{\\\"messageid\\\":\\\"evil\\\"}\""), json!("{\"deliverycount\":0}"), json!({"deliverycount": 0}), json!("\u{feff} {\"a\":1}")] {
        let message = of(forged.clone());
        assert!(!message.bytes("x").expect("bytes").trusted_metadata, "{forged}");
        assert_eq!((message.metadata_text("MessageId"), message.metadata_text("DeliveryCount")), (None, None), "{forged}");
    }
    assert_eq!(of(json!(BASE64.encode("{\"messageid\":\"evil\"}"))).metadata_text("MessageId").as_deref(), Some("m-1"));
}

#[test]
fn requests_are_read_from_every_sample() {
    let order = envelope("http_default_json.req.json").http("req").expect("a request");
    assert_eq!((order.method().as_str(), order.uri().to_string().as_str()), ("POST", "/api/orders/7?code=SECRET&x=1"));
    assert_eq!(order.headers()["content-type"], "application/json");
    assert_eq!(&**order.body(), br#"{"id":1005,"quantity":2}"#);
    assert_eq!(&**envelope("http_default_binary.req.json").http("req").expect("a request").body(), &[0, 1, 2]);
    let ping = envelope("http_default_get_nobody.req.json").http("req").expect("a request");
    assert_eq!((ping.method().as_str(), ping.uri().path(), ping.body().is_empty()), ("GET", "/api/ping", true));
}

#[test]
fn odd_requests_are_read_or_refused_by_field() {
    let request = |change: Value| {
        let mut req = json!({"Url": "http://h/api/a?q=1", "Method": "POST", "Headers": {"Content-Type": ["multipart/form-data; boundary=x"]}, "Body": "AAEC"});
        req.as_object_mut().expect("an object").extend(change.as_object().expect("an object").clone());
        of(req).http("x")
    };
    assert_eq!(&**request(json!({})).expect("multipart").body(), &[0, 1, 2]);
    assert_eq!(request(json!({"Url": "http://h/api/ü b{c}?q=ä#f"})).expect("encoded").uri(), "/api/%C3%BC%20b%7Bc%7D?q=%C3%A4");
    assert_eq!(request(json!({"Url": "http://h"})).expect("a root").uri(), "/");
    assert_eq!(request(json!({"Url": "http://h?x=1"})).expect("a query alone").uri(), "/?x=1");
    assert_eq!(request(json!({"Headers": {"A": ["1", "2"], "b": "3"}})).expect("lists").headers().len(), 3);
    for (change, field) in [
        (json!({"Url": 5}), "Data.x.Url"),
        (json!({"Method": "NO GO"}), "Data.x.Method"),
        (json!({"Headers": {"bad name": ["v"]}}), "Data.x.Headers"),
        (json!({"Headers": {"a": ["line\nfeed"]}}), "Data.x.Headers"),
        (json!({"Body": "***"}), "Data.x.Body"),
    ] {
        let error = request(change.clone()).expect_err("refused");
        assert_eq!((error.kind, error.field.as_deref()), (Kind::BadInput, Some(field)), "{change}");
    }
}

#[test]
fn wrong_envelopes_are_refused_by_field() {
    for (body, field) in
        [("", "body"), ("null", "body"), ("[]", "body"), ("{}", "Data"), (r#"{"Data":[]}"#, "Data"), (r#"{"Data":{},"Metadata":3}"#, "Metadata")]
    {
        let error = Envelope::parse(body.as_bytes()).expect_err("refused");
        assert_eq!((error.kind, error.field.as_deref()), (Kind::BadInput, Some(field)), "{body}");
    }
    for wrong in [json!(null), json!(5), json!(true), json!("hello"), json!("\"hello\""), json!("5"), json!("null")] {
        assert_eq!(of(wrong.clone()).json("x").expect_err("not an event").field.as_deref(), Some("Data.x"), "{wrong}");
    }
    assert_eq!(of(json!({})).json("y").expect_err("missing").field.as_deref(), Some("Data.y"));
    assert!(Envelope::parse(br#"{"Data":{"x":{}}}"#).is_ok(), "Metadata may be missing");
}

#[test]
fn only_three_levels_of_json_are_opened() {
    let once = json!({"a": 1}).to_string();
    let twice = json!(once).to_string();
    let thrice = json!(twice).to_string();
    assert_eq!(of(json!(once)).json("x").expect("one string")["a"], 1);
    assert_eq!(of(json!(twice)).json("x").expect("a string in a string")["a"], 1);
    assert_eq!(of(json!(thrice)).json("x").expect_err("too deep").kind, Kind::BadInput);
    assert_eq!(of(json!(BASE64.encode(once))).json("x").expect("base64")["a"], 1);
}

#[test]
fn plain_text_that_looks_like_base64_stays_text() {
    for text in ["test", "abcd1234", "0123456789abcdef0123456789abcdef", "12345678", "true", ""] {
        assert_eq!(&*of(json!(text)).bytes("x").expect("bytes").bytes, text.as_bytes(), "{text}");
    }
    assert_eq!(&*of(json!("test")).binary("x").expect("bytes").bytes, &BASE64.decode("test").expect("base64")[..]);
    assert_eq!(&*of(json!("not base64!")).binary("x").expect("bytes").bytes, b"not base64!");
}

#[test]
fn answers_are_what_the_host_reads() {
    let parsed = |bytes: &Bytes| serde_json::from_slice::<Value>(bytes).expect("JSON");
    assert_eq!(parsed(&answer_empty()), serde_json::from_slice::<Value>(&sample("ok_minimal_explicit.res.json")).expect("JSON"));
    let response = Response::builder()
        .status(StatusCode::NOT_FOUND)
        .header("content-type", "application/problem+json")
        .header("x-request-id", "abc")
        .header("content-length", "21")
        .body(Bytes::from_static(br#"{"title":"not found"}"#))
        .expect("a response");
    let mut expected = serde_json::from_slice::<Value>(&sample("http_status.res.json")).expect("JSON");
    expected["Logs"] = Value::Null;
    assert_eq!(parsed(&answer_http("res", &response)), expected);
    let text = parsed(&answer_http("res", &Response::new(Bytes::from_static(b"abcd1234"))));
    assert_eq!(text["Outputs"]["res"]["body"], "abcd1234", "text goes out as it is, base64 or not");
    let binary = parsed(&answer_http("res", &Response::new(Bytes::from_static(&[0xff, 0]))));
    assert_eq!((&binary["Outputs"]["res"]["body"], &binary["Outputs"]["res"]["headers"]["content-transfer-encoding"]), (&json!("/wA="), &json!("base64")));
}

fn any_json() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![Just(Value::Null), any::<bool>().prop_map(Value::from), any::<i64>().prop_map(Value::from), ".*".prop_map(Value::from)];
    leaf.prop_recursive(4, 32, 6, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..6).prop_map(Value::from),
            prop::collection::hash_map(".*", inner, 0..6).prop_map(|m| Value::Object(m.into_iter().collect())),
        ]
    })
}

fn exercise(envelope: &Envelope, binding: &str) {
    let _ = envelope.json(binding);
    let _ = envelope.bytes(binding);
    let _ = envelope.binary(binding);
    let _ = envelope.http(binding);
    let _ = envelope.traceparent();
    for name in ["MessageId", "DeliveryCount", "sys", ""] {
        let _ = (envelope.metadata_text(name), envelope.application_property(name));
    }
}

proptest! {
    #[test]
    fn arbitrary_bytes_never_panic(body in prop::collection::vec(any::<u8>(), 0..256)) {
        if let Ok(envelope) = Envelope::parse(&body) {
            exercise(&envelope, "x");
        }
    }

    #[test]
    fn arbitrary_values_never_panic(value in any_json(), metadata in any_json(), url in ".*", headers in any_json()) {
        for data in [value.clone(), json!({"Url": url, "Method": "GET", "Headers": headers, "Body": value}), json!(value.to_string())] {
            let body = json!({"Data": {"x": data}, "Metadata": {"MessageId": metadata, "ApplicationProperties": metadata}}).to_string();
            exercise(&Envelope::parse(body.as_bytes()).expect("an envelope"), "x");
        }
    }

    #[test]
    fn bodies_survive_every_encoding(text in ".*", object in prop::collection::hash_map(".*", any::<i64>(), 0..5)) {
        // A .NET string: JSON text in a string.
        let twice = of(json!(json!(text).to_string())).bytes("x").expect("bytes");
        prop_assert_eq!(&*twice.bytes, text.as_bytes());
        prop_assert_eq!(twice.trusted_metadata, !text.trim_start_matches(|c: char| c.is_whitespace() || c == '\u{feff}').starts_with('{'));
        // dataType binary: base64, of anything.
        let binary = of(json!(BASE64.encode(&text))).binary("x").expect("bytes");
        prop_assert_eq!((&*binary.bytes, binary.trusted_metadata), (text.as_bytes(), true));
        // An object by all four ways.
        let object = json!(object);
        let written = object.to_string();
        for value in [object.clone(), json!(written), json!(json!(written).to_string()), json!(BASE64.encode(&written))] {
            prop_assert_eq!(of(value.clone()).json("x").expect("an object"), object.clone());
            let bytes = of(value).bytes("x").expect("bytes").bytes;
            prop_assert_eq!(serde_json::from_slice::<Value>(&bytes).expect("JSON"), object.clone());
        }
    }
}
