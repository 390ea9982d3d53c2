//! `rtvoice tts`: phrases spoken ahead of their first call, what the cache of phrases holds, and emptying it.
//!
//! In: a file of phrases. Each is asked for as a turn would, claimed, spoken, and handed to the shared cache before the next; what
//! holds something personal is refused, for it belongs to one call. Fails as speech and store do; handlers keep what they have in
//! memory for up to ten minutes after a purge.

use std::path::{Path, PathBuf};

use futures::StreamExt as _;
use serde::{Deserialize, Serialize};

use super::told::{Told, size};
use crate::app::App;
use crate::error::{Error, Result};
use crate::model::phrase::{AudioFormat, Phrase};
use crate::ports::audit::Note;
use crate::ports::state::Spoken;
use crate::ports::state::legacy::ScanCursor;
use crate::steps::{masking, speech};

/// Phrases that are spoken at once.
const TOGETHER: usize = 4;
/// Phrases of one file, at most.
const PHRASES: usize = 10_000;

/// The cache of spoken phrases
#[derive(Debug, Clone, clap::Args)]
#[command(after_help = "Exit codes: 0 done, 1 no or failed, 2 wrong usage or setting; the help of each command says what is a no.")]
pub struct TtsArgs {
    /// Print one JSON object
    #[arg(long, global = true)]
    pub json: bool,
    /// What to do
    #[command(subcommand)]
    pub command: TtsCommand,
}

/// What can be done with the cache.
#[derive(Debug, Clone, clap::Subcommand)]
pub enum TtsCommand {
    /// Speak the phrases of a file and cache them
    #[command(
        after_help = "A line is a phrase, or a JSON object {\"text\",\"voice\"?,\"language\"?,\"format\"?}; empty lines and lines that begin with # are left out.\n\
                            Exit codes: 0 every phrase is cached, 1 one is not, or it failed, 2 wrong usage or setting."
    )]
    Warm {
        /// The file
        file: PathBuf,
    },
    /// Say what the cache holds
    #[command(after_help = "Exit codes: 0 told, 1 failed, 2 wrong usage or setting.")]
    Stats,
    /// Remove all cached phrases
    #[command(after_help = "Handlers that run keep what they have in memory for up to 10 minutes; the next call of a phrase speaks it anew.\n\
                            Exit codes: 0 removed, 1 failed, 2 wrong usage or setting.")]
    Purge,
}

/// One line of a file.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
struct Line {
    text: String,
    voice: Option<String>,
    language: Option<String>,
    format: Option<String>,
}

/// What warming came to.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Warmed {
    /// Phrases that were spoken and cached.
    pub cached: u64,
    /// Phrases that were there already, or that another is speaking right now.
    pub known: u64,
    /// Phrases that the cache has no room for.
    pub full: u64,
    /// Lines that were not cached for another reason, with the reason.
    pub failed: Vec<String>,
}

enum Became {
    Cached,
    Known,
    Full,
}

/// Runs the command.
pub async fn run(app: &App, args: &TtsArgs) -> Result<Told> {
    match &args.command {
        TtsCommand::Warm { file } => {
            let warmed = warm(app, file).await?;
            let good = warmed.full == 0 && warmed.failed.is_empty();
            Told::new(args.json, &warmed, good, || {
                let mut lines = warmed.failed.clone();
                lines.push(format!("{} phrases cached, {} known, {} without room, {} failed", warmed.cached, warmed.known, warmed.full, warmed.failed.len()));
                lines.join("\n")
            })
        }
        TtsCommand::Stats => {
            let facts = app.state.audio_facts(app.clock.now()).await?;
            let share = app.state.servers().await?.iter().map(crate::ports::state::upkeep::ServerFacts::share).fold(0.0, f64::max);
            let body = serde_json::json!({ "phrases": facts.phrases, "bytes": facts.bytes, "maxBytes": facts.max_bytes, "memoryShare": share, "voice": app.config.speech_voice, "speech": app.speech.name() });
            Told::new(args.json, &body, true, || {
                let full = if share > 0.6 { ": nothing is added above 60 %" } else { "" };
                format!(
                    "{} phrases, {} of {} (TTS_MAX_BYTES)\nthe store's memory is {:.0} % full{full}\nspoken by {} as {}",
                    facts.phrases,
                    size(facts.bytes),
                    size(facts.max_bytes),
                    share * 100.0,
                    app.speech.name(),
                    app.config.speech_voice
                )
            })
        }
        TtsCommand::Purge => {
            let removed = purge(app).await?;
            Told::new(args.json, &serde_json::json!({ "removed": removed }), true, || format!("{removed} phrases removed"))
        }
    }
}

