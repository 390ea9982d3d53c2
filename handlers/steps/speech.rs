//! Spoken phrases: first-level cache, the state store's cache, else synthesised once for all who ask.

use std::sync::atomic::Ordering;
use std::time::Duration;

use bytes::Bytes;
use tokio::time::Instant;

use crate::app::App;
use crate::error::{Error, Result};
use crate::model::ids::CallId;
use crate::model::phrase::{Phrase, hex};
use crate::ports::state::Spoken;
use crate::telemetry::label::CacheLookup;
use crate::telemetry::metric::CACHE_LOOKUPS;

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
    Made {
        /// The audio.
        audio: Bytes,
        /// Whether the shared cache took it, so that every instance can serve it.
        kept: bool,
    },
}

/// The hash of a phrase, keyed: nobody without the key can tell from it what is said. Audio for one call alone has a hash of
/// its own, which no other call's reply can have.
pub async fn hash(app: &App, phrase: &Phrase, only_for: Option<&CallId>) -> Result<String> {
    let plain = phrase.hash();
    if app.vault.is_off() {
        return Ok(plain);
    }
    let key = app.vault.phrase_key().await?;
    let call = only_for.map_or("", CallId::as_str);
    Ok(hex(&key.mac(&[plain.as_bytes(), b" ", call.as_bytes()])))
}

/// Audio for one call alone.
#[derive(Debug, Clone, Copy)]
pub struct Private<'a> {
    /// The call.
    pub call: &'a CallId,
    /// Whether the same answer was given before: its audio may still be there.
    pub again: bool,
}

/// Makes sure that audio for one call alone can be fetched by its hash. It lives for 300 s, sealed, and in no shared cache.
/// One round trip; two where the same answer is given again and its audio is gone.
pub async fn ensure_private(app: &App, private: Private<'_>, phrase: &Phrase, hash: &str) -> Result<Found> {
    if private.again
        && let Some(audio) = app.state.audio(hash).await?
    {
        return Ok(Found::Hit(Some(audio)));
    }
    let audio = app.speech.synthesise(phrase).await?;
    if audio.len() > MAX_AUDIO {
        return Ok(Found::Made { audio, kept: false });
    }
    let kept = app.state.keep_private(private.call, hash, audio.clone()).await;
    if let Err(e) = &kept {
        tracing::warn!(error = e.chain(), "a private phrase was not kept");
    }
    Ok(Found::Made { audio, kept: kept.is_ok() })
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
        Found::Made { audio, .. } => Ok((audio, false)),
        Found::Hit(None) => match fetch(app, hash).await? {
            Some(audio) => Ok((audio, true)),
            // It expired between the two looks.
            None => match make(app, phrase, hash, None).await? {
                Found::Made { audio, .. } | Found::Hit(Some(audio)) => Ok((audio, false)),
                Found::Hit(None) => Err(Error::internal("synthesised audio was lost")),
            },
        },
    }
}

/// Cached audio by hash, from the first level or the state store.
pub async fn fetch(app: &App, hash: &str) -> Result<Option<Bytes>> {
    if let Some(audio) = app.audio.get(hash).await {
        app.metrics.count(CACHE_LOOKUPS, CacheLookup::AudioMemory);
        return Ok(Some(audio));
    }
    let Some(audio) = app.state.audio(hash).await? else {
        app.metrics.count(CACHE_LOOKUPS, CacheLookup::AudioMiss);
        return Ok(None);
    };
    app.metrics.count(CACHE_LOOKUPS, CacheLookup::AudioShared);
    app.audio.insert(hash.to_owned(), audio.clone()).await;
    Ok(Some(audio))
}

async fn make(app: &App, phrase: &Phrase, hash: &str, claim: Option<&str>) -> Result<Found> {
    let audio = match app.speech.synthesise(phrase).await {
        Ok(audio) if audio.len() <= MAX_AUDIO => audio,
        other => {
            if let Some(token) = claim
                && let Err(e) = app.state.drop_claim(hash, token).await
            {
                tracing::warn!(error = e.chain(), "a claim on a phrase was not given up");
            }
            return other.map(|audio| Found::Made { audio, kept: false });
        }
    };
    app.audio.insert(hash.to_owned(), audio.clone()).await;
    // The caller need not wait for the shared cache. Whether it takes more is known from the last time.
    let (app_, hash, shared) = (app.clone(), hash.to_owned(), audio.clone());
    app.spawn(async move {
        let kept = app_.state.keep_audio(&hash, shared, app_.clock.now()).await.unwrap_or_else(|e| {
            tracing::warn!(error = e.chain(), "the phrase was not cached");
            false
        });
        app_.cache_takes.store(kept, Ordering::Relaxed);
    });
    Ok(Found::Made { audio, kept: app.cache_takes.load(Ordering::Relaxed) })
}
