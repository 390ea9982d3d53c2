//! The whole app in one process: real router, real functions, embedded stores on a file of its own, and faults on demand.
//!
//! In: settings. Requests go through the router as the Functions host sends them; every answer is held to what all answers
//! must be. `finish` fails on what a test leaves behind: unsent outbox entries, dead letters, keys without a life.

use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use axum::http::{Method, Request};
use http_body_util::BodyExt as _;
use rtvoice::app::{App, Parts};
use rtvoice::config::Config;
use rtvoice::host::compose::{self, Invocation};
use rtvoice::host::router::router;
use rtvoice::model::ids::{UserId, UserToken};
use rtvoice::model::time::Timestamp;
use rtvoice::ports::clock::{Clock, ManualClock};
use rtvoice::ports::documents::embedded::EmbeddedDocuments;
use rtvoice::ports::documents::{Container, Documents};
use rtvoice::ports::embedded::Embedded;
use rtvoice::ports::queue::embedded::{Delivery, EmbeddedQueue};
use serde_json::{Value, json};
use tower::ServiceExt as _;

pub use super::answer::Answer;
use super::board::Telling;
use super::faults::{Agent, Switch, Switchable, Voice};

/// When every test begins: 2026-03-10T17:05:00Z, the time of the events in `fixtures/acs`.
pub const START: Timestamp = Timestamp::from_millis(1_773_162_300_000);
/// Longest that a test waits for anything.
pub const PATIENCE: Duration = Duration::from_secs(30);
/// How long a delivery is locked.
const LOCK: Duration = Duration::from_secs(60);
/// Longest life that a key may have: the largest policy times the largest multiplier.
const LONGEST_LIFE_MS: i64 = 691_200_000 * 100;

/// One app with everything that a test may want to turn.
pub struct Rtvoice {
    /// The app.
    pub app: App,
    /// Its clock; stands still until it is moved.
    pub clock: Arc<ManualClock>,
    /// The state store's faults.
    pub state: Switch,
    /// The documents' faults.
    pub documents: Switch,
    /// The queue's faults.
    pub queue: Switch,
    /// Who replies.
    pub agent: Arc<Agent>,
    /// Who speaks.
    pub voice: Arc<Voice>,
    /// What the state store's server says of itself.
    pub server: Arc<Telling>,
    _folder: tempfile::TempDir,
    finished: bool,
}

impl Rtvoice {
    /// An app with default settings.
    pub fn start() -> Self {
        Self::with(&[])
    }

    /// An app with these settings.
    pub fn with(settings: &[(&str, &str)]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let lookup = |name: &str| settings.iter().find(|(n, _)| *n == name).map(|(_, v)| (*v).to_owned());
        let config = Config::from_lookup(lookup, folder.path().to_owned()).unwrap();
        let clock = Arc::new(ManualClock::at(START));
        let plain = App::with_clock(config, Arc::clone(&clock) as Arc<dyn Clock>).unwrap();
        let (state, documents, queue, agent, voice) = <(Switch, Switch, Switch, Arc<Agent>, Arc<Voice>)>::default();
        let server = Arc::new(Telling::new(Arc::clone(&plain.board)));
        let faulty: Arc<dyn Documents> = Arc::new(Switchable { inner: Arc::clone(&plain.documents), switch: documents.clone() });
        let app = App::from_parts(Parts {
            config: plain.config.clone(),
            state: Arc::new(Switchable { inner: Arc::clone(&plain.state), switch: state.clone() }),
            documents: faulty,
            audit: plain.audit.clone(),
            breach_webhook: plain.breach_webhook.clone(),
            security: rtvoice::steps::breach::Watch::default(),
            queue: Arc::new(Switchable { inner: Arc::clone(&plain.queue), switch: queue.clone() }),
            embedded_queue: plain.embedded_queue.clone(),
            speech: Arc::clone(&voice) as _,
            replies: Arc::clone(&agent) as _,
            vault: Arc::clone(&plain.vault),
            ciphers: plain.ciphers.clone(),
            clock: Arc::clone(&clock) as _,
            audio: plain.audio.clone(),
            cache_takes: true.into(),
            talk: rtvoice::steps::masking::Talk::default(),
            tasks: plain.tasks.clone(),
            admission: plain.admission.clone(),
            health: rtvoice::steps::health::Watch::default(),
            owed: rtvoice::steps::outbox::owed::Owed::default(),
            dashboard: rtvoice::steps::dashboard::Watch::default(),
            metrics: Arc::clone(&plain.metrics),
            board: Arc::clone(&server) as _,
            windows: rtvoice::steps::watch::Windows::new(1.0),
            watch: rtvoice::steps::watch::Watch::default(),
            alerts: rtvoice::steps::alerts::Alerts::default(),
            notices: Arc::clone(&plain.notices),
            export: Arc::clone(&plain.export),
        });
        Self { app, clock, state, documents, queue, agent, voice, server, _folder: folder, finished: false }
    }

