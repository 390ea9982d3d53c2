//! One call as its media worker and ACS play it: events and turns, delivered at least once, tried again until they are answered.

use std::sync::Arc;
use std::time::Duration;

use reqwest::{Method, StatusCode};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use tokio::time::{Instant, sleep, sleep_until};

use super::gauge::{Counts, Gauge, Stage};
use super::plan::{Delivery, PlannedCall, PlannedTurn};
use crate::config::Secret;
use crate::functions;
use crate::host::router::longest_deadline;
use crate::model::stages::server_timing;
use crate::ports::clock::{Clock as _, SystemClock};
use crate::ports::http::retry_after;

/// What a request may wait beside the deadline of its function: the host's own part, and a handler that it starts again.
pub const ALLOWANCE: Duration = Duration::from_secs(3);
/// What it is waited for beyond that, so that it is seen to be overdue.
const BEYOND: Duration = Duration::from_secs(1);
/// Pauses between tries.
const PAUSES: (Duration, Duration) = (Duration::from_millis(100), Duration::from_secs(2));
/// Between two looks whether turns are whole again.
const PROBE: Duration = Duration::from_millis(50);

/// Where the calls go.
#[derive(Debug, Clone)]
pub struct Target {
    /// Its client.
    pub client: reqwest::Client,
    /// `http://host:port`, without a slash at its end.
    pub url: String,
    /// The function key, where the host asks for one.
    pub key: Option<Secret>,
    /// How long anything is tried.
    pub patience: Duration,
    /// Between two turns: in the closed loop from the answer to the next one, in the open loop from the moment when one is due to
    /// that when the next one is.
    pub think: Duration,
    /// Whether turns are due at their times, whatever became of those before them.
    pub open: bool,
    /// How long a request may wait; without it the deadline of its function and [`ALLOWANCE`].
    pub wait: Option<Duration>,
    /// Whether the audio of each reply is fetched, as ACS does.
    pub audio: bool,
}

/// One turn that was answered.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Answered {
    /// Its id.
    pub turn: String,
    /// Its number; none where it was answered without the state store.
    pub seq: Option<u64>,
}

/// What is known of a call that was played.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Played {
    /// The call.
    pub call: String,
    /// Ids of all turns that were sent.
    pub sent: Vec<String>,
    /// Turns that were answered.
    pub answered: Vec<Answered>,
    /// What cannot be, in words.
    pub problems: Vec<String>,
    /// Whether the end was acknowledged.
    pub ended: bool,
    /// Why the call was broken off, where it was: it was refused, or nobody answered in time.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub broken_off: Option<String>,
}

/// Answers after which a call is broken off.
const REFUSED: [StatusCode; 3] = [StatusCode::UNAUTHORIZED, StatusCode::FORBIDDEN, StatusCode::NOT_FOUND];

/// An answer.
struct Answer {
    status: StatusCode,
    body: Value,
    timing: Vec<(Stage, Duration)>,
}

impl Answer {
    /// Whether the turn went without the state store.
    fn is_degraded(&self) -> bool {
        self.body["degraded"] == true
    }

    /// Whether it has the fallback line in place of a reply.
    fn is_fallback(&self) -> bool {
        self.body["reply"]["source"] == "fallback"
    }

    /// Whether it has no audio.
    fn is_silent(&self) -> bool {
        !matches!(self.body["speech"]["cache"].as_str(), Some("hit" | "miss" | "private"))
    }
}

/// The caller's side of one call.
pub struct Player {
    /// Where it goes.
    pub target: Arc<Target>,
    /// Where it is measured.
    pub gauge: Arc<Gauge>,
    /// The call.
    pub call: String,
    /// Whether the call is one of the run's own, which is no load: it is counted nowhere, but may not wait too long either.
    pub probe: bool,
}

impl Player {
    /// Plays a call that was due at `due`. In the open loop its first turn is due with it, and each further one `think` after the
    /// one before: who is kept waiting speaks late, and that counts as waiting. Without a time to think no turn has a time of its own, and
    /// is due when the one before is done.
    pub async fn play(&self, plan: PlannedCall, due: Instant) -> Played {
        let mut played = Played { call: self.call.clone(), ..Played::default() };
        self.count(|counts| counts.calls += 1);
        let mut turn_due = due;
        if !plan.reordered {
            self.connect(plan.connected, due).await;
        }
        for (place, turn) in plan.turns.iter().enumerate() {
            if place > 0 {
                turn_due = self.next_due(turn_due).await;
            }
            self.turn(turn, turn_due, &mut played).await;
            if played.broken_off.is_some() {
                // Whoever was refused, or not answered for so long, will not fare better with the next turn.
                return played;
            }
            if place == 0 {
                if plan.reordered {
                    self.connect(plan.connected, due).await;
                }
                self.event("ParticipantsUpdated", "participants", participants(&plan.caller), Delivery::Once).await;
            }
        }
        let began = Instant::now();
        played.ended = self.event("CallDisconnected", "disconnected", json!({}), plan.disconnected).await;
        if played.ended {
            self.gauge.took(Stage::End, began.elapsed());
            self.count(|counts| counts.ended += 1);
        }
        if plan.reordered {
            // It must revive nothing.
            self.event("CallConnected", "connected-late", json!({}), Delivery::Once).await;
        }
        played
    }

