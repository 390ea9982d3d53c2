//! Whatever comes in: refused with a clear error that names the field and repeats nothing, before anything is written.

use std::net::SocketAddr;
use std::time::Duration;

use axum::http::Method;
use rtvoice::functions::{ALL, Face};
use rtvoice::host::server;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio_util::sync::CancellationToken;

use crate::harness::app::{Answer, PATIENCE, Rtvoice};

/// Stands in every text that is sent here, and must never come back.
const SAID: &str = "MySecretIs4711";
const JSON: &[(&str, &str)] = &[("content-type", "application/json")];

/// One request that would be taken, with the fields that must be there.
struct Route {
    method: Method,
    path: &'static str,
    body: Value,
    required: &'static [&'static str],
}

fn routes() -> Vec<Route> {
    let route = |method, path, body, required| Route { method, path, body, required };
    vec![
        route(
            Method::POST,
            "/api/calls/call-1/turns",
            json!({"turnId": "t1", "text": SAID, "language": "en-GB", "confidence": 0.5, "context": {"k": SAID}, "speak": true}),
            &["turnId", "text"],
        ),
        route(
            Method::POST,
            "/api/tts",
            json!({"text": SAID, "voice": "en-US-AvaMultilingualNeural", "language": "en-US", "format": "riff-16khz-16bit-mono-pcm"}),
            &["text"],
        ),
        route(
            Method::PUT,
            "/api/calls/call-1/auth",
            json!({"authenticated": true, "method": "pin", "level": "basic", "subject": SAID}),
            &["authenticated", "method", "level"],
        ),
        route(Method::PUT, "/api/workers/worker-1/calls/call-1", json!({"leaseToken": SAID}), &[]),
        route(Method::DELETE, "/api/workers/worker-1/calls/call-1", json!({"leaseToken": SAID}), &[]),
        route(Method::PATCH, "/api/users/u1-0123456789abcdef0123456789abcdef", json!({"preferences": {"k": SAID}, "language": "en-GB"}), &[]),
    ]
}

/// Sends a body that must be refused.
async fn refused(app: &Rtvoice, route: &Route, body: impl Into<axum::body::Body>, what: &str) -> Answer {
    let answer = app.send(route.method.clone(), route.path, JSON, body).await;
    assert!((400..500).contains(&answer.status), "{} {} {what}: {} {:?}", route.method, route.path, answer.status, answer.body);
    repeats_nothing(&answer, what);
    answer
}

#[track_caller]
fn repeats_nothing(answer: &Answer, what: &str) {
    let text = String::from_utf8_lossy(&answer.body).into_owned();
    assert!(!text.contains(SAID), "{what} is repeated: {text}");
    assert!(text.len() < 1000, "{what}: {text}");
}

#[tokio::test]
async fn bodies_that_are_no_json_object_name_the_body() {
    let app = Rtvoice::start();
    let before = app.dump();
    let deep = format!("{{\"text\":{}{}}}", "[".repeat(5000), "]".repeat(5000));
    for route in routes() {
        let sound = route.body.to_string();
        let cases: Vec<(&str, Vec<u8>)> = vec![
            ("half of it", sound.as_bytes()[..sound.len() / 2].to_vec()),
            ("something behind it", format!("{sound} {SAID}").into_bytes()),
            ("two of them", format!("{sound}{sound}").into_bytes()),
            ("text", SAID.as_bytes().to_vec()),
            ("single quotes", sound.replace('"', "'").into_bytes()),
            ("an array", format!("[{sound}]").into_bytes()),
            ("null", b"null".to_vec()),
            ("a string", format!("\"{SAID}\"").into_bytes()),
            ("a number", b"4711".to_vec()),
            ("invalid UTF-8", sound.bytes().map(|b| if b == b'4' { 0xff } else { b }).collect()),
            ("invalid UTF-8 in a name", b"{\"\xff\":1}".to_vec()),
            ("half a surrogate", b"{\"text\":\"\\ud83d\"}".to_vec()),
            ("a number without end", b"{\"confidence\":1e999}".to_vec()),
            ("deep nesting", deep.clone().into_bytes()),
            ("a byte order mark", [b"\xef\xbb\xbf".as_slice(), sound.as_bytes()].concat()),
        ];
        for (what, body) in cases {
            refused(&app, &route, body, what).await.problem(400, "bad-input", "body");
        }
        // No body at all is a claim without a token, or a change of nothing.
        if !route.path.contains("/workers/") {
            refused(&app, &route, "", "nothing").await.problem(400, "bad-input", "body");
        }
    }
    app.quiesce().await;
    assert_eq!(app.dump(), before, "something was written");
    app.finish().await;
}