    /// The token of a user.
    pub async fn token(&self, user: &str) -> UserToken {
        self.app.vault.user_token(&UserId::parse(user).unwrap()).await.unwrap()
    }

    /// The path of a user's profile.
    pub async fn user_path(&self, user: &str) -> String {
        format!("/api/users/{}", self.token(user).await)
    }

    /// Sends one request through the router. Whatever it is, the answer has a body (but for 304), and a failure is
    /// problem details.
    #[track_caller]
    pub fn send<B: Into<Body>>(&self, method: Method, path: &str, headers: &[(&str, &str)], body: B) -> impl Future<Output = Answer> + use<B> {
        let mut request = Request::builder().method(method.clone()).uri(path);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let request = request.body(body.into()).unwrap();
        let (app, path) = (self.app.clone(), path.to_owned());
        async move {
            let response = router(app).oneshot(request).await.unwrap();
            let (parts, body) = response.into_parts();
            let answer = Answer { status: parts.status.as_u16(), headers: parts.headers, body: body.collect().await.unwrap().to_bytes() };
            assert_eq!(answer.body.is_empty(), answer.status == 304 || method == Method::HEAD, "{method} {path}: {answer:?}");
            if answer.status >= 400 && !matches!(path.as_str(), "/api/ready" | "/api/health") {
                assert_eq!(answer.header("content-type"), "application/problem+json", "{method} {path}: {answer:?}");
            }
            answer
        }
    }

    async fn with_json(&self, method: Method, path: &str, body: &Value) -> Answer {
        self.send(method, path, &[("content-type", "application/json")], body.to_string()).await
    }

    /// `GET`.
    pub async fn get(&self, path: &str) -> Answer {
        self.send(Method::GET, path, &[], Body::empty()).await
    }

    /// `POST` of JSON.
    pub async fn post(&self, path: &str, body: &Value) -> Answer {
        self.with_json(Method::POST, path, body).await
    }

    /// `PUT` of JSON.
    pub async fn put(&self, path: &str, body: &Value) -> Answer {
        self.with_json(Method::PUT, path, body).await
    }

    /// `PATCH` of JSON.
    pub async fn patch(&self, path: &str, body: &Value) -> Answer {
        self.with_json(Method::PATCH, path, body).await
    }

    /// `DELETE` without a body.
    pub async fn delete(&self, path: &str) -> Answer {
        self.send(Method::DELETE, path, &[], Body::empty()).await
    }

    /// A trigger's invocation, with `value` under the binding's name as it is.
    pub async fn envelope(&self, function: &str, binding: &str, value: Value) -> Answer {
        let envelope = json!({"Data": {binding: value}, "Metadata": {"sys": {"MethodName": function, "UtcNow": self.clock.now(), "RandGuid": "24ad4c06-24ad-4e5b-8294-3da9714877e9"}}});
        self.post(&format!("/{function}"), &envelope).await
    }

    /// One event, delivered to CallEvents.
    pub async fn event(&self, kind: &str, call: &str, id: &str) -> Answer {
        self.post("/api/calls/events", &json!([self.cloud_event(kind, call, id, json!({}))])).await
    }

    /// One CloudEvent of Call Automation, with more `data`.
    pub fn cloud_event(&self, kind: &str, call: &str, id: &str, more: Value) -> Value {
        let mut data = json!({"callConnectionId": call, "serverCallId": format!("server-{call}"), "correlationId": format!("correlation-{call}")});
        data.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        json!({
            "id": id, "source": format!("calling/callConnections/{call}"), "type": format!("Microsoft.Communication.{kind}"), "data": data,
            "time": self.clock.now(), "specversion": "1.0", "datacontenttype": "application/json", "subject": format!("calling/callConnections/{call}"),
        })
    }

    /// One turn.
    pub async fn turn(&self, call: &str, turn: &str, text: &str) -> Answer {
        self.post(&format!("/api/calls/{call}/turns"), &json!({"turnId": turn, "text": text})).await
    }

    /// One turn of `call-1` with this body.
    pub async fn send_turn(&self, body: Value) -> Answer {
        self.post("/api/calls/call-1/turns", &body).await
    }

