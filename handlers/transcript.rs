//! `rtvoice transcript`: an archived call, for people or as JSON.

use std::process::ExitCode;

use clap::Args;
use rtvoice::app::App;
use rtvoice::error::Result;
use rtvoice::model::conversation::Words;
use rtvoice::model::ids::CallId;
use rtvoice::ports::audit::Note;
use rtvoice::steps::archive::{self, Archived};
use rtvoice::steps::masking;
use serde_json::{Value, json};

/// Print an archived call, from the documents that the settings name.
#[derive(Args)]
#[command(after_help = "Exit codes: 0 printed, 1 there is no archive of this call, 2 wrong usage or setting.")]
pub(crate) struct Arguments {
    /// The call's callConnectionId
    call: String,
    /// Print one JSON object
    #[arg(long)]
    json: bool,
    /// Show detected values, where STORE_PII=encrypted kept them; the audit log says that they were shown
    #[arg(long)]
    reveal: bool,
}

pub(crate) fn run(arguments: &Arguments) -> ExitCode {
    let config = match super::store_settings() {
        Ok(config) => config,
        Err(code) => return code,
    };
    let call = match CallId::parse(arguments.call.as_str()) {
        Ok(call) => call,
        Err(e) => return super::wrong_setting(&format!("callConnectionId {}", e.detail)),
    };
    super::command(
        config,
        "error",
        async |app| read(&app, &call, arguments.reveal).await,
        |found| match found {
            Some((archived, legacy)) => {
                let text = if arguments.json { view(&archived, legacy, arguments.reveal).to_string() } else { lines(&archived, arguments.reveal) };
                super::out::say(&text, ExitCode::SUCCESS)
            }
            None => super::out::fail(&format!("there is no archived transcript of call {call}"), ExitCode::FAILURE),
        },
    )
}

async fn read(app: &App, call: &CallId, reveal: bool) -> Result<Option<(Archived, Option<Value>)>> {
    let Some(archived) = archive::read(app, call).await? else { return Ok(None) };
    let mut legacy = archive::legacy(app, &archived.header).await?;
    if !reveal {
        legacy.iter_mut().for_each(masking::masked_json);
    }
    // Nobody sees it before it stands in the log that they did.
    let mut note = Note::new(if reveal { "transcript.reveal" } else { "transcript.read" })
        .store("documents")
        .key("call", "transcript", call.as_str())
        .call(call)
        .count(archived.union.len() as u64);
    if let Some(user) = &archived.header.user {
        note = note.subject(user.as_str());
    }
    app.audit.written(note).await?;
    Ok(Some((archived, legacy)))
}

/// What was said and answered: as it was kept, or as it really was where that was kept, too.
fn words(words: &Words, reveal: bool) -> (Option<&str>, Option<&str>) {
    let real = |kept: &'_ Option<String>| reveal && kept.is_some();
    let user = if real(&words.said) { &words.said } else { &words.user };
    let assistant = if real(&words.spoken) { &words.spoken } else { &words.assistant };
    (user.as_deref(), assistant.as_deref())
}

fn view(archived: &Archived, legacy: Option<Value>, reveal: bool) -> Value {
    let header = &archived.header;
    let turns: Vec<_> = archived
        .union
        .in_order()
        .into_iter()
        .map(|t| {
            let (user, assistant) = words(&t.entry.words, reveal);
            json!({ "seq": t.seq, "turnId": t.entry.turn_id, "at": t.entry.at, "user": user, "assistant": assistant, "source": t.entry.source, "degraded": t.degraded, "traceId": t.entry.trace_id })
        })
        .collect();
    json!({
        "callConnectionId": header.call_connection_id,
        "complete": header.complete,
        "startedAt": header.started_at,
        "endedAt": header.ended_at,
        "endReason": header.end_reason,
        "turns": turns,
        "legacy": legacy,
    })
}

fn lines(archived: &Archived, reveal: bool) -> String {
    let header = &archived.header;
    let or_unknown = |time: Option<rtvoice::model::time::Timestamp>| time.map_or_else(|| "unknown".to_owned(), |t| t.to_string());
    let mut lines = vec![
        format!("Call      {}", header.call_connection_id),
        format!("Started   {}", or_unknown(header.started_at)),
        format!("Ended     {} ({})", or_unknown(header.ended_at), header.end_reason.as_deref().unwrap_or("unknown")),
        format!("Turns     {}{}", header.turns, if header.complete { "" } else { " (incomplete)" }),
    ];
    for turn in archived.union.in_order() {
        let number = turn.seq.map_or_else(|| "-".to_owned(), |seq| seq.to_string());
        lines.push(format!("\n{number:>4}  {}", turn.entry.at));
        let (user, assistant) = words(&turn.entry.words, reveal);
        lines.extend(user.map(|user| format!("      caller  {}", printable(user))));
        lines.extend(assistant.map(|assistant| format!("      agent   {}", printable(assistant))));
    }
    lines.join("\n")
}

/// A caller's words cannot steer the terminal.
fn printable(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect()
}