#[tokio::test]
async fn a_name_that_stands_twice_is_refused_at_any_depth() {
    let app = Rtvoice::start();
    let before = app.dump();
    for body in [
        format!("{{\"turnId\":\"t1\",\"turnId\":\"t2\",\"text\":\"{SAID}\"}}"),
        format!("{{\"turnId\":\"t1\",\"text\":\"{SAID}\",\"te\\u0078t\":\"{SAID}\"}}"),
        "{\"turnId\":\"t1\",\"text\":\"x\",\"context\":{\"a\":{\"b\":1,\"b\":2}}}".to_owned(),
        "{\"turnId\":\"t1\",\"text\":\"x\",\"context\":{\"a\":[{\"b\":1,\"b\":2}]}}".to_owned(),
    ] {
        let answer = app.send(Method::POST, "/api/calls/call-1/turns", JSON, body).await;
        let problem = answer.problem(400, "bad-input", "body");
        assert!(problem["detail"].as_str().unwrap().contains("name twice"), "{problem}");
        repeats_nothing(&answer, "a name twice");
    }
    assert_eq!(app.dump(), before);
    app.finish().await;
}

#[tokio::test]
async fn every_field_is_held_to_its_type() {
    let app = Rtvoice::start();
    let before = app.dump();
    let samples = [json!(true), json!(4711), json!(-0.5), json!(SAID), json!([SAID]), json!({"k": SAID}), json!("")];
    for route in routes() {
        for (name, right) in route.body.as_object().unwrap() {
            for wrong in &samples {
                let same_type = std::mem::discriminant(wrong) == std::mem::discriminant(right);
                if same_type && *wrong != json!("") && !(wrong.is_number() && *wrong != json!(0.5)) {
                    continue;
                }
                let mut body = route.body.clone();
                body[name] = wrong.clone();
                let answer = refused(&app, &route, body.to_string(), name).await;
                answer.problem(400, "bad-input", name);
            }
        }
        for name in route.required {
            for gone in [None, Some(Value::Null)] {
                let mut body = route.body.clone();
                match gone {
                    Some(null) => body[*name] = null,
                    None => drop(body.as_object_mut().unwrap().remove(*name)),
                }
                refused(&app, &route, body.to_string(), name).await.problem(400, "bad-input", name);
            }
        }
        for (unknown, field) in
            [("txet", if route.method == Method::PATCH { "body" } else { "txet" }), ("My name is Ada, and my pin is MySecretIs4711", "body")]
        {
            let mut body = route.body.clone();
            body[unknown] = json!(1);
            refused(&app, &route, body.to_string(), unknown).await.problem(400, "bad-input", field);
        }
        let answer = app.send(route.method.clone(), route.path, &[("content-type", "text/plain")], route.body.to_string()).await;
        answer.problem(415, "unsupported-media-type", "Content-Type");
    }
    app.quiesce().await;
    assert_eq!(app.dump(), before, "something was written");
    app.finish().await;
}

