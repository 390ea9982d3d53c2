//! The call of the demo: what is sent, what is answered, and what is read back.

use std::collections::BTreeMap;

use serde_json::{Value, json};
use tokio::time::Instant;

use super::PATIENCE;
use super::report::{Percentiles, Report};
use super::script::{Line, Script};
use crate::app::App;
use crate::error::{Error, Kind, Result};
use crate::model::ids::CallId;
use crate::ports::documents::Container;
use crate::ports::http;
use crate::steps::archive::{self, Archived};

/// How often the stores are looked at while waiting.
const LOOK: std::time::Duration = std::time::Duration::from_millis(10);

struct Player<'a> {
    client: reqwest::Client,
    url: &'a str,
    call: CallId,
}

/// One answer of the app.
struct Answer {
    status: u16,
    body: Value,
    millis: f64,
}

impl Player<'_> {
    async fn post(&self, path: &str, event_grid: bool, body: &Value) -> Result<Answer> {
        let began = Instant::now();
        let mut request = self.client.post(format!("{}{path}", self.url)).json(body);
        if event_grid {
            request = request.header("aeg-event-type", "Notification");
        }
        let response = request.send().await.map_err(|e| Error::unavailable("the local host", e))?;
        let status = response.status().as_u16();
        let bytes = response.bytes().await.map_err(|e| Error::unavailable("the local host", e))?;
        Ok(Answer { status, body: serde_json::from_slice(&bytes).unwrap_or(Value::Null), millis: began.elapsed().as_secs_f64() * 1000.0 })
    }

    /// An event as Event Grid delivers it to the function of its name.
    async fn event(&self, name: &str, id: &str, at: &str) -> Result<Answer> {
        let data = json!({ "callConnectionId": self.call, "serverCallId": "demo-server-call", "correlationId": "demo-correlation" });
        let event = json!([{ "id": id, "topic": "/demo", "subject": "calling/callConnections", "eventType": format!("Microsoft.Communication.{name}"), "eventTime": at, "dataVersion": "1.0", "metadataVersion": "1", "data": data }]);
        self.post(&format!("/runtime/webhooks/eventgrid?functionName={name}"), true, &event).await
    }

    /// An event as Call Automation posts it to the callback URI.
    async fn callback(&self, name: &str, id: &str, at: &str, more: Value) -> Result<Answer> {
        let mut data = json!({ "callConnectionId": self.call, "serverCallId": "demo-server-call", "correlationId": "demo-correlation" });
        if let (Some(data), Value::Object(more)) = (data.as_object_mut(), more) {
            data.extend(more);
        }
        let event = json!([{ "specversion": "1.0", "id": id, "source": "calling/callConnections/demo", "type": format!("Microsoft.Communication.{name}"), "time": at, "data": data }]);
        self.post("/api/calls/events", false, &event).await
    }

    async fn turn(&self, id: &str, line: &Line) -> Result<Answer> {
        let body = json!({ "turnId": id, "text": line.text, "language": line.language });
        self.post(&format!("/api/calls/{}/turns", self.call), false, &body).await
    }
}

/// What was answered while the call was played.
#[derive(Default)]
struct Played {
    /// Number of each turn id that was answered with 200.
    seqs: BTreeMap<String, u64>,
    /// Where each turn's speech came from.
    caches: BTreeMap<String, String>,
    millis: Vec<f64>,
    absorbed: usize,
    problems: Vec<String>,
}

impl Played {
    fn take(&mut self, id: &str, answer: &Answer) {
        if answer.status != 200 {
            return self.problems.push(format!("turn {id} was answered {}", answer.status));
        }
        self.millis.push(answer.millis);
        self.seqs.insert(id.to_owned(), answer.body["seq"].as_u64().unwrap_or(0));
        self.caches.insert(id.to_owned(), answer.body.pointer("/speech/cache").and_then(Value::as_str).unwrap_or("none").to_owned());
    }

    fn expect(&mut self, holds: bool, otherwise: impl FnOnce() -> String) {
        if !holds {
            self.problems.push(otherwise());
        }
    }
}

