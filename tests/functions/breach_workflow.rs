//! BreachWorkflow: a breach from its detection to its end, what is refused on the way, and the register.

use axum::http::{HeaderMap, Uri};
use rtvoice::config::Secret;
use rtvoice::dev::keys::{Door, Keys};
use rtvoice::host::manifest::{AuthLevel, Manifest};
use rtvoice::ports::audit::{Actor, Note};
use rtvoice::ports::documents::Container;
use rtvoice::privacy::breach::Action;
use serde_json::{Value, json};

use crate::harness::app::{Answer, Rtvoice};

const HOUR: i64 = 3_600_000;

async fn opened(rt: &Rtvoice) -> String {
    let answer = rt.post("/api/breaches", &json!({"nature": "A laptop was stolen", "by": "dpo"})).await;
    assert_eq!(answer.status, 201, "{answer:?}");
    answer.json()["id"].as_str().unwrap().to_owned()
}

async fn step(rt: &Rtvoice, id: &str, action: &str, body: Value) -> Answer {
    rt.post(&format!("/api/breaches/{id}/{action}"), &body).await
}

/// What Art. 33(3) asks for, but for the nature.
fn complete() -> Value {
    json!({
        "type": ["confidentiality"], "dataCategories": ["transcripts"], "subjectsEst": {"low": 10, "high": 40, "basis": "audit log"}, "recordsEst": 80,
        "contact": {"name": "DPO", "reach": "dpo@example.com"}, "consequences": "Words may become known", "measuresTaken": ["key revoked"],
    })
}

fn with(mut body: Value, more: Value) -> Value {
    body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    body
}

async fn assessed(rt: &Rtvoice, risk: &str) -> String {
    let id = opened(rt).await;
    step(rt, &id, "triage", json!({"note": "the disk was not encrypted"})).await.ok();
    step(rt, &id, "aware", json!({"reason": "the thief called", "by": "dpo"})).await.ok();
    step(rt, &id, "assess", json!({"risk": risk, "rationale": "names and words"})).await.ok();
    id
}

#[tokio::test]
async fn a_breach_goes_through_its_states() {
    let rt = Rtvoice::start();
    let id = opened(&rt).await;
    assert_eq!(rt.get(&format!("/api/breaches/{id}")).await.ok()["state"], "detected");
    assert_eq!(step(&rt, &id, "triage", json!({"systems": ["laptop"]})).await.ok()["state"], "triage");
    let aware = step(&rt, &id, "aware", json!({"reason": "the thief called", "by": "dpo"})).await.ok();
    assert_eq!((&aware["state"], &aware["awareBy"], &aware["remainingSeconds"]), (&json!("aware"), &json!("dpo"), &json!(72 * 3600)));
    assert_eq!(aware["dueAt"], json!(rt.clock_now().plus_millis(72 * HOUR)));
    rt.clock.advance_millis(HOUR);
    assert_eq!(step(&rt, &id, "assess", json!({"risk": "high", "rationale": "names"})).await.ok()["state"], "assessed");
    let authority = json!({"authority": {"name": "CNIL"}, "phase": true});
    let first = step(&rt, &id, "notify", authority).await.ok();
    assert_eq!(first["state"], "notified_initial");
    assert_eq!(first["notifications"][0]["fieldsMissing"][0], "type");
    assert!(first.get("remainingSeconds").is_none(), "nobody waits any more");
    let second = step(&rt, &id, "notify", complete()).await.ok();
    assert_eq!((&second["state"], &second["notifications"][1]["fieldsMissing"]), (&json!("notified_supplement"), &json!([])));
    assert_ne!(second["notifications"][0]["contentHash"], second["notifications"][1]["contentHash"]);
    assert_eq!(step(&rt, &id, "inform", json!({"count": 40, "content": "Dear caller"})).await.ok()["state"], "subjects_informed");
    step(&rt, &id, "close", json!({})).await.problem(400, "bad-input", "rootCause");
    let closed = step(&rt, &id, "close", json!({"rootCause": "no disk encryption", "lessons": "encrypt"})).await.ok();
    assert_eq!((&closed["state"], &closed["allowed"]), (&json!("closed"), &json!([])));
    let actions: Vec<_> = closed["timeline"].as_array().unwrap().iter().map(|e| e["action"].as_str().unwrap().to_owned()).collect();
    assert_eq!(actions, ["open", "triage", "aware", "assess", "notify", "notify", "inform", "close"]);
    rt.finish().await;
}