#[tokio::test]
async fn the_values_of_fields_are_held_to_their_rules() {
    let app = Rtvoice::start();
    let before = app.dump();
    let many: serde_json::Map<String, Value> = (0..65).map(|n| (format!("k{n}"), json!(n))).collect();
    let cases: Vec<(usize, &str, Value, &str)> = vec![
        (0, "turnId", json!("a:b"), "turnId"),
        (0, "turnId", json!("a/b"), "turnId"),
        (0, "turnId", json!("{a}"), "turnId"),
        (0, "turnId", json!("a*"), "turnId"),
        (0, "turnId", json!("t".repeat(65)), "turnId"),
        (0, "text", json!("x".repeat(4001)), "text"),
        (0, "text", json!("\u{1f600}".repeat(4001)), "text"),
        (0, "language", json!("x"), "language"),
        (0, "language", json!(format!("en {SAID}")), "language"),
        (0, "confidence", json!(1.01), "confidence"),
        (0, "context", json!({"_own": 1}), "context"),
        (0, "context", json!({"": 1}), "context"),
        (0, "context", json!({"k".repeat(129): 1}), "context"),
        (0, "context", json!({"a\u{0}b": 1}), "context"),
        (0, "context", Value::Object(many), "context"),
        (0, "context", json!({"k": SAID.repeat(2000)}), "context"),
        (0, "context", json!({"user_id": format!("user:{SAID}")}), "context.user_id"),
        (0, "context", json!({"user_id": 7}), "context.user_id"),
        (1, "text", json!("x".repeat(4001)), "text"),
        (1, "text", json!(" \n\t "), "text"),
        (1, "text", json!(format!("{SAID}\u{0}")), "text"),
        (1, "voice", json!(format!("'/><audio src='{SAID}'")), "voice"),
        (1, "voice", json!("v".repeat(101)), "voice"),
        (1, "format", json!("mp3"), "format"),
        (2, "method", json!("m".repeat(129)), "method"),
        (2, "level", json!(format!("{SAID}\n")), "level"),
        (3, "leaseToken", json!("t".repeat(129)), "leaseToken"),
        (5, "language", json!("l".repeat(36)), "language"),
        (5, "preferences", json!({"k": SAID.repeat(5000)}), "preferences"),
    ];
    for (route, name, value, field) in cases {
        let route = &routes()[route];
        let mut body = route.body.clone();
        body[name] = value;
        refused(&app, route, body.to_string(), name).await.problem(400, "bad-input", field);
    }
    app.quiesce().await;
    assert_eq!(app.dump(), before, "something was written");
    app.finish().await;
}

#[tokio::test]
async fn four_thousand_characters_of_four_bytes_are_taken() {
    let app = Rtvoice::start();
    let text = "\u{1f600}".repeat(4000);
    app.turn("call-1", "t1", &text).await.ok();
    let escaped = format!("{{\"turnId\":\"t2\",\"text\":\"{}\"}}", "\\ud83d\\ude00".repeat(4000));
    assert_eq!(app.send(Method::POST, "/api/calls/call-1/turns", JSON, escaped).await.ok()["seq"], 2);
    assert_eq!(app.post("/api/tts", &json!({"text": text})).await.status, 200);
    app.event("CallDisconnected", "call-1", "e1").await.ok();
    app.deliver_queue().await;
    let archived = app.archive("call-1").await.unwrap();
    assert!(archived.union.in_order().iter().all(|t| t.entry.words.user.as_deref() == Some(text.as_str())));
    app.finish().await;
}

#[tokio::test]
async fn identifiers_in_paths_are_refused_before_a_key_is_built() {
    let app = Rtvoice::start();
    let before = app.dump();
    let long = "a".repeat(129);
    let bad = ["a%3Ab", "a:b", "%7Ba%7D", "a*", "a%2A", "a%2Fb", "a%5Cb", "a%20b", "a%00b", "a%0Ab", "%FF", "a%C3%A4", "%252e", "a@b", "a+b", "a,b", &long];
    for id in bad {
        for (method, path, field) in [
            (Method::POST, format!("/api/calls/{id}/turns"), "callConnectionId"),
            (Method::GET, format!("/api/calls/{id}/auth"), "callConnectionId"),
            (Method::PUT, format!("/api/calls/{id}/auth"), "callConnectionId"),
            (Method::DELETE, format!("/api/calls/{id}/auth"), "callConnectionId"),
            (Method::GET, format!("/api/calls/{id}/worker"), "callConnectionId"),
            (Method::PUT, format!("/api/workers/worker-1/calls/{id}"), "callConnectionId"),
            (Method::PUT, format!("/api/workers/{id}/calls/call-1"), "workerId"),
            (Method::DELETE, format!("/api/workers/{id}/calls/call-1"), "workerId"),
            (Method::PUT, format!("/api/workers/{id}/heartbeat"), "workerId"),
            (Method::GET, format!("/api/users/{id}"), "userId"),
            (Method::PATCH, format!("/api/users/{id}"), "userId"),
            (Method::GET, format!("/api/tts/{id}"), "hash"),
        ] {
            let body = routes().into_iter().find(|r| r.method == method && path.ends_with("turns") == r.path.ends_with("turns"));
            let answer = app.send(method.clone(), &path, JSON, body.map_or_else(|| "{}".to_owned(), |r| r.body.to_string())).await;
            answer.problem(400, "bad-input", field);
            repeats_nothing(&answer, &path);
        }
    }
    assert_eq!(app.dump(), before, "something was written");
    app.finish().await;
}