fn lines(file: &Path) -> Result<Vec<(usize, Line)>> {
    let wrong = |reason: String| Error::input("FILE", format!("must be a readable file of phrases ({reason})"));
    let text = std::fs::read_to_string(file).map_err(|e| wrong(e.to_string()))?;
    let plain = |text: &str| Line { text: text.to_owned(), voice: None, language: None, format: None };
    let mut lines = Vec::new();
    for (number, line) in text.lines().enumerate().map(|(n, line)| (n + 1, line.trim())).filter(|(_, line)| !line.is_empty() && !line.starts_with('#')) {
        let line = if line.starts_with('{') { serde_json::from_str(line).map_err(|e| wrong(format!("line {number}: {e}")))? } else { plain(line) };
        lines.push((number, line));
    }
    if lines.is_empty() || lines.len() > PHRASES {
        return Err(wrong(format!("it has {} phrases, and 1 to {PHRASES} are allowed", lines.len())));
    }
    Ok(lines)
}

/// Speaks and caches the phrases of a file.
pub async fn warm(app: &App, file: &Path) -> Result<Warmed> {
    let mut warmed = Warmed::default();
    let mut running = futures::stream::iter(lines(file)?.into_iter().map(|(number, line)| async move { (number, speak(app, &line).await) })).buffered(TOGETHER);
    while let Some((number, became)) = running.next().await {
        match became {
            Ok(Became::Cached) => warmed.cached += 1,
            Ok(Became::Known) => warmed.known += 1,
            Ok(Became::Full) => warmed.full += 1,
            Err(e) => warmed.failed.push(format!("line {number}: {}{}", e.field.as_ref().map_or_else(String::new, |field| format!("{field} ")), e.chain())),
        }
    }
    Ok(warmed)
}

async fn speak(app: &App, line: &Line) -> Result<Became> {
    let format = line.format.as_deref().map_or(Ok(AudioFormat::default()), AudioFormat::parse)?;
    let phrase: Phrase = app.phrase(&line.text, line.voice.as_deref(), line.language.as_deref(), format)?;
    if app.config.privacy && masking::masked(&line.text) != line.text {
        return Err(Error::input("text", "must hold nothing personal: such a phrase is no part of the shared cache"));
    }
    let hash = speech::hash(app, &phrase, None).await?;
    let token = app.clock.new_id();
    match app.state.phrase(&hash, &token).await? {
        Spoken::Cached | Spoken::Awaited => return Ok(Became::Known),
        Spoken::Yours => {}
    }
    let kept = match app.speech.synthesise(&phrase).await {
        Ok(audio) => app.state.keep_audio(&hash, audio, app.clock.now()).await,
        Err(e) => Err(e),
    };
    match kept {
        Ok(true) => Ok(Became::Cached),
        Ok(false) => Ok(Became::Full),
        Err(e) => {
            // Whoever waits for this phrase need not wait for the claim's end; that it cannot be given up changes nothing for us.
            if let Err(kept) = app.state.drop_claim(&hash, &token).await {
                tracing::warn!(error = kept.chain(), "a claim on a phrase was not given up");
            }
            Err(e)
        }
    }
}

/// Removes all cached audio; how many phrases there were.
pub async fn purge(app: &App) -> Result<u64> {
    let mut removed = 0;
    let mut cursor = Some(ScanCursor::default());
    while let Some(at) = cursor {
        let (gone, next) = app.state.purge_audio(at).await?;
        removed += gone;
        cursor = next;
    }
    let store = if app.config.redis.is_some() { "redis" } else { "embedded" };
    app.audit.note(Note::new("tts.purge").store(store).named("tts").count(removed)).await?;
    Ok(removed)
}