#[tokio::test]
async fn a_step_out_of_order_is_409_with_what_is_allowed() {
    let rt = Rtvoice::start();
    let id = opened(&rt).await;
    for action in ["aware", "assess", "notify", "inform", "exempt", "close"] {
        let problem = step(&rt, &id, action, json!({"reason": "x"})).await.problem(409, "conflict", "");
        assert_eq!((&problem["state"], &problem["allowed"]), (&json!("detected"), &json!(["triage"])), "{action}");
    }
    assert_eq!(rt.get(&format!("/api/breaches/{id}")).await.ok()["timeline"].as_array().unwrap().len(), 1, "nothing happened");
    rt.finish().await;
}

#[tokio::test]
async fn what_is_wrong_or_missing_is_named() {
    let rt = Rtvoice::start();
    let id = assessed(&rt, "risk").await;
    let notify = async |body: Value| step(&rt, &id, "notify", body).await;
    notify(json!({})).await.problem(400, "bad-input", "authority");
    let authority = json!({"authority": {"name": "CNIL"}});
    for field in ["type", "dataCategories", "subjectsEst", "recordsEst", "contact", "consequences", "measuresTaken"] {
        let mut body = with(complete(), authority.clone());
        body.as_object_mut().unwrap().remove(field);
        notify(body).await.problem(400, "bad-input", field);
    }
    notify(with(complete(), json!({"authority": {"name": "CNIL"}, "subjectsEst": {"low": 3, "high": 1, "basis": "x"}}))).await.problem(
        400,
        "bad-input",
        "subjectsEst",
    );
    notify(with(complete(), json!({"authority": {"name": "CNIL"}, "nonsense": 1}))).await.problem(400, "bad-input", "nonsense");
    notify(with(complete(), json!({"authority": {"name": "CNIL"}, "sentAt": "2027-01-01T00:00:00Z"}))).await.problem(400, "bad-input", "sentAt");
    rt.clock.advance_millis(72 * HOUR + 1);
    notify(with(complete(), authority.clone())).await.problem(400, "bad-input", "delayReason");
    let late = notify(with(complete(), with(authority, json!({"delayReason": "the scope was unclear"})))).await.ok();
    assert_eq!((&late["state"], &late["delayReason"]), (&json!("notified_initial"), &json!("the scope was unclear")));
    rt.finish().await;
}

#[tokio::test]
async fn what_needs_no_notification_ends_earlier() {
    let rt = Rtvoice::start();
    // No breach at all.
    let id = opened(&rt).await;
    step(&rt, &id, "triage", json!({})).await.ok();
    step(&rt, &id, "close", json!({})).await.problem(400, "bad-input", "reason");
    assert_eq!(step(&rt, &id, "close", json!({"reason": "a test"})).await.ok()["state"], "closed");
    // A breach without a risk: documented all the same.
    let id = assessed(&rt, "none").await;
    let end = json!({"consequences": "none", "measuresTaken": ["looked"], "rootCause": "x"});
    assert_eq!(step(&rt, &id, "close", end.clone()).await.ok()["state"], "closed");
    // A risk must be notified before it is closed; a high one must be told to people, or exempt.
    let id = assessed(&rt, "high").await;
    assert_eq!(step(&rt, &id, "close", end.clone()).await.problem(409, "conflict", "")["state"], "assessed");
    step(&rt, &id, "notify", with(complete(), json!({"authority": {"name": "CNIL"}}))).await.ok();
    step(&rt, &id, "close", end.clone()).await.problem(409, "conflict", "");
    step(&rt, &id, "exempt", json!({"exemption": "d", "rationale": "x"})).await.problem(400, "bad-input", "exemption");
    step(&rt, &id, "exempt", json!({"exemption": "a", "rationale": "encrypted"})).await.problem(400, "bad-input", "encrypted");
    let encrypted = json!({"exemption": "a", "rationale": "encrypted", "encrypted": {"fields": ["transcript"], "keyExposed": "no", "evidence": "key log"}});
    assert_eq!(step(&rt, &id, "exempt", encrypted).await.ok()["state"], "exempt");
    assert_eq!(step(&rt, &id, "close", end).await.ok()["state"], "closed");
    rt.finish().await;
}

