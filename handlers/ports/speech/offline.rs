//! The voice without a service: `espeak-ng` where it is installed, else a tone that says it is none.
//!
//! In: a phrase. Out: a WAV file in its format, the same for the same phrase, with a comment that names its origin.
//! The phrase's text goes to the program on standard input and never into its arguments. A program that fails is
//! `Unavailable`, one that takes longer than the deadline is killed.

use std::collections::BTreeSet;
use std::io::Read as _;
use std::process::Stdio;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

use super::{Speech, wav};
use crate::error::{Error, Kind, Result};
use crate::model::phrase::Phrase;

/// The program.
const ESPEAK: &str = "espeak-ng";

/// Comment in the files of the program.
const VOICE_COMMENT: &str = "rtvoice offline voice, spoken by espeak-ng";

/// Comment in the files with a tone.
const TONE_COMMENT: &str = "rtvoice offline tone, not speech";

/// Most bytes that are read from the program: 4000 characters are about a fifth of it.
const MAX_OUTPUT: u64 = 64 * 1024 * 1024;

/// Time in which the program must list its languages.
const LISTING: Duration = Duration::from_secs(2);

/// The voice.
#[derive(Debug)]
pub struct OfflineSpeech {
    /// Languages of the program, lower case, once it has listed them; none means the tone.
    languages: Arc<OnceLock<Option<BTreeSet<String>>>>,
    deadline: Duration,
}

impl OfflineSpeech {
    /// Asks `espeak-ng` for its languages; where that fails, the voice is the tone. The first phrase waits for the answer, for at
    /// most 2 s; the start does not.
    pub fn detect() -> Self {
        let mut command = std::process::Command::new(ESPEAK);
        let Ok(child) = command.arg("--voices").stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null()).spawn() else { return Self::tone() };
        let languages = Arc::new(OnceLock::new());
        let listed = Arc::clone(&languages);
        std::thread::spawn(move || listed.get_or_init(|| list_languages(child).filter(|l| l.contains("en"))).is_some());
        Self { languages, ..Self::tone() }
    }

    /// The tone, whatever is installed.
    pub fn tone() -> Self {
        Self { languages: Arc::new(OnceLock::from(None)), deadline: Duration::from_secs(3) }
    }

    /// The program's languages; none where there is no such program.
    async fn languages(&self) -> Result<Option<&BTreeSet<String>>> {
        if self.languages.get().is_none() {
            let listed = Arc::clone(&self.languages);
            tokio::task::spawn_blocking(move || listed.wait().is_some()).await.map_err(Error::internal)?;
        }
        Ok(self.languages.get().and_then(Option::as_ref))
    }

    /// Another deadline than 3 s in all.
    #[must_use]
    pub fn with_deadline(mut self, deadline: Duration) -> Self {
        self.deadline = deadline;
        self
    }

    async fn speak(&self, phrase: &Phrase, languages: &BTreeSet<String>) -> Result<Bytes> {
        let raw = espeak(phrase.text(), choose(phrase.language(), languages)).await?;
        let rate = phrase.format().sample_rate();
        let rewrite = move || {
            let parts = wav::parse(&raw).map_err(failed)?;
            if (parts.channels, parts.bits) != (1, 16) {
                return Err(failed("a format that is not mono with 16 bits"));
            }
            let samples = wav::resample(&wav::samples(&raw[parts.data]), parts.sample_rate, rate);
            Ok(wav::write(rate, &samples, Some(VOICE_COMMENT)))
        };
        tokio::task::spawn_blocking(rewrite).await.map_err(Error::internal)?
    }
}

#[async_trait]
impl Speech for OfflineSpeech {
    async fn synthesise(&self, phrase: &Phrase) -> Result<Bytes> {
        let Some(languages) = self.languages().await? else {
            let phrase = phrase.clone();
            return tokio::task::spawn_blocking(move || tone(&phrase)).await.map_err(Error::internal);
        };
        let late = |_| Err(Error::deadline(ESPEAK, self.deadline));
        tokio::time::timeout(self.deadline, self.speak(phrase, languages)).await.unwrap_or_else(late)
    }

    fn name(&self) -> &'static str {
        // While it lists its languages, the program is there.
        if self.languages.get().is_none_or(Option::is_some) { ESPEAK } else { "tone" }
    }
}