    /// Waits until the next turn is due; since when it is.
    async fn next_due(&self, before: Instant) -> Instant {
        let think = self.target.think;
        if !self.target.open || think.is_zero() {
            sleep(think).await;
            return Instant::now();
        }
        let due = before + think;
        sleep_until(due).await;
        due
    }

    fn count(&self, change: impl FnOnce(&mut Counts)) {
        if !self.probe {
            self.gauge.count(change);
        }
    }

    /// Says turns of a call of its own until one is answered whole: with the state store, by the agent, and with audio. When that was, at
    /// most until `until`.
    pub async fn until_whole(&self, until: Instant) -> (Played, Option<Instant>) {
        let mut played = Played { call: self.call.clone(), ..Played::default() };
        let path = format!("/api/calls/{}/turns", self.call);
        let mut whole = None;
        while whole.is_none() && Instant::now() < until {
            let turn = format!("t{}", played.sent.len() + 1);
            played.sent.push(turn.clone());
            // What nobody has said before is answered, and spoken, anew.
            let body = json!({ "turnId": turn, "text": format!("Is anybody there for {turn} of {}?", self.call) });
            match self.once(Method::POST, &path, Some(&body)).await {
                Ok((answer, _)) if answer.status == StatusCode::OK => {
                    whole = (!answer.is_degraded() && !answer.is_fallback() && !answer.is_silent()).then(Instant::now);
                    played.answered.push(Answered { turn, seq: answer.body["seq"].as_u64() });
                }
                // It is asked again, and that it took so long is the recovery.
                Ok(_) | Err(_) => {}
            }
            if whole.is_none() {
                sleep(PROBE).await;
            }
        }
        played.ended = self.event("CallDisconnected", "disconnected", json!({}), Delivery::Once).await;
        (played, whole)
    }

    async fn connect(&self, delivery: Delivery, due: Instant) {
        if self.event("CallConnected", "connected", json!({}), delivery).await {
            self.gauge.took(Stage::Setup, due.elapsed());
        }
    }

    /// An event as Call Automation posts it to the callback URI; whether it was acknowledged.
    async fn event(&self, name: &str, id: &str, more: Value, delivery: Delivery) -> bool {
        let mut data = json!({ "callConnectionId": self.call, "serverCallId": "load-server-call", "correlationId": "load-correlation" });
        if let (Some(data), Value::Object(more)) = (data.as_object_mut(), more) {
            data.extend(more);
        }
        let at = SystemClock.now().to_string();
        let event = json!([{ "specversion": "1.0", "id": format!("{}-{id}", self.call), "source": "calling/callConnections/load", "type": format!("Microsoft.Communication.{name}"), "time": at, "data": data }]);
        let send = || self.request(Method::POST, "/api/calls/events", Some(&event));
        let answer = match delivery {
            Delivery::Once => send().await,
            Delivery::Together => tokio::join!(send(), send()).0,
            Delivery::Again => {
                let first = send().await;
                // Whatever the repetition is answered.
                let _ = send().await;
                first
            }
        };
        answer.is_ok_and(|answer| answer.status.is_success())
    }

    async fn turn(&self, turn: &PlannedTurn, due: Instant, played: &mut Played) {
        self.count(|counts| counts.turns += 1);
        // Of this call alone: a turn that stands in another call's archive is found there.
        let id = format!("{}-{}", self.call, turn.id);
        played.sent.push(id.clone());
        let body = json!({ "turnId": id, "text": turn.text, "language": "en-US" });
        let path = format!("/api/calls/{}/turns", self.call);
        let send = || self.request(Method::POST, &path, Some(&body));
        let began = Instant::now();
        let (answer, together) = match turn.delivery {
            Delivery::Together => {
                let (first, second) = tokio::join!(send(), send());
                (first, second.ok())
            }
            Delivery::Once | Delivery::Again => (send().await, None),
        };
        if self.target.open {
            self.gauge.took(Stage::Sent, began.elapsed());
        }
        self.gauge.took(Stage::Turn, if self.target.open { due.elapsed() } else { began.elapsed() });
        let answer = match answer {
            Ok(answer) if answer.status == StatusCode::OK => answer,
            Ok(answer) => {
                if REFUSED.contains(&answer.status) {
                    played.broken_off = Some(format!("turn {id} was answered {}", answer.status));
                }
                return;
            }
            Err(reason) => {
                played.broken_off = Some(format!("turn {id} was not answered within {} s: {reason}", self.target.patience.as_secs()));
                return;
            }
        };
        let again = if turn.delivery == Delivery::Again { send().await.ok() } else { together };
        for (stage, time) in &answer.timing {
            self.gauge.took(*stage, *time);
        }
        let number = |answer: &Answer| answer.body["seq"].as_u64();
        if let Some(again) = again.filter(|again| again.status == StatusCode::OK)
            && let (Some(first), Some(second)) = (number(&answer), number(&again))
            && (first != second || answer.body["reply"] != again.body["reply"])
        {
            played.problems.push(format!("turn {id} was answered twice, and not the same"));
        }
        self.count(|counts| {
            counts.answered += 1;
            counts.degraded += u64::from(answer.is_degraded());
            counts.fallbacks += u64::from(answer.is_fallback());
            counts.silent += u64::from(answer.is_silent());
        });
        played.answered.push(Answered { turn: id, seq: number(&answer) });
        self.listen(&answer).await;
        if let Some(phrase) = &turn.phrase {
            let began = Instant::now();
            if self.request(Method::POST, "/api/tts", Some(&json!({ "text": phrase }))).await.is_ok() {
                self.gauge.took(Stage::Phrase, began.elapsed());
            }
        }
    }