#[tokio::test]
async fn awareness_is_corrected_in_the_open() {
    let rt = Rtvoice::start();
    let id = assessed(&rt, "risk").await;
    let earlier = rt.clock_now().plus_millis(-5 * HOUR);
    step(&rt, &id, "aware", json!({"awareAt": earlier})).await.problem(400, "bad-input", "reason");
    let corrected = step(&rt, &id, "aware", json!({"awareAt": earlier, "reason": "the help desk knew"})).await.ok();
    assert_eq!((&corrected["state"], &corrected["dueAt"]), (&json!("assessed"), &json!(earlier.plus_millis(72 * HOUR))));
    let told = corrected["timeline"].as_array().unwrap().last().unwrap()["detail"].as_str().unwrap().to_owned();
    assert!(told.contains("corrected from") && told.contains(&earlier.to_string()), "{told}");
    rt.app.audit.flush().await.unwrap();
    assert!(json!(rt.documents_in(Container::Audit)).to_string().matches("breach.aware").count() >= 2, "and it is audited");
    rt.finish().await;
}

#[tokio::test]
async fn the_register_is_listed_and_exported() {
    let rt = Rtvoice::start();
    let mut ids = Vec::new();
    for n in 0..3 {
        let opened = rt.post("/api/breaches", &json!({"nature": format!("=HYPERLINK(\"x{n}\")"), "systems": ["a \"b\"", "c"]})).await;
        ids.push(opened.json()["id"].as_str().unwrap().to_owned());
        rt.clock.advance_millis(1);
    }
    let listed = rt.get("/api/breaches").await.ok();
    let found: Vec<_> = listed["breaches"].as_array().unwrap().iter().map(|b| b["id"].as_str().unwrap().to_owned()).collect();
    assert_eq!((found, &listed["next"]), (ids, &Value::Null));
    let table = rt.get("/api/breaches?format=csv").await;
    assert_eq!(table.header("content-type"), "text/csv; charset=utf-8");
    let text = String::from_utf8(table.body.to_vec()).unwrap();
    assert_eq!(text.lines().count(), 4);
    assert!(text.contains("\"'=HYPERLINK(\"\"x0\"\")\"") && text.contains("\"a \"\"b\"\"; c\""), "{text}");
    rt.get("/api/breaches?format=xml").await.problem(400, "bad-input", "format");
    rt.get("/api/breaches/unknown").await.problem(404, "not-found", "");
    rt.post("/api/breaches/unknown/triage", &json!({})).await.problem(404, "not-found", "");
    rt.post("/api/breaches/unknown/dance", &json!({})).await.problem(404, "not-found", "");
    rt.post("/api/breaches", &json!({"detectedAt": "yesterday"})).await.problem(400, "bad-input", "detectedAt");
    rt.finish().await;
}