    /// A tick of the relay.
    pub async fn relay(&self) -> Answer {
        self.tick("OutboxRelay").await
    }

    /// A tick of a timer function.
    pub async fn tick(&self, function: &str) -> Answer {
        let invocation = Invocation { function, binding: "timer", now: self.clock.now(), id: &self.clock.new_id() };
        self.post(&format!("/{function}"), &compose::timer(invocation, None, false)).await
    }

    /// The documents beneath all that stands in front of them.
    pub fn beneath(&self) -> EmbeddedDocuments {
        EmbeddedDocuments::open(Embedded::open(&self.app.config.embedded_path).unwrap(), Arc::clone(&self.clock) as Arc<dyn Clock>).unwrap()
    }

    /// Puts a text into the state store under a key of this app, past all that stands in front of it.
    pub fn hold(&self, key: &str, text: &str) {
        let file = self.file();
        let name = format!("{}:{}:{key}", self.app.config.app_prefix, self.app.config.environment.as_str());
        file.execute("INSERT INTO state_keys (key, expires_at) VALUES (?1, ?2)", rusqlite::params![name, self.clock.now().millis() + 60_000]).unwrap();
        file.execute("INSERT INTO state_values (key_id, value) VALUES (?1, ?2)", rusqlite::params![file.last_insert_rowid(), text.as_bytes()]).unwrap();
    }

    /// Lets the keys that end with these parts live for ever; how many.
    pub fn persist(&self, key_ends_with: &str) -> usize {
        self.file().execute("UPDATE state_keys SET expires_at = ?2 WHERE key LIKE '%:' || ?1", rusqlite::params![key_ends_with, i64::MAX]).unwrap()
    }

    /// The time now.
    pub fn clock_now(&self) -> Timestamp {
        self.clock.now()
    }

    /// The embedded queue.
    pub fn embedded_queue(&self) -> &EmbeddedQueue {
        self.app.embedded_queue.as_ref().unwrap()
    }

    /// Waits until everything that runs off the callers' paths is done.
    pub async fn quiesce(&self) {
        self.app.tasks.close();
        let done = tokio::time::timeout(PATIENCE, self.app.tasks.wait()).await;
        self.app.tasks.reopen();
        done.expect("work off the callers' paths does not end");
    }

    /// Delivers one message to its function, as the host does.
    pub async fn deliver(&self, function: &str, delivery: &Delivery, with_session: bool) -> Answer {
        let id = self.clock.new_id();
        let invocation = Invocation { function, binding: "message", now: self.clock.now(), id: &id };
        let envelope = compose::service_bus(invocation, delivery, &self.app.config.transcript_queue, with_session);
        self.post(&format!("/{function}"), &envelope).await
    }

    /// Delivers the queue to TranscriptWriter until nothing is due: completed where it was answered 200, given back
    /// otherwise, so that what always fails ends as a dead letter. The bodies of what was completed.
    pub async fn deliver_queue(&self) -> Vec<Value> {
        let mut done = Vec::new();
        loop {
            self.quiesce().await;
            let batch = self.embedded_queue().receive(64, LOCK).await.unwrap();
            if batch.is_empty() {
                return done;
            }
            for delivery in batch {
                if self.deliver("TranscriptWriter", &delivery, true).await.status == 200 {
                    assert!(self.embedded_queue().complete(&delivery).await.unwrap(), "the lock was lost");
                    done.push(serde_json::from_str(&delivery.message.body).unwrap_or_default());
                } else {
                    self.embedded_queue().abandon(&delivery).await.unwrap();
                }
            }
        }
    }

    /// Delivers the dead letters to TranscriptDeadLetter; how many were parked. Each must be, at the first try.
    pub async fn deliver_dead(&self) -> usize {
        let mut parked = 0;
        loop {
            let batch = self.embedded_queue().receive_dead(64, LOCK).await.unwrap();
            if batch.is_empty() {
                return parked;
            }
            for delivery in batch {
                self.deliver("TranscriptDeadLetter", &delivery, false).await.ok();
                assert!(self.embedded_queue().complete(&delivery).await.unwrap(), "the lock was lost");
                parked += 1;
            }
        }
    }

    /// Puts a body into the queue that no function of ours has written.
    pub async fn enqueue(&self, body: &str) {
        let message = rtvoice::ports::queue::Message {
            message_id: self.clock.new_id(),
            session_id: "lane-0".to_owned(),
            correlation_id: String::new(),
            label: "stray".to_owned(),
            traceparent: None,
            not_before: None,
            body: body.to_owned(),
        };
        self.app.queue.send(&message).await.unwrap();
    }