    /// Fetches the audio of a reply.
    async fn listen(&self, answer: &Answer) {
        let Some(url) = answer.body.pointer("/speech/url").and_then(Value::as_str).filter(|_| self.target.audio) else { return };
        let began = Instant::now();
        if self.request(Method::GET, url, None).await.is_ok() {
            self.gauge.took(Stage::Audio, began.elapsed());
        }
    }

    /// Sends a request until it is answered for good. Where that does not happen in time, what happened last; each failure is counted.
    async fn request(&self, method: Method, path: &str, body: Option<&Value>) -> Result<Answer, String> {
        let until = Instant::now() + self.target.patience;
        let mut pause = PAUSES.0;
        loop {
            let (wait, reason) = match self.once(method.clone(), path, body).await {
                Ok((answer, _)) if answer.status.is_success() => return Ok(answer),
                Ok((answer, wait)) => {
                    self.failed(Some(answer.status));
                    if !(answer.status.is_server_error() || answer.status == StatusCode::TOO_MANY_REQUESTS) {
                        return Ok(answer);
                    }
                    (wait, answer.status.to_string())
                }
                Err(e) => {
                    self.failed(None);
                    (None, e.without_url().to_string())
                }
            };
            let wait = wait.unwrap_or(pause);
            if Instant::now() + wait >= until {
                return Err(reason);
            }
            sleep(wait).await;
            pause = (pause * 2).min(PAUSES.1);
        }
    }

    /// Counts an answer other than 200, or a request without one.
    fn failed(&self, status: Option<StatusCode>) {
        let refused = matches!(status, Some(StatusCode::SERVICE_UNAVAILABLE | StatusCode::TOO_MANY_REQUESTS));
        self.count(|counts| {
            counts.errors += 1;
            counts.refused += u64::from(refused);
        });
    }

    async fn once(&self, method: Method, path: &str, body: Option<&Value>) -> reqwest::Result<(Answer, Option<Duration>)> {
        let (began, most) = (Instant::now(), self.target.wait.unwrap_or_else(|| longest(path)));
        let answer = self.exchange(method, path, body, most.max(longest(path)) + BEYOND).await;
        self.gauge.waited(began.elapsed(), most);
        answer
    }

    async fn exchange(&self, method: Method, path: &str, body: Option<&Value>, limit: Duration) -> reqwest::Result<(Answer, Option<Duration>)> {
        let mut request = self.target.client.request(method, format!("{}{path}", self.target.url)).timeout(limit);
        if let Some(body) = body {
            request = request.json(body);
        }
        if let Some(key) = &self.target.key {
            request = request.header("x-functions-key", key.expose());
        }
        let response = request.send().await?;
        let (status, wait) = (response.status(), retry_after(response.headers(), PAUSES.1));
        let timing = response.headers().get("server-timing").and_then(|value| value.to_str().ok()).map(timing).unwrap_or_default();
        let bytes = response.bytes().await?;
        // Audio is no JSON, and nobody looks at it.
        Ok((Answer { status, body: serde_json::from_slice(&bytes).unwrap_or(Value::Null), timing }, wait))
    }
}

/// How long a request on this path may wait: the deadline of its function, and the allowance.
fn longest(path: &str) -> Duration {
    let name = if path.ends_with("/turns") {
        "ConversationTurn"
    } else if path.starts_with("/api/tts") {
        "TtsCache"
    } else {
        "CallEvents"
    };
    functions::ALL.iter().find(|function| function.name == name).map_or_else(longest_deadline, |function| function.deadline) + ALLOWANCE
}

/// What a `Server-Timing` header says of the stages of a turn.
fn timing(header: &str) -> Vec<(Stage, Duration)> {
    server_timing(header).filter_map(|(name, millis)| Some((Stage::of_handler(name)?, Duration::from_secs_f64(millis / 1000.0)))).collect()
}

fn participants(caller: &str) -> Value {
    let identifier = json!({ "rawId": format!("4:{caller}"), "kind": "phoneNumber", "phoneNumber": { "value": caller } });
    json!({ "sequenceNumber": 1, "participants": [{ "identifier": identifier, "isMuted": false, "isOnHold": false }] })
}