#[tokio::test]
async fn the_scope_tells_whose_data_was_read() {
    let rt = Rtvoice::start();
    let id = opened(&rt).await;
    for n in 0..30 {
        let actor = if n % 3 == 0 { "mallory" } else { "ann" };
        let note =
            Note::new("transcript.read").actor(Actor::Operator(actor.to_owned())).subject(&format!("u1-{}", n % 6)).store("documents").named("transcripts");
        rt.app.audit.note(note).await.unwrap();
        rt.clock.advance_millis(HOUR);
    }
    rt.app.audit.flush().await.unwrap();
    step(&rt, &id, "scope", json!({})).await.problem(400, "bad-input", "from");
    let from = rt.clock_now().plus_millis(-31 * HOUR);
    let window = json!({"actor": "operator:mallory", "from": from, "to": rt.clock_now().plus_millis(-16 * HOUR)});
    let scope = step(&rt, &id, "scope", window).await.ok();
    let subjects: Vec<_> = scope["subjects"].as_array().unwrap().iter().map(|s| (s["subject"].as_str().unwrap(), s["count"].as_u64().unwrap())).collect();
    assert_eq!(subjects, [("u1-0", 3), ("u1-3", 2)]);
    assert_eq!((&scope["subjects"][0]["fields"], &scope["entries"], &scope["next"]), (&json!(["transcripts"]), &json!(5), &Value::Null));
    // Page by page it is the same.
    let mut count = 0;
    let mut body = json!({"actor": "operator:mallory", "from": from});
    loop {
        let page = step(&rt, &id, "scope", body.clone()).await.ok();
        count += page["entries"].as_u64().unwrap();
        match page["next"].as_str() {
            None => break,
            Some(next) => body["cursor"] = json!(next),
        }
    }
    assert_eq!(count, 10);
    rt.finish().await;
}

/// Two callers, each with a turn before, in or after the window: what the state store was asked for resolves to the one whose
/// call it was, while the call runs, once it is archived, and once it is erased.
#[tokio::test]
async fn what_was_read_in_the_state_store_has_an_owner() {
    let rt = Rtvoice::start();
    let id = opened(&rt).await;
    let turn = async |call: &str, turn: &str, user: &str| {
        rt.post(&format!("/api/calls/{call}/turns"), &json!({"turnId": turn, "text": "hello", "context": {"user_id": user}})).await.ok();
        rt.quiesce().await;
        rt.clock.advance_millis(HOUR / 60);
    };
    for (call, user) in [("call-a", "customer-1"), ("call-b", "customer-2")] {
        rt.event("CallConnected", call, &format!("{call}-1")).await.ok();
        turn(call, "t1", user).await;
    }
    let from = rt.clock_now();
    turn("call-b", "t2", "customer-2").await;
    let to = rt.clock_now().plus_millis(-1);
    turn("call-a", "t2", "customer-1").await;
    let ann = rt.token("customer-2").await.to_string();
    let check = async |when: &str| {
        rt.app.audit.flush().await.unwrap();
        let scope = step(&rt, &id, "scope", json!({"actor": "function:ConversationTurn", "from": from, "to": to})).await.ok();
        let subjects = scope["subjects"].as_array().unwrap();
        assert_eq!(subjects.iter().map(|s| s["subject"].as_str().unwrap()).collect::<Vec<_>>(), [ann.as_str()], "{when}: {scope}");
        assert_eq!((&subjects[0]["calls"], &scope["calls"]), (&json!(["call-b"]), &json!([])), "{when}");
        let fields: Vec<&str> = subjects[0]["fields"].as_array().unwrap().iter().map(|f| f.as_str().unwrap()).collect();
        for field in ["call:session", "conversation:context", "conversation:history", "conversation:turns", "conversation:outbox"] {
            assert!(fields.contains(&field), "{when}: {field} in {fields:?}");
        }
        let other = step(&rt, &id, "scope", json!({"actor": "function:WorkerHeartbeat", "from": from, "to": to})).await.ok();
        assert_eq!((&other["subjects"], &other["calls"]), (&json!([]), &json!([])), "{when}");
        let hers = step(&rt, &id, "scope", json!({"subject": ann, "from": from, "to": to})).await.ok();
        assert_eq!((hers["subjects"].as_array().unwrap().len(), hers["entries"].as_u64() >= subjects[0]["count"].as_u64()), (1, true), "{when}");
    };
    check("while the call runs").await;
    for call in ["call-a", "call-b"] {
        rt.event("CallDisconnected", call, &format!("{call}-2")).await.ok();
    }
    rt.deliver_queue().await;
    check("once it is archived").await;
    rt.send(axum::http::Method::DELETE, &format!("/api/users/{ann}"), &[], "").await;
    rt.quiesce().await;
    rt.tick("ErasureRunner").await.ok();
    check("once she is erased").await;
    rt.finish().await;
}