    /// What waits in the queue, due or not, in order of sending: `(body, due time in milliseconds, message id)`.
    pub fn queued(&self) -> Vec<(Value, i64, String)> {
        let file = self.file();
        let mut statement = file.prepare("SELECT body, due_at, message_id FROM queue_messages WHERE dead = 0 ORDER BY sequence").unwrap();
        let rows = statement.query_map([], |row| Ok((row.get::<_, String>(0)?, row.get(1)?, row.get(2)?))).unwrap();
        rows.map(|row| row.map(|(body, due, id)| (serde_json::from_str(&body).unwrap_or(Value::String(body)), due, id)).unwrap()).collect()
    }

    /// A message of the queue with its words in clear.
    pub async fn opened(&self, message: &Value) -> Value {
        let message = serde_json::from_value(message.clone()).unwrap();
        serde_json::to_value(rtvoice::steps::outbox::opened(&self.app, message).await.unwrap()).unwrap()
    }

    /// The context of a call in clear.
    pub async fn context(&self, call: &str) -> std::collections::BTreeMap<String, String> {
        let (call, turn) = (rtvoice::model::ids::CallId::parse(call).unwrap(), rtvoice::model::ids::TurnId::parse("-").unwrap());
        self.app.state.load(&call, &turn).await.unwrap().context
    }

    /// All documents of a container, in order of partition and id.
    pub fn documents_in(&self, container: Container) -> Vec<Value> {
        let file = self.file();
        let mut statement = file.prepare("SELECT body FROM documents WHERE container = ?1 ORDER BY partition, id").unwrap();
        let rows = statement.query_map([container.name()], |row| row.get::<_, String>(0)).unwrap();
        rows.map(|body| serde_json::from_str(&body.unwrap()).unwrap()).collect()
    }

    /// What is parked, with its bodies in clear, which rest sealed.
    pub async fn parked(&self) -> Vec<Value> {
        let mut documents = self.documents_in(Container::DeadLetters);
        for document in &mut documents {
            assert!(document["body"].as_str().unwrap().starts_with("e1."), "{document}");
            document["body"] = rtvoice::steps::parking::opened(&self.app, document).await.unwrap().into();
            document.as_object_mut().unwrap().remove("subject");
        }
        documents
    }

    /// The header of a call's archive and its turns in order.
    pub async fn archive(&self, call: &str) -> Option<rtvoice::steps::archive::Archived> {
        rtvoice::steps::archive::read(&self.app, &rtvoice::model::ids::CallId::parse(call).unwrap()).await.unwrap()
    }

    /// Turn ids of a call's archive, in order.
    pub async fn archived_turns(&self, call: &str) -> Vec<String> {
        let archived = self.archive(call).await.unwrap_or_else(|| panic!("{call} has no archive"));
        archived.union.in_order().iter().map(|t| t.entry.turn_id.clone()).collect()
    }

    /// The fields of a hash of the state store, by the key's last parts; empty where there is none.
    pub fn hash(&self, key_ends_with: &str) -> std::collections::BTreeMap<String, String> {
        let file = self.file();
        let sql = "SELECT f.field, f.value FROM state_fields f JOIN state_keys k ON k.id = f.key_id WHERE k.key LIKE '%:' || ?1 AND k.expires_at > ?2";
        let mut statement = file.prepare(sql).unwrap();
        let rows = statement.query_map(rusqlite::params![key_ends_with, self.clock.now().millis()], |row| Ok((row.get(0)?, row.get(1)?))).unwrap();
        rows.map(Result::unwrap).collect()
    }

    /// All keys of the state store that have not expired.
    pub fn keys(&self) -> Vec<String> {
        let file = self.file();
        let mut statement = file.prepare("SELECT key FROM state_keys WHERE expires_at > ?1 ORDER BY key").unwrap();
        statement.query_map([self.clock.now().millis()], |row| row.get(0)).unwrap().map(Result::unwrap).collect()
    }

    /// The members of all sets whose key ends with these parts.
    pub fn members(&self, key_ends_with: &str) -> Vec<String> {
        let file = self.file();
        let sql = "SELECT m.member FROM state_members m JOIN state_keys k ON k.id = m.key_id WHERE k.key LIKE '%:' || ?1 ORDER BY m.member";
        let mut statement = file.prepare(sql).unwrap();
        statement.query_map([key_ends_with], |row| row.get(0)).unwrap().map(Result::unwrap).collect()
    }

    /// The state store loses everything of a call but its place in the open set.
    pub fn forget(&self, call: &str) {
        assert!(self.file().execute("DELETE FROM state_keys WHERE key LIKE '%:' || ?1 || ':%'", [call]).unwrap() > 0);
    }