#[tokio::test]
async fn events_are_all_read_before_the_first_is_acted_on() {
    let app = Rtvoice::start();
    let before = app.dump();
    let sound = app.cloud_event("CallConnected", "call-1", "e1", json!({}));
    let change = |event: &Value, pointer: &str, value: Value| {
        let mut event = event.clone();
        *event.pointer_mut(pointer).unwrap() = value;
        event
    };
    let cases = [
        (json!(SAID), "event"),
        (Value::Null, "event"),
        (json!([sound.clone()]), "event"),
        (json!({}), "type"),
        (change(&sound, "/type", json!(7)), "type"),
        (change(&sound, "/type", json!("")), "type"),
        (change(&sound, "/id", Value::Null), "id"),
        (change(&sound, "/id", json!(7)), "id"),
        (change(&sound, "/id", json!("")), "id"),
        (change(&sound, "/id", json!("x".repeat(257))), "id"),
        (change(&sound, "/data", json!(SAID)), "data"),
        (change(&sound, "/data", json!([SAID])), "data"),
        (change(&sound, "/data", Value::Null), "data.callConnectionId"),
        (change(&sound, "/data/callConnectionId", Value::Null), "data.callConnectionId"),
        (change(&sound, "/data/callConnectionId", json!(7)), "data.callConnectionId"),
        (change(&sound, "/data/callConnectionId", json!("")), "data.callConnectionId"),
        (change(&sound, "/data/callConnectionId", json!(format!("{SAID}:x"))), "data.callConnectionId"),
        (change(&sound, "/data/callConnectionId", json!("{x}")), "data.callConnectionId"),
        (change(&sound, "/data/callConnectionId", json!("*")), "data.callConnectionId"),
        (change(&sound, "/data/callConnectionId", json!("x".repeat(129))), "data.callConnectionId"),
    ];
    for (bad, field) in cases {
        let answer = app.post("/api/calls/events", &json!([sound, bad])).await;
        answer.problem(400, "bad-input", &format!("[1].{field}"));
        repeats_nothing(&answer, field);
        if bad.is_object() {
            app.post("/api/calls/events", &bad).await.problem(400, "bad-input", field);
        }
    }
    app.send(Method::POST, "/api/calls/events", &[("content-type", "text/plain")], sound.to_string()).await.problem(
        415,
        "unsupported-media-type",
        "Content-Type",
    );
    for body in [format!("[{sound},"), SAID.to_owned(), String::new()] {
        app.send(Method::POST, "/api/calls/events", JSON, body).await.problem(400, "bad-input", "body");
    }
    app.quiesce().await;
    assert_eq!(app.dump(), before, "something was written");
    app.finish().await;
}

/// Event Grid would deliver the batch again for a day and hold back the calls behind it.
#[tokio::test]
async fn an_event_that_can_never_be_taken_is_parked_and_its_neighbours_are_taken() {
    let app = Rtvoice::start();
    let sound = app.cloud_event("CallConnected", "call-1", "e1", json!({}));
    let bad = app.cloud_event("CallConnected", "call:1", "e2", json!({}));
    for function in ["CallConnected", "CallDisconnected"] {
        let answer = app.envelope(function, "event", json!([sound, bad])).await;
        assert_eq!(answer.status, 200, "{answer:?}");
    }
    let turn = app.post("/api/calls/call-1/turns", &json!({"turnId": "t1", "text": "hello", "speak": false})).await;
    assert_eq!((turn.status, &turn.json()["seq"]), (200, &json!(1)), "{turn:?}");
    app.finish_with(0, 1).await;
}