/// What the log does not name by itself: an entry from before the caller was known, looked at by a process that was told nothing.
#[tokio::test]
async fn the_record_tells_whose_call_it_was() {
    let rt = Rtvoice::start();
    let id = opened(&rt).await;
    rt.event("CallConnected", "call-a", "e1").await.ok();
    let from = rt.clock_now();
    rt.turn("call-a", "t1", "who am I").await.ok();
    rt.quiesce().await;
    rt.app.audit.flush().await.unwrap();
    let window = json!({"actor": "function:ConversationTurn", "from": from, "to": rt.clock_now()});
    let nobody = step(&rt, &id, "scope", window.clone()).await.ok();
    assert_eq!((&nobody["subjects"], &nobody["calls"][0]["call"]), (&json!([]), &json!("call-a")), "listed, not left out");
    rt.clock.advance_millis(HOUR);
    rt.post("/api/calls/call-a/turns", &json!({"turnId": "t2", "text": "hello", "context": {"user_id": "customer-1"}})).await.ok();
    rt.quiesce().await;
    let whose = async || step(&rt, &id, "scope", window.clone()).await.ok()["subjects"][0]["subject"].clone();
    let token = json!(rt.token("customer-1").await);
    assert_eq!(whose().await, token, "by the session");
    rt.event("CallDisconnected", "call-a", "e2").await.ok();
    rt.deliver_queue().await;
    rt.forget("call-a");
    assert_eq!(whose().await, token, "by the archive");
    rt.send(axum::http::Method::DELETE, &format!("/api/users/{}", token.as_str().unwrap()), &[], "").await;
    rt.quiesce().await;
    rt.tick("ErasureRunner").await.ok();
    assert_eq!(whose().await, token, "by the erasure");
    rt.finish().await;
}

/// The host asks for the master key; the local host asks for it wherever it asks for keys.
#[tokio::test]
async fn it_takes_the_master_key_alone() {
    let manifest = Manifest::read(std::path::Path::new(env!("CARGO_MANIFEST_DIR"))).unwrap();
    assert_eq!(manifest.function("BreachWorkflow").unwrap().auth_level(), Some(AuthLevel::Admin));
    for path in ["breaches", "breaches/b-1", "breaches/b-1/triage"] {
        assert_eq!(manifest.by_route("GET", path).unwrap().name, "BreachWorkflow", "{path}");
    }
    assert!(manifest.by_route("POST", "breaches/b-1/triage/more").is_none());
    let keys = Keys { master: Secret::new("m"), function: Secret::new("f"), event_grid: Secret::new("e") };
    let uri: Uri = "/api/breaches".parse().unwrap();
    for (key, opens) in [("m", true), ("f", false), ("e", false), ("", false)] {
        let headers = HeaderMap::from_iter([("x-functions-key".parse().unwrap(), key.parse().unwrap())]);
        assert_eq!(keys.opens(Door::Function(AuthLevel::Admin), &headers, &uri), opens, "{key}");
    }
    assert!(Action::ALL.into_iter().all(|action| Action::parse(action.name()) == Some(action)));
}