/// Plays the whole call against the local host at `url`, and reads back from `app`'s stores what came of it.
pub async fn play(url: &str, app: &App, script: &Script, progress: &(dyn Fn(&str) + Send + Sync)) -> Result<Report> {
    let call = CallId::parse(format!("demo-{}", app.clock.new_id()))?;
    let player = Player { client: http::loopback_client()?, url, call: call.clone() };
    let mut played = Played::default();

    progress("CallConnected, and the same event again");
    let at = app.clock.now().to_string();
    let connected = player.event("CallConnected", "demo-connected", &at).await?;
    played.expect(connected.status == 202, || format!("CallConnected was answered {}", connected.status));
    let again = player.event("CallConnected", "demo-connected", &at).await?;
    played.expect(again.status == 202, || format!("the repeated CallConnected was answered {}", again.status));
    let participants = json!({ "sequenceNumber": 1, "participants": [{ "identifier": { "rawId": format!("4:{}", script.caller), "kind": "phoneNumber", "phoneNumber": { "value": script.caller } }, "isMuted": false, "isOnHold": false }] });
    let seen = player.callback("ParticipantsUpdated", "demo-participants", &at, participants).await?;
    played.expect(seen.status == 200, || format!("ParticipantsUpdated was answered {}", seen.status));

    turns(&player, script, &mut played, progress).await?;

    progress("an event that nobody knows");
    let unknown = player.callback("SomethingNew", "demo-unknown", &at, json!({})).await?;
    played.expect(unknown.status == 200, || format!("the unknown event was answered {}", unknown.status));

    progress("CallDisconnected, twice");
    let at = app.clock.now().to_string();
    let began = Instant::now();
    let ended = player.event("CallDisconnected", "demo-disconnected", &at).await?;
    played.expect(ended.status == 202, || format!("CallDisconnected was answered {}", ended.status));
    let again = player.event("CallDisconnected", "demo-disconnected", &at).await?;
    played.expect(again.status == 202, || format!("the repeated CallDisconnected was answered {}", again.status));

    progress("waiting for the archive");
    let archived = wait(app, &call).await?;
    let archive_ms = began.elapsed().as_secs_f64() * 1000.0;
    progress("reading it back");
    let late = player.turn("late", &Line { text: "Am I too late?".to_owned(), language: None }).await?;
    played.expect(late.status == 409, || format!("a turn after the end was answered {} instead of 409", late.status));
    report(app, &call, archived, played, connected.millis, archive_ms).await
}

/// All turns: the second is sent twice, the last two at once.
async fn turns(player: &Player<'_>, script: &Script, played: &mut Played, progress: &(dyn Fn(&str) + Send + Sync)) -> Result<()> {
    let (last_two, first) = (&script.turns[script.turns.len() - 2..], &script.turns[..script.turns.len() - 2]);
    for (place, line) in first.iter().enumerate() {
        let id = format!("turn-{}", place + 1);
        progress(&format!("turn {} of {}", place + 1, script.turns.len()));
        let answer = player.turn(&id, line).await?;
        played.take(&id, &answer);
        if place == 1 {
            progress("the same turn again");
            let again = player.turn(&id, line).await?;
            let same =
                again.status == 200 && again.body["replayed"] == true && again.body["seq"] == answer.body["seq"] && again.body["reply"] == answer.body["reply"];
            played.absorbed += usize::from(same);
            played.expect(same, || "the repeated turn was not answered with the first one's answer".to_owned());
        }
    }
    progress("two turns at once");
    let ids = [format!("turn-{}", first.len() + 1), format!("turn-{}", first.len() + 2)];
    let (one, two) = tokio::try_join!(player.turn(&ids[0], &last_two[0]), player.turn(&ids[1], &last_two[1]))?;
    played.take(&ids[0], &one);
    played.take(&ids[1], &two);
    Ok(())
}

/// Waits until the call is archived and its state is gone.
async fn wait(app: &App, call: &CallId) -> Result<Archived> {
    let began = Instant::now();
    while began.elapsed() < PATIENCE {
        if app.state.summary(call).await?.is_some()
            && let Some(archived) = archive::read(app, call).await?
        {
            return Ok(archived);
        }
        tokio::time::sleep(LOOK).await;
    }
    Err(Error::new(Kind::Deadline, format!("the call was not archived within {} s", PATIENCE.as_secs())))
}

