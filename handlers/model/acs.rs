//! Events of Azure Communication Services, in the CloudEvents 1.0 and the Event Grid schema.
//!
//! Only what decides is read: id, type, time and data. Extra members are allowed everywhere, and `source` and
//! `subject` are opaque: a call is known by `data.callConnectionId` alone (Call Automation 2025-05-15).

use serde_json::{Map, Value};

use super::call::{Effect, field};
use super::ids::{CallId, UserId};
use super::time::Timestamp;
use crate::error::{Error, Result};

/// What every type of ours begins with.
const PREFIX: &str = "Microsoft.Communication.";
/// Longest event id that is taken; ACS sends UUIDs.
const ID_CHARS: usize = 256;
/// Longest value that is copied from an event into the session.
const VALUE_BYTES: usize = 32 * 1024;

/// One event.
#[derive(Debug, Clone, PartialEq)]
pub struct AcsEvent {
    /// Its id, the same over redeliveries.
    pub id: String,
    /// Its full type.
    pub kind: String,
    /// When it happened, where it says so.
    pub time: Option<Timestamp>,
    /// W3C trace context, where the event carries one.
    pub traceparent: Option<String>,
    /// What stands beside it, likewise.
    pub tracestate: Option<String>,
    /// Its data.
    pub data: Map<String, Value>,
}

impl AcsEvent {
    /// Reads one event of either schema. Errors name the field.
    pub fn parse(value: &Value) -> Result<Self> {
        let event = value.as_object().ok_or_else(|| Error::input("event", "must be a JSON object"))?;
        let kind = match (event.get("type"), event.get("eventType")) {
            (Some(Value::String(kind)), _) | (None, Some(Value::String(kind))) if !kind.is_empty() => kind.clone(),
            (None, None) => return Err(Error::input("type", "must be there: the event's type (CloudEvents) or eventType (Event Grid)")),
            _ => return Err(Error::input("type", "must be a string that is not empty")),
        };
        let id = match event.get("id") {
            Some(Value::String(id)) if !id.is_empty() && id.len() <= ID_CHARS => id.clone(),
            _ => return Err(Error::input("id", format!("must be a string of 1 to {ID_CHARS} bytes"))),
        };
        let data = event.get("data").and_then(Value::as_object).cloned();
        let has_other_data = data.is_none() && event.get("data").is_some_and(|data| !data.is_null());
        let time = event.get("time").or_else(|| event.get("eventTime")).and_then(Value::as_str).and_then(Timestamp::parse);
        let [traceparent, tracestate] = ["traceparent", "tracestate"].map(|name| event.get(name).and_then(Value::as_str).map(str::to_owned));
        let event = Self { id, kind, time, traceparent, tracestate, data: data.unwrap_or_default() };
        // What carries no state of ours is acknowledged whatever it holds.
        let carries_state = event.effect().is_some();
        if has_other_data && carries_state { Err(Error::input("data", "must be a JSON object")) } else { Ok(event) }
    }

    /// The type without its prefix; none for types that are not ours.
    pub fn name(&self) -> Option<&str> {
        self.kind.strip_prefix(PREFIX)
    }

    /// The call that the event is about. Errors name the field.
    pub fn call(&self) -> Result<CallId> {
        let id = self.data.get("callConnectionId").and_then(Value::as_str);
        let id = id.ok_or_else(|| Error::input("data.callConnectionId", "must be there, a string"))?;
        CallId::parse(id).map_err(|e| Error::input("data.callConnectionId", e.detail))
    }

    /// What the event does to its call; none for events that carry no state of ours.
    pub fn effect(&self) -> Option<Effect> {
        match self.name()? {
            "CallConnected" => Some(Effect::Connect),
            name @ ("CallDisconnected" | "AnswerFailed" | "CreateCallFailed") => Some(Effect::End { reason: name.to_owned() }),
            "ParticipantsUpdated" => Some(self.participants()),
            "TranscriptionStarted" | "TranscriptionStopped" | "TranscriptionFailed" | "RecordingStateChanged" | "CallTransferAccepted" => Some(Effect::Note),
            _ => None,
        }
    }

    /// Nothing in an event is required by ACS, and one that is batched with it must not be lost for it: a missing sequence
    /// number counts as 0, and of a very long list the first participants are kept.
    fn participants(&self) -> Effect {
        let Some(list) = self.data.get("participants").and_then(Value::as_array) else { return Effect::Note };
        let sequence = self.data.get("sequenceNumber").and_then(Value::as_i64).unwrap_or(0);
        let mut room = VALUE_BYTES;
        let fitting = list.iter().take_while(|participant| {
            let bytes = participant.to_string().len() + 1;
            room = room.saturating_sub(bytes);
            room > 0
        });
        let participants = Value::from_iter(fitting.cloned()).to_string();
        let raw_ids = list.iter().filter_map(|p| p.pointer("/identifier/rawId")?.as_str());
        Effect::Participants { sequence, participants, phone_user: raw_ids.filter_map(UserId::from_phone_raw_id).next() }
    }

    /// The session fields that the event sets.
    pub fn fields(&self) -> Vec<(&'static str, String)> {
        let mut fields = Vec::new();
        let mut keep = |name: &'static str, value: Option<&Value>| match value {
            Some(Value::String(text)) if !text.is_empty() && text.len() <= VALUE_BYTES => fields.push((name, text.clone())),
            Some(value @ (Value::Object(_) | Value::Number(_))) if value.to_string().len() <= VALUE_BYTES => fields.push((name, value.to_string())),
            _ => {}
        };
        keep(field::SERVER_CALL_ID, self.data.get("serverCallId"));
        keep(field::CORRELATION_ID, self.data.get("correlationId"));
        match self.name() {
            Some("TranscriptionStarted" | "TranscriptionStopped" | "TranscriptionFailed") => keep("transcription", self.data.get("transcriptionUpdate")),
            Some("RecordingStateChanged") => {
                keep("recordingState", self.data.get("state"));
                keep("recordingId", self.data.get("recordingId"));
            }
            Some("CallTransferAccepted") => {
                keep("transferTarget", self.data.get("transferTarget"));
                keep("transferee", self.data.get("transferee"));
            }
            Some("CallDisconnected") => keep("endResult", self.data.get("resultInformation")),
            Some("AnswerFailed" | "CreateCallFailed") => keep("failure", self.data.get("resultInformation")),
            _ => {}
        }
        fields
    }
}

/// The events of a callback body: an array of CloudEvents, or one alone. All are read before any is acted on.
pub fn events(body: &Value) -> Result<Vec<AcsEvent>> {
    match body {
        Value::Array(events) => {
            let numbered = |(place, event)| {
                AcsEvent::parse(event).map_err(|mut e| {
                    e.field = e.field.map(|field| format!("[{place}].{field}"));
                    e
                })
            };
            events.iter().enumerate().map(numbered).collect()
        }
        event => Ok(vec![AcsEvent::parse(event)?]),
    }
}
