//! Spoken phrases: first-level cache, the state store's cache, else synthesised once for all who ask.

use std::time::Duration;

use bytes::Bytes;
use tokio::time::Instant;

use crate::app::App;
use crate::error::Result;
use crate::model::phrase::Phrase;
use crate::ports::state::Spoken;

/// Largest audio that is cached or offered.
pub const MAX_AUDIO: usize = 4 << 20;
/// How long one waits for another's synthesis before doing it oneself.
const PATIENCE: Duration = Duration::from_millis(3500);
/// How often a waiter looks.
const LOOK: Duration = Duration::from_millis(25);

/// Where a phrase's audio was found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Found {
    /// In a cache; its bytes where the first level has them.
    Hit(Option<Bytes>),
    /// Nowhere: it was synthesised now.
    Made(Bytes),
}

/// Makes sure that the phrase can be fetched by its hash, with one round trip where it is cached.
pub async fn ensure(app: &App, phrase: &Phrase, hash: &str) -> Result<Found> {
    let token = app.clock.new_id();
    let since = Instant::now();
    loop {
        match app.state.phrase(hash, &token).await {
            Ok(Spoken::Cached) => return Ok(Found::Hit(app.audio.get(hash).await)),
            Ok(Spoken::Yours) => return make(app, phrase, hash, Some(&token)).await,
            Ok(Spoken::Awaited) if since.elapsed() < PATIENCE => {}
            Ok(Spoken::Awaited) => return make(app, phrase, hash, None).await,
            Err(e) => {
                tracing::warn!(error = e.chain(), "the phrase cache is away");
                return match app.audio.get(hash).await {
                    Some(audio) => Ok(Found::Hit(Some(audio))),
                    None => make(app, phrase, hash, None).await,
                };
            }
        }
        // The owner may be this process, and its audio may not fit the shared cache.
        if let Some(audio) = app.audio.get(hash).await {
            return Ok(Found::Hit(Some(audio)));
        }
        tokio::time::sleep(LOOK).await;
    }
}

/// The audio of a phrase and whether it was cached.
pub async fn audio(app: &App, phrase: &Phrase, hash: &str) -> Result<(Bytes, bool)> {
    if let Some(audio) = app.audio.get(hash).await {
        return Ok((audio, true));
    }
    match ensure(app, phrase, hash).await? {
        Found::Hit(Some(audio)) => Ok((audio, true)),
        Found::Made(audio) => Ok((audio, false)),
        Found::Hit(None) => match fetch(app, hash).await? {
            Some(audio) => Ok((audio, true)),
            // It expired between the two looks.
            None => match make(app, phrase, hash, None).await? {
                Found::Made(audio) | Found::Hit(Some(audio)) => Ok((audio, false)),
                Found::Hit(None) => Err(crate::error::Error::internal("synthesised audio was lost")),
            },
        },
    }
}

/// Cached audio by hash, from the first level or the state store.
pub async fn fetch(app: &App, hash: &str) -> Result<Option<Bytes>> {
    if let Some(audio) = app.audio.get(hash).await {
        return Ok(Some(audio));
    }
    let Some(audio) = app.state.audio(hash).await? else { return Ok(None) };
    app.audio.insert(hash.to_owned(), audio.clone()).await;
    Ok(Some(audio))
}

async fn make(app: &App, phrase: &Phrase, hash: &str, claim: Option<&str>) -> Result<Found> {
    let made = app.speech.synthesise(phrase).await;
    let keep = match &made {
        Ok(audio) if audio.len() <= MAX_AUDIO => {
            app.audio.insert(hash.to_owned(), audio.clone()).await;
            app.state.keep_audio(hash, audio.clone(), app.clock.now()).await.map(|kept| {
                if !kept {
                    tracing::debug!("the phrase cache is full");
                }
            })
        }
        _ => match claim {
            Some(token) => app.state.drop_claim(hash, token).await,
            None => Ok(()),
        },
    };
    if let Err(e) = keep {
        tracing::warn!(error = e.chain(), "the phrase was not cached");
    }
    made.map(Found::Made)
}