/// Reads the stores and compares them with what was answered.
async fn report(app: &App, call: &CallId, archived: Archived, mut played: Played, setup_ms: f64, archive_ms: f64) -> Result<Report> {
    let header = &archived.header;
    let ordered = archived.union.in_order();
    let found: BTreeMap<String, u64> = ordered.iter().map(|t| (t.entry.turn_id.clone(), t.seq.unwrap_or(0))).collect();
    let in_order = ordered.iter().zip(1..).all(|(turn, number)| turn.seq == Some(number));
    if found != played.seqs {
        let problem = format!("the archive holds turns {:?} where {:?} were answered", found.keys(), played.seqs.keys());
        played.problems.push(problem);
    }
    played.expect(in_order, || "the archived turns are not numbered from 1 without a gap".to_owned());
    played.expect(header.complete, || "the archive says that it is not complete".to_owned());

    let analytics = app.documents.get(Container::Analytics, &header.day, call.as_str()).await?.map(|d| d.body).unwrap_or_default();
    played.expect(analytics["turns"] == json!(ordered.len()), || "the analytics document counts other turns".to_owned());
    let user = header.user.as_ref().map_or("", |user| user.as_str());
    let profile = app.documents.get(Container::Profiles, user, crate::model::profile::PROFILE_ID).await?.map(|d| d.body).unwrap_or_default();
    let counted_once = profile["calls"] == 1 && profile["turns"] == json!(ordered.len());
    // The call was connected and ended twice; it is one call with one beginning and one end.
    played.absorbed += if counted_once && header.end_reason.as_deref() == Some("CallDisconnected") { 2 } else { 0 };
    played.expect(counted_once, || "the profile does not count the call once".to_owned());

    let survey = app.state.survey(std::slice::from_ref(call)).await?;
    let outbox_left = survey.iter().map(|s| usize::try_from(s.waiting).unwrap_or(usize::MAX)).sum::<usize>();
    played.expect(outbox_left == 0, || format!("{outbox_left} messages are left in the outbox"));
    let parked = app.documents.list(Container::DeadLetters, &app.clock.now().day(), "", None, 100).await?.documents.len() as u64;
    let dead = match &app.embedded_queue {
        Some(queue) => queue.stats().await?.dead,
        None => 0,
    };
    let dead_lettered = parked + dead;
    played.expect(dead_lettered == 0, || format!("{dead_lettered} messages could not be read"));
    let spoken = |cache: &str| played.caches.values().filter(|c| *c == cache).count() as u64;
    let (tts_hits, tts_misses) = (spoken("hit"), spoken("miss"));
    played.expect(tts_hits > 0, || "no spoken reply came from the cache".to_owned());

    let line = |text: &Option<String>| text.clone().unwrap_or_default();
    let conversation = ordered.iter().map(|t| {
        let cache = played.caches.get(&t.entry.turn_id).cloned().unwrap_or_default();
        (t.seq.map_or_else(|| "-".to_owned(), |seq| seq.to_string()), line(&t.entry.words.user), line(&t.entry.words.assistant), cache)
    });
    let places = vec![
        ("transcript".to_owned(), format!("container transcripts, partition {call}: header and {} page(s)", header.pages.len())),
        ("analytics".to_owned(), format!("container analytics, partition {}, id {call}", header.day)),
        ("profile".to_owned(), format!("container profiles, partition {user}")),
        ("summary".to_owned(), "the state store, for 7 days; everything else of the call is gone from there".to_owned()),
        ("audio".to_owned(), "the state store, for 24 hours".to_owned()),
        ("file".to_owned(), app.config.embedded_path.display().to_string()),
    ];
    Ok(Report {
        turns: played.seqs.len(),
        archived: ordered.len(),
        duplicates_absorbed: played.absorbed,
        tts_hits,
        tts_misses,
        outbox_left,
        dead_lettered,
        setup_ms,
        turn_ms: Percentiles::of(played.millis),
        archive_ms,
        ok: played.problems.is_empty() && played.absorbed == 3,
        call_connection_id: call.to_string(),
        conversation: conversation.collect(),
        stages: analytics.get("stagesMs").cloned().unwrap_or_default(),
        places,
        problems: played.problems,
        kept: None,
    })
}
