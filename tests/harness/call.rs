//! A phone call as ACS and a media worker play it: events to the callback URI, turns by HTTP.

use std::sync::Arc;

use rtvoice::ports::clock::{Clock as _, SystemClock};
use rtvoice::steps::archive::Archived;
use serde_json::{Value, json};

use super::process::{Answer, Handler};

/// One call at one instance of the app.
#[derive(Clone)]
pub struct Call {
    pub id: String,
    pub handler: Arc<Handler>,
}

impl Call {
    /// A call that nobody has heard of.
    pub fn new(handler: &Arc<Handler>) -> Self {
        Self { id: format!("call-{}", SystemClock.new_id()), handler: Arc::clone(handler) }
    }

    /// The same call at another instance.
    pub fn at(&self, handler: &Arc<Handler>) -> Self {
        Self { id: self.id.clone(), handler: Arc::clone(handler) }
    }

    /// One event; its id is the same each time.
    pub fn event(&self, kind: &str, mut data: Value) -> Value {
        data["callConnectionId"] = json!(self.id);
        data["serverCallId"] = json!("aHR0cHM6Ly9jb252LmV4YW1wbGUuaW52YWxpZA");
        data["correlationId"] = json!("c9a1f6d2-3b7e-4a55-8f10-6f2d0b7e9c44");
        json!({
            "id": format!("{kind}-of-{}", self.id), "source": format!("calling/callConnections/{}", self.id),
            "type": format!("Microsoft.Communication.{kind}"), "time": SystemClock.now(), "specversion": "1.0",
            "datacontenttype": "application/json", "subject": format!("calling/callConnections/{}", self.id), "data": data,
        })
    }

    /// Delivers events to the callback URI; the status, 0 where no answer came.
    pub async fn deliver(&self, events: &[Value]) -> u16 {
        self.handler.send("POST", "/api/calls/events", Some(&json!(events))).await.map_or(0, |a| a.status)
    }

    /// CallConnected.
    pub async fn connect(&self) {
        assert_eq!(self.deliver(&[self.event("CallConnected", json!({}))]).await, 200, "{}", self.handler.output());
    }

    /// ParticipantsUpdated with one phone caller.
    pub async fn participants(&self, phone: &str) {
        let caller = json!({"identifier": {"rawId": format!("4:{phone}"), "kind": "phoneNumber", "phoneNumber": {"value": phone}}, "isMuted": false});
        let event = self.event("ParticipantsUpdated", json!({"sequenceNumber": 1, "participants": [caller]}));
        assert_eq!(self.deliver(&[event]).await, 200, "{}", self.handler.output());
    }

    /// CallDisconnected.
    pub async fn disconnect(&self) {
        assert_eq!(self.deliver(&[self.event("CallDisconnected", json!({}))]).await, 200, "{}", self.handler.output());
    }

    /// One turn; none where no answer came.
    pub async fn turn(&self, body: Value) -> Option<Answer> {
        self.handler.send("POST", &format!("/api/calls/{}/turns", self.id), Some(&body)).await
    }

    /// One turn without speech; an answer must come.
    pub async fn say(&self, turn: &str, text: &str) -> Answer {
        let body = json!({"turnId": turn, "text": text, "speak": false});
        self.turn(body).await.unwrap_or_else(|| panic!("no answer:\n{}", self.handler.output()))
    }

    /// One turn that must be answered 200, not degraded; its number.
    pub async fn said(&self, turn: &str, text: &str) -> u64 {
        let answer = self.say(turn, text).await;
        assert_eq!((answer.status, &answer.body["degraded"]), (200, &json!(false)), "{answer:?}\n{}", self.handler.output());
        answer.body["seq"].as_u64().expect("a number")
    }

    /// One turn, said again until it is answered 200, as clients do.
    pub async fn insist(&self, body: Value) -> Answer {
        let mut last = None;
        for _ in 0..3000 {
            last = self.turn(body.clone()).await;
            match last {
                Some(answer) if answer.status == 200 => return answer,
                _ => tokio::time::sleep(std::time::Duration::from_millis(20)).await,
            }
        }
        panic!("never answered, at last {last:?}:\n{}", self.handler.output());
    }

    /// Waits for the archive with this many turns.
    pub async fn archived(&self, turns: usize) -> Archived {
        self.handler.archived(&self.id, turns).await
    }
}

/// Turn ids in the order of the archive.
pub fn turn_ids(archived: &Archived) -> Vec<String> {
    archived.union.in_order().into_iter().map(|t| t.entry.turn_id.clone()).collect()
}

/// Numbers in the order of the archive.
pub fn seqs(archived: &Archived) -> Vec<Option<u64>> {
    archived.union.in_order().into_iter().map(|t| t.seq).collect()
}