#[tokio::test]
async fn envelopes_that_are_none_are_refused() {
    let app = Rtvoice::start();
    let before = app.dump();
    for function in ALL {
        let path = format!("/{}", function.name);
        for (body, field) in [
            ("", "body"),
            ("{", "body"),
            ("[]", "body"),
            ("null", "body"),
            ("{}", "Data"),
            ("{\"Data\":null,\"Metadata\":{}}", "Data"),
            ("{\"Data\":\"MySecretIs4711\",\"Metadata\":{}}", "Data"),
            ("{\"Data\":{},\"Metadata\":[]}", "Metadata"),
        ] {
            let answer = app.send(Method::POST, &path, JSON, body).await;
            answer.problem(400, "bad-input", field);
            repeats_nothing(&answer, body);
        }
        let binding = match function.name {
            "AlertEvaluator" | "BreachClock" | "ComplianceReport" | "ErasureRunner" | "OutboxRelay" | "PiiScan" | "RetentionPurge" | "SystemMetrics"
            | "WeeklyReport" => "timer",
            "TranscriptWriter" | "TranscriptDeadLetter" => "message",
            "CallConnected" | "CallDisconnected" => "event",
            _ => "req",
        };
        let values = if binding == "message" { vec![Value::Null] } else { vec![Value::Null, json!(7), json!(SAID), json!("\"still a string\"")] };
        for value in values {
            let answer = app.envelope(function.name, binding, value).await;
            let problem = if binding == "req" {
                let output = answer.ok()["Outputs"]["res"].clone();
                assert_eq!(output["statusCode"], 400, "{}", function.name);
                serde_json::from_str(output["body"].as_str().unwrap()).unwrap()
            } else {
                answer.problem(400, "bad-input", &format!("Data.{binding}"))
            };
            assert_eq!(problem["field"], format!("Data.{binding}"), "{}", function.name);
            repeats_nothing(&answer, function.name);
        }
    }
    app.quiesce().await;
    assert_eq!(app.dump(), before, "something was written");
    app.finish().await;
}

#[tokio::test]
async fn unknown_paths_and_functions_are_not_found() {
    let app = Rtvoice::start();
    for path in [
        "/api",
        "/api/",
        "/api/nothing",
        "/api/calls",
        "/api/calls/call-1",
        "/api/calls/call-1/turns/t1",
        "/api/tts/a/b",
        "/NoSuchFunction",
        "/conversationturn",
        "/ConversationTurn/x",
        "/apis/tts",
        "//api/tts",
    ] {
        for method in [Method::GET, Method::POST, Method::DELETE] {
            app.send(method, path, &[], "").await.problem(404, "not-found", "");
        }
    }
    for method in [Method::GET, Method::POST] {
        assert_eq!(app.send(method, "/", &[], "").await.ok(), json!({}), "the host pings the root");
    }
    assert_eq!(app.send(Method::HEAD, "/", &[], "").await.status, 200);
    app.finish().await;
}

#[tokio::test]
async fn wrong_methods_are_told_the_right_ones() {
    let app = Rtvoice::start();
    let before = app.dump();
    let every = [Method::GET, Method::HEAD, Method::POST, Method::PUT, Method::PATCH, Method::DELETE, Method::OPTIONS, Method::TRACE];
    for function in ALL {
        let (path, allowed) = match function.face {
            Face::Http { route, .. } => {
                // Several functions may share a route.
                let on_it = ALL.iter().filter_map(|f| match f.face {
                    Face::Http { route: other, methods, .. } if other == route => Some(methods),
                    _ => None,
                });
                (format!("/api/{}", route.replace("{hash?}", "x").replace(['{', '}'], "")), on_it.flatten().cloned().collect())
            }
            Face::Trigger { .. } => (format!("/{}", function.name), vec![Method::POST]),
        };
        let expected = allowed.iter().map(Method::as_str).collect::<Vec<_>>().join(", ");
        for method in every.iter().filter(|m| !allowed.contains(m)) {
            let answer = app.send(method.clone(), &path, &[], "").await;
            assert_eq!(answer.status, 405, "{method} {path}");
            if *method != Method::HEAD {
                answer.problem(405, "method-not-allowed", "");
            }
            assert_eq!(answer.header("allow"), expected, "{method} {path}");
        }
    }
    assert_eq!(app.dump(), before);
    app.finish().await;
}

