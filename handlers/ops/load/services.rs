//! What the handler under load speaks HTTP with: a queue, a voice and an agent of this process's own, each behind a proxy.
//!
//! In: the embedded queue, which gets what is sent to the queue as Service Bus would have it. Out: settings that lead a handler to
//! them. They do what the services do for requests that are in order, and nothing else: what goes wrong does so on the way.
//! They look at no key, for they listen on loopback, and end when dropped.

use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use axum::{Json, Router};
use chrono::DateTime;
use serde::Deserialize;
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};
use tokio::net::TcpListener;
use tokio_util::task::AbortOnDropHandle;

use super::faults::Place;
use super::proxy::Proxy;
use crate::error::{Error, Kind, Result};
use crate::model::phrase::AudioFormat;
use crate::model::time::Timestamp;
use crate::ports::queue::Message;
use crate::ports::queue::embedded::EmbeddedQueue;
use crate::ports::speech::wav;

/// Samples of each phrase: an eighth of a second at the usual rate.
const SAMPLES: usize = 2_000;
/// Content type of a batch of messages.
const BATCH: &str = "application/vnd.microsoft.servicebus.json";

/// Serves this on a free port of 127.0.0.1, until what it returns is dropped.
pub async fn serve(router: Router) -> Result<(u16, AbortOnDropHandle<()>)> {
    let listener = TcpListener::bind(("127.0.0.1", 0)).await.map_err(Error::internal)?;
    let port = listener.local_addr().map_err(Error::internal)?.port();
    let task = tokio::spawn(async move {
        if let Err(e) = axum::serve(listener, router).await {
            tracing::warn!(error = %e, "a server on loopback has ended");
        }
    });
    Ok((port, AbortOnDropHandle::new(task)))
}

/// All three, and the ways to them.
pub struct Services {
    queue: Proxy,
    voice: Proxy,
    agent: Proxy,
    _servers: [AbortOnDropHandle<()>; 3],
}

impl Services {
    /// Starts them; everything passes.
    pub async fn start(queue: EmbeddedQueue) -> Result<Self> {
        let bus = Router::new().route("/{queue}/messages", post(messages)).with_state(queue);
        let voice = Router::new().route("/cognitiveservices/v1", post(speech));
        let agent = Router::new().route("/openai/deployments/{deployment}/chat/completions", post(reply));
        let ((bus, of_bus), (voice, of_voice), (agent, of_agent)) = (serve(bus).await?, serve(voice).await?, serve(agent).await?);
        Ok(Self {
            queue: Proxy::start(bus).await?,
            voice: Proxy::start(voice).await?,
            agent: Proxy::start(agent).await?,
            _servers: [of_bus, of_voice, of_agent],
        })
    }

    /// Settings of a handler that goes to them through the proxies.
    pub fn settings(&self) -> Vec<(String, String)> {
        let url = |proxy: &Proxy| format!("http://127.0.0.1:{}", proxy.port());
        let ours = [
            ("SERVICE_BUS_NAMESPACE", url(&self.queue)),
            ("SERVICE_BUS_KEY_NAME", "load".to_owned()),
            ("SERVICE_BUS_KEY", "none".to_owned()),
            ("SPEECH_ENDPOINT", url(&self.voice)),
            ("SPEECH_KEY", "none".to_owned()),
            ("OPENAI_ENDPOINT", url(&self.agent)),
            ("OPENAI_DEPLOYMENT", "load".to_owned()),
            ("OPENAI_KEY", "none".to_owned()),
        ];
        ours.map(|(name, value)| (name.to_owned(), value)).into()
    }

    /// The way to one of them; none to Redis, which has its own.
    pub const fn proxy(&self, place: Place) -> Option<&Proxy> {
        match place {
            Place::Redis => None,
            Place::Queue => Some(&self.queue),
            Place::Speech => Some(&self.voice),
            Place::Replies => Some(&self.agent),
        }
    }
}

