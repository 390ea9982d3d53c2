//! Cached audio and profile copies behind the seals. Shared phrases hold nothing personal and stay as they are; a private
//! phrase is sealed under its call's key and lives for 300 s.

use async_trait::async_trait;
use bytes::Bytes;

use super::SealedState;
use crate::error::{Error, Kind, Result};
use crate::model::ids::{CallId, UserToken};
use crate::model::time::Timestamp;
use crate::ports::audit::Note;
use crate::ports::state::{Caches, Spoken};
use crate::privacy::envelope::Place;

/// What a private phrase begins with; no audio format does. The call, the wrap and the envelope follow, a line feed after
/// each of the first two.
const PRIVATE: &[u8] = b"rtvoice/1 private\n";

/// Splits off what stands before the next line feed.
fn line(bytes: &[u8]) -> Option<(&str, &[u8])> {
    let end = bytes.iter().position(|b| *b == b'\n')?;
    Some((std::str::from_utf8(&bytes[..end]).ok()?, &bytes[end + 1..]))
}

impl SealedState {
    async fn open_audio(&self, hash: &str, stored: Bytes) -> Result<Option<Bytes>> {
        let Some(rest) = stored.strip_prefix(PRIVATE) else { return Ok(Some(stored)) };
        let parts = line(rest).and_then(|(call, rest)| line(rest).map(|(wrap, sealed)| (CallId::parse(call).ok(), wrap, sealed)));
        let Some((Some(call), wrap, sealed)) = parts else {
            self.ciphers.vault().refused().refuse("redis", "audio", "");
            return Ok(None);
        };
        let opened = match self.ciphers.vault().call(&call, wrap).await {
            Ok(cipher) => cipher.open(&Place::redis(&self.keys.audio(hash), hash, "audio"), sealed),
            Err(e) => Err(e),
        };
        // By its name alone nobody could tell whose it is.
        let note = Note::new("audio.private").store("state").call(&call).named("private audio").bytes(sealed.len() as u64).result(&opened);
        self.audit.note(note).await?;
        match opened {
            Ok(audio) => Ok(Some(audio.into())),
            // Nobody can hear it any more.
            Err(e) if matches!(e.kind, Kind::Tampered | Kind::Erased) => Ok(None),
            Err(e) => Err(e),
        }
    }
}

#[async_trait]
impl Caches for SealedState {
    async fn phrase(&self, hash: &str, token: &str) -> Result<Spoken> {
        self.inner.phrase(hash, token).await
    }

    async fn audio(&self, hash: &str) -> Result<Option<Bytes>> {
        match self.inner.audio(hash).await? {
            Some(stored) => self.open_audio(hash, stored).await,
            None => Ok(None),
        }
    }

    async fn keep_audio(&self, hash: &str, audio: Bytes, now: Timestamp) -> Result<bool> {
        self.inner.keep_audio(hash, audio, now).await
    }

    async fn keep_private(&self, call: &CallId, hash: &str, audio: Bytes) -> Result<()> {
        if self.ciphers.is_off() {
            return self.inner.keep_private(call, hash, audio).await;
        }
        let cipher = self.ciphers.current(call).await?;
        let sealed = cipher.seal(&Place::redis(&self.keys.audio(hash), hash, "audio"), &audio)?;
        self.audit.note(Note::new("audio.keep").store("state").call(call).named("private audio").bytes(sealed.len() as u64)).await?;
        let stored = [PRIVATE, call.as_str().as_bytes(), b"\n", cipher.wrap().as_bytes(), b"\n", &sealed].concat();
        self.inner.keep_private(call, hash, stored.into()).await
    }

    async fn drop_claim(&self, hash: &str, token: &str) -> Result<()> {
        self.inner.drop_claim(hash, token).await
    }

    async fn profile(&self, user: &UserToken) -> Result<Option<String>> {
        let Some(stored) = self.inner.profile(user).await? else { return Ok(None) };
        if self.ciphers.is_off() {
            return Ok(Some(stored));
        }
        let key = self.keys.profile(user);
        match self.ciphers.vault().open(user, &Place::redis(&key, "profile", "value"), &stored).await {
            Ok(bytes) => String::from_utf8(bytes).map(Some).map_err(|_| Error::internal("a sealed profile is no text")),
            // The record has it still, or it is gone for good.
            Err(e) if matches!(e.kind, Kind::Tampered | Kind::Erased) => Ok(None),
            Err(e) => Err(e),
        }
    }

    async fn keep_profile(&self, user: &UserToken, profile: Option<&str>) -> Result<()> {
        match profile {
            Some(profile) if !self.ciphers.is_off() => {
                let key = self.keys.profile(user);
                let sealed = self.ciphers.vault().seal(user, &Place::redis(&key, "profile", "value"), profile.as_bytes()).await?;
                self.inner.keep_profile(user, Some(&sealed)).await
            }
            other => self.inner.keep_profile(user, other).await,
        }
    }
}