#[tokio::test]
async fn bodies_above_their_limit_are_refused() {
    let app = Rtvoice::start();
    let before = app.dump();
    for route in routes() {
        refused(&app, &route, vec![b' '; 3_000_000], "3 MB").await.problem(413, "too-large", "body");
    }
    let event = app.cloud_event("CallConnected", "call-1", "e1", json!({"note": "x".repeat(1 << 20)}));
    app.post("/api/calls/events", &event).await.problem(413, "too-large", "body");
    app.send(Method::POST, "/TranscriptWriter", JSON, vec![b' '; (4 << 20) + 1]).await.problem(413, "too-large", "body");
    let mut turn = json!({"turnId": "t1", "text": "hello"}).to_string();
    turn.extend(std::iter::repeat_n(' ', 64 * 1024 - turn.len() + 1));
    app.send(Method::POST, "/api/calls/call-1/turns", JSON, turn.clone()).await.problem(413, "too-large", "body");
    let request = json!({"Url": "http://x/api/calls/call-1/turns", "Method": "POST", "Headers": {}, "Body": turn});
    assert_eq!(app.envelope("ConversationTurn", "req", request).await.ok()["Outputs"]["res"]["statusCode"], 413);
    app.quiesce().await;
    assert_eq!(app.dump(), before);
    turn.pop();
    app.send(Method::POST, "/api/calls/call-1/turns", JSON, turn).await.ok();
    app.finish().await;
}

/// A client that writes everything before it reads, as simple ones do; the status line of what it reads.
async fn write_then_read(address: SocketAddr, bytes: usize) -> String {
    let mut stream = tokio::net::TcpStream::connect(address).await.unwrap();
    let head = format!("POST /api/calls/call-1/turns HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: {bytes}\r\n\r\n");
    stream.write_all(head.as_bytes()).await.unwrap();
    stream.write_all(&vec![b' '; bytes]).await.expect("the connection was cut while the body was sent");
    let mut answer = Vec::new();
    let mut buffer = [0; 4096];
    while !String::from_utf8_lossy(&answer).contains("\"urn:") {
        let n = stream.read(&mut buffer).await.expect("the connection was cut before the answer was read");
        assert!(n > 0, "the connection ended: {}", String::from_utf8_lossy(&answer));
        answer.extend_from_slice(&buffer[..n]);
    }
    String::from_utf8(answer).unwrap().lines().next().unwrap().to_owned()
}

#[tokio::test]
async fn over_a_socket_the_client_of_a_large_body_reads_its_answer() {
    let app = Rtvoice::start();
    let listener = server::bind(0).await.unwrap();
    let address = listener.local_addr().unwrap();
    assert!(address.ip().is_loopback());
    let stop = CancellationToken::new();
    let serving = tokio::spawn(server::serve(app.app.clone(), listener, stop.clone()));
    // Far more than all buffers on the way take.
    for megabytes in [3, 9, 25] {
        for _ in 0..3 {
            let status = tokio::time::timeout(PATIENCE, write_then_read(address, megabytes * 1_000_000)).await.unwrap();
            assert_eq!(status, "HTTP/1.1 413 Payload Too Large", "{megabytes} MB");
        }
        let client = rtvoice::ports::http::client().unwrap();
        let answer = client.post(format!("http://{address}/api/tts")).body(vec![b' '; megabytes * 1_000_000]).send().await.unwrap();
        assert_eq!(answer.status().as_u16(), 413);
        assert!(answer.text().await.unwrap().contains("too-large"));
    }
    // A client that goes away halfway harms nobody.
    let mut half = tokio::net::TcpStream::connect(address).await.unwrap();
    half.write_all(b"POST /api/tts HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n\r\n{").await.unwrap();
    drop(half);
    let client = rtvoice::ports::http::client().unwrap();
    assert_eq!(client.get(format!("http://{address}/api/ready")).send().await.unwrap().status().as_u16(), 200);
    stop.cancel();
    tokio::time::timeout(Duration::from_secs(20), serving).await.unwrap().unwrap().unwrap();
    app.finish().await;
}