/// "Send Message" and "Send Message Batch" of the Service Bus REST reference: all messages of a batch are taken, or none.
async fn messages(State(queue): State<EmbeddedQueue>, headers: HeaderMap, body: Bytes) -> std::result::Result<StatusCode, Failed> {
    let header = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
    let messages = if header("content-type").is_some_and(|kind| kind == BATCH) {
        let items: Vec<Item> = read(&body)?;
        items.into_iter().map(|item| item.broker_properties.message(item.body, item.user_properties.traceparent)).collect::<Result<Vec<_>>>()?
    } else {
        let properties: Properties = read(header("brokerproperties").unwrap_or_default().as_bytes())?;
        // A property of a message stands in double quotes.
        let traceparent = header("traceparent").map(|text| text.trim_matches('"').to_owned());
        vec![properties.message(String::from_utf8(body.to_vec()).map_err(|e| Error::input("body", "must be UTF-8").because(e))?, traceparent)?]
    };
    queue.send_all(messages).await?;
    Ok(StatusCode::CREATED)
}

fn read<T: serde::de::DeserializeOwned>(json: &[u8]) -> Result<T> {
    serde_json::from_slice(json).map_err(|e| Error::input("body", "must be what Service Bus documents").because(e))
}

/// A message of a batch.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Item {
    body: String,
    broker_properties: Properties,
    #[serde(default)]
    user_properties: UserProperties,
}

#[derive(Default, Deserialize)]
struct UserProperties {
    traceparent: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Properties {
    message_id: String,
    session_id: String,
    #[serde(default)]
    correlation_id: String,
    #[serde(default)]
    label: String,
    scheduled_enqueue_time_utc: Option<String>,
}

impl Properties {
    fn message(self, body: String, traceparent: Option<String>) -> Result<Message> {
        let time = |text: String| DateTime::parse_from_rfc2822(&text).map(|at| Timestamp::from_millis(at.timestamp_millis()));
        let not_before = self.scheduled_enqueue_time_utc.map(time).transpose();
        let not_before = not_before.map_err(|e| Error::input("ScheduledEnqueueTimeUtc", "must be as in RFC 1123").because(e))?;
        let Self { message_id, session_id, correlation_id, label, .. } = self;
        Ok(Message { message_id, session_id, correlation_id, label, traceparent, not_before, body })
    }
}

/// Why the queue did not take something.
struct Failed(Error);

impl From<Error> for Failed {
    fn from(e: Error) -> Self {
        Self(e)
    }
}

impl IntoResponse for Failed {
    fn into_response(self) -> Response {
        match self.0.kind {
            Kind::BadInput => (StatusCode::BAD_REQUEST, self.0.detail).into_response(),
            // The file is held by somebody else for too long.
            _ => StatusCode::SERVICE_UNAVAILABLE.into_response(),
        }
    }
}

/// A phrase in the format that is asked for, the same for all.
async fn speech(headers: HeaderMap) -> Response {
    let asked = headers.get("x-microsoft-outputformat").and_then(|value| value.to_str().ok());
    match AudioFormat::ALL.into_iter().find(|format| asked == Some(format.name())) {
        Some(format) => ([("content-type", "audio/x-wav")], wav::write(format.sample_rate(), &[0; SAMPLES], None)).into_response(),
        None => (StatusCode::BAD_REQUEST, "X-Microsoft-OutputFormat").into_response(),
    }
}

/// A reply that is the same for the same words: what was said before has been spoken before.
async fn reply(Json(request): Json<Value>) -> Response {
    let said = request["messages"].as_array().and_then(|messages| messages.last()).and_then(|message| message["content"].as_str());
    let Some(said) = said else { return (StatusCode::BAD_REQUEST, "messages").into_response() };
    let name: String = Sha256::digest(said).iter().take(8).map(|byte| char::from(b'a' + byte % 26)).collect();
    Json(json!({ "choices": [{ "index": 0, "finish_reason": "stop", "message": { "role": "assistant", "content": format!("I have noted it as {name}.") } }] }))
        .into_response()
}