/// Runs the program on a text. Dropping the future kills it.
async fn espeak(text: &str, language: &str) -> Result<Vec<u8>> {
    let mut command = tokio::process::Command::new(ESPEAK);
    // `-b 1`: the text is UTF-8. The language is one that the program itself has listed.
    command.args(["-b", "1", "--stdin", "--stdout", "-v", language]);
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null()).kill_on_drop(true);
    let mut child = command.spawn().map_err(failed)?;
    let (Some(mut stdin), Some(stdout)) = (child.stdin.take(), child.stdout.take()) else { return Err(failed("no pipes")) };
    // In double brackets the program reads phonemes: a caller's brackets are none.
    let text = text.replace('[', "(");
    let write = async move {
        stdin.write_all(text.as_bytes()).await?;
        stdin.shutdown().await
    };
    let read = async move {
        let mut output = Vec::new();
        stdout.take(MAX_OUTPUT + 1).read_to_end(&mut output).await.map(|_| output)
    };
    let ((), output) = futures::future::try_join(write, read).await.map_err(failed)?;
    if output.len() as u64 > MAX_OUTPUT {
        return Err(failed("more output than a phrase can have"));
    }
    let status = child.wait().await.map_err(failed)?;
    if status.success() { Ok(output) } else { Err(failed(format!("ended with {status}"))) }
}

fn failed(reason: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Error {
    Error::new(Kind::Unavailable, "espeak-ng could not speak").because(reason)
}

/// The program's language for a tag: the tag itself, else its first part, else English.
fn choose<'a>(tag: &str, languages: &'a BTreeSet<String>) -> &'a str {
    let tag = tag.to_ascii_lowercase();
    let first = tag.split('-').next().unwrap_or_default();
    languages.get(&tag).or_else(|| languages.get(first)).map_or("en", String::as_str)
}

/// What `espeak-ng --voices` lists: each line has priority, language, ..., and other languages as `(en 2)(zh 5)`.
fn list_languages(mut child: std::process::Child) -> Option<BTreeSet<String>> {
    let mut stdout = child.stdout.take()?;
    let (done, listing) = std::sync::mpsc::channel();
    std::thread::spawn(move || {
        let mut text = String::new();
        let read = stdout.by_ref().take(1024 * 1024).read_to_string(&mut text);
        // Nobody listens any more when this took too long.
        let _ = done.send(read.map(|_| text));
    });
    let text = listing.recv_timeout(LISTING);
    // The program has written everything, or is stuck: end it either way, and collect it.
    let _ = child.kill();
    let _ = child.wait();
    let languages = text.ok()?.ok()?.lines().skip(1).flat_map(languages_of).collect::<BTreeSet<_>>();
    Some(languages).filter(|l| !l.is_empty())
}

fn languages_of(line: &str) -> Vec<String> {
    let main = line.split_whitespace().nth(1);
    let others = line.split('(').skip(1).filter_map(|part| part.split_once(' ')).map(|(tag, _)| tag);
    let sound =
        |tag: &&str| tag.len() <= 35 && tag.starts_with(|c: char| c.is_ascii_alphabetic()) && tag.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-');
    main.into_iter().chain(others).filter(sound).map(str::to_ascii_lowercase).collect()
}

/// A soft tone as long as the phrase would roughly take, 10 s at most; its pitch tells phrases apart.
fn tone(phrase: &Phrase) -> Bytes {
    let rate = phrase.format().sample_rate();
    let millis = u32::try_from(phrase.text().chars().count()).unwrap_or(u32::MAX).saturating_mul(60).saturating_add(240).min(10_000);
    let count = u64::from(rate) * u64::from(millis) / 1000;
    let pitch = 300.0 + f64::from(phrase.text().bytes().fold(0_u32, |sum, b| sum.wrapping_mul(31).wrapping_add(u32::from(b))) % 400);
    let fade = f64::from(rate) / 50.0;
    let samples: Vec<i16> = (0..count)
        .map(|n| {
            let (at, left) = (n as f64, (count - n) as f64);
            let loudness = 4000.0 * (at / fade).min(left / fade).min(1.0);
            // Far inside the range of a sample.
            (loudness * (std::f64::consts::TAU * pitch * at / f64::from(rate)).sin()) as i16
        })
        .collect();
    wav::write(rate, &samples, Some(TONE_COMMENT))
}