    /// What the state store holds in a call's outbox can no longer be read.
    pub fn spoil_outbox(&self, call: &str) {
        let sql = "UPDATE state_fields SET value = 'spoilt' WHERE key_id IN (SELECT id FROM state_keys WHERE key LIKE '%:' || ?1 || ':outbox')";
        assert_eq!(self.file().execute(sql, [call]).unwrap(), 1);
    }

    /// The broker loses all its messages.
    pub fn lose_queue(&self) {
        assert!(self.file().execute("DELETE FROM queue_messages", []).unwrap() > 0);
    }

    /// Everything in the file, one line a row, to compare.
    pub fn dump(&self) -> Vec<String> {
        let file = self.file();
        let tables = ["state_keys", "state_fields", "state_items", "state_members", "state_values", "queue_messages", "queue_seen", "documents"];
        let mut lines = Vec::new();
        for table in tables {
            // The audit log goes on by itself, and makes its key.
            let rows = if table == "documents" { "documents WHERE container <> 'audit' AND partition <> 'index'" } else { table };
            let mut statement = file.prepare(&format!("SELECT * FROM {rows} ORDER BY 1, 2")).unwrap();
            let columns = statement.column_count();
            let rows = statement.query_map([], |row| (0..columns).map(|c| row.get::<_, rusqlite::types::Value>(c)).collect::<Result<Vec<_>, _>>()).unwrap();
            lines.extend(rows.map(|row| format!("{table} {:?}", row.unwrap())));
        }
        lines
    }

    /// A copy of the whole file, as a backup has it.
    pub fn state_copy(&self) -> std::path::PathBuf {
        let copy = self.app.config.embedded_path.with_file_name("copy.db");
        self.file().execute("VACUUM INTO ?1", [copy.to_str().unwrap()]).unwrap();
        copy
    }

    /// Puts the keys of such a copy back into the state store, in place of those of the same name.
    pub fn restore_state(&self, copy: &std::path::Path) {
        let file = self.file();
        file.execute("ATTACH ?1 AS copy", [copy.to_str().unwrap()]).unwrap();
        let script = "PRAGMA foreign_keys = ON;
            DELETE FROM main.state_keys WHERE key IN (SELECT key FROM copy.state_keys);
            INSERT INTO main.state_keys SELECT id + 1000000, key, expires_at FROM copy.state_keys;
            INSERT INTO main.state_fields SELECT key_id + 1000000, field, value FROM copy.state_fields;
            INSERT INTO main.state_items SELECT key_id + 1000000, position, value FROM copy.state_items;
            INSERT INTO main.state_members SELECT key_id + 1000000, member, score FROM copy.state_members;
            INSERT INTO main.state_values SELECT key_id + 1000000, value FROM copy.state_values;";
        file.execute_batch(script).unwrap();
    }

    fn file(&self) -> rusqlite::Connection {
        let file = rusqlite::Connection::open(&self.app.config.embedded_path).unwrap();
        file.busy_timeout(Duration::from_secs(5)).unwrap();
        file
    }

    /// Ends the test: waits for what is under way, and fails on leftovers.
    pub async fn finish(self) {
        self.finish_with(0, 0).await;
    }

    /// The same where a test means to leave this many outbox entries and parked messages behind.
    pub async fn finish_with(mut self, outbox: usize, parked: usize) {
        self.quiesce().await;
        self.finished = true;
        let now = self.clock.now().millis();
        let file = self.file();
        let count = |sql: &str, value: i64| file.query_row(sql, [value], |row| row.get::<_, i64>(0)).unwrap();
        let waiting = count("SELECT count(*) FROM state_fields f JOIN state_keys k ON k.id = f.key_id WHERE k.key LIKE '%:outbox' AND k.expires_at > ?1", now);
        assert_eq!(usize::try_from(waiting).unwrap(), outbox, "unsent messages in outboxes");
        assert_eq!(self.documents_in(Container::DeadLetters).len(), parked, "parked dead letters");
        assert_eq!(count("SELECT count(*) FROM queue_messages WHERE dead = 1 AND sequence > ?1", 0), 0, "dead letters that nobody parked");
        assert_eq!(count("SELECT count(*) FROM state_keys WHERE expires_at > ?1", now + LONGEST_LIFE_MS), 0, "keys without a life");
    }
}

impl Drop for Rtvoice {
    fn drop(&mut self) {
        assert!(self.finished || std::thread::panicking(), "a test must end with finish(): it looks for leftovers");
    }
}
