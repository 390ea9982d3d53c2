//! Cached audio and profile copies on the embedded file.
//!
//! A phrase's key holds its audio as a value, or for 4 s a claim as a field. The index holds `{hash}:{bytes}` by the
//! time at which the audio expires.

use async_trait::async_trait;
use bytes::Bytes;

use super::table::Life;
use super::{EmbeddedState, Step};
use crate::error::{Error, Result};
use crate::model::ids::{CallId, UserToken};
use crate::model::time::Timestamp;
use crate::ports::state::keys::TtlPolicy;
use crate::ports::state::{Caches, Spoken};

/// How long a claim to synthesise holds.
const CLAIM_MS: i64 = 4000;
/// Field of a claim's token.
const CLAIM: &str = "claim";
/// Largest audio that is cached, in bytes.
const MAX_AUDIO: usize = 4 << 20;

#[async_trait]
impl Caches for EmbeddedState {
    async fn phrase(&self, hash: &str, token: &str) -> Result<Spoken> {
        let (hash, token) = (hash.to_owned(), token.to_owned());
        // Nearly always it is there: then the turn waits for no other write.
        let sought = hash.clone();
        if self.read(move |step| step.table.has_value(&step.rules.keys.audio(&sought))).await? {
            return Ok(Spoken::Cached);
        }
        self.write(move |step| {
            let key = step.rules.keys.audio(&hash);
            if step.table.has_value(&key)? {
                return Ok(Spoken::Cached);
            }
            match step.table.field(&key, CLAIM)? {
                Some(holder) if holder != token => Ok(Spoken::Awaited),
                Some(_) => Ok(Spoken::Yours),
                None => {
                    let claim = step.table.open(&key, Life::Anew(CLAIM_MS))?;
                    step.table.set(claim, CLAIM, &token)?;
                    Ok(Spoken::Yours)
                }
            }
        })
        .await
    }

    async fn audio(&self, hash: &str) -> Result<Option<Bytes>> {
        let hash = hash.to_owned();
        self.read(move |step| Ok(step.table.value(&step.rules.keys.audio(&hash))?.map(Bytes::from))).await
    }

    async fn keep_audio(&self, hash: &str, audio: Bytes, now: Timestamp) -> Result<bool> {
        let hash = hash.to_owned();
        self.write(move |step| step.keep_audio(&hash, &audio, now)).await
    }

    async fn keep_private(&self, _call: &CallId, hash: &str, audio: Bytes) -> Result<()> {
        let hash = hash.to_owned();
        self.write(move |step| step.table.set_value(&step.rules.keys.audio(&hash), &audio, step.anew(TtlPolicy::PrivateAudio))).await
    }

    async fn drop_claim(&self, hash: &str, token: &str) -> Result<()> {
        let (hash, token) = (hash.to_owned(), token.to_owned());
        self.write(move |step| {
            let key = step.rules.keys.audio(&hash);
            if step.table.field(&key, CLAIM)? == Some(token) { step.table.remove(&key) } else { Ok(()) }
        })
        .await
    }

    async fn profile(&self, user: &UserToken) -> Result<Option<String>> {
        let user = user.clone();
        self.read(move |step| {
            let bytes = step.table.value(&step.rules.keys.profile(&user))?;
            bytes.map(|bytes| String::from_utf8(bytes).map_err(Error::internal)).transpose()
        })
        .await
    }

    async fn keep_profile(&self, user: &UserToken, profile: Option<&str>) -> Result<()> {
        let (user, profile) = (user.clone(), profile.map(str::to_owned));
        self.write(move |step| {
            let key = step.rules.keys.profile(&user);
            match profile {
                Some(profile) => step.table.set_value(&key, profile.as_bytes(), step.anew(TtlPolicy::ProfileCache)),
                None => step.table.remove(&key),
            }
        })
        .await
    }
}

impl Step<'_> {
    fn keep_audio(&self, hash: &str, audio: &Bytes, now: Timestamp) -> Result<bool> {
        let (key, index) = (self.rules.keys.audio(hash), self.rules.keys.audio_index());
        self.table.take_out_up_to(&index, now.millis())?;
        let mut taken = 0;
        let mut replaced = None;
        for (member, _) in self.table.members(&index, 0, u64::MAX)? {
            match member.split_once(':') {
                Some((other, _)) if other == hash => replaced = Some(member),
                Some((_, bytes)) => taken += bytes.parse::<u64>().unwrap_or(0),
                None => {}
            }
        }
        let bytes = u64::try_from(audio.len()).unwrap_or(u64::MAX);
        if audio.len() > MAX_AUDIO || bytes.saturating_add(taken) > self.rules.tts_max_bytes {
            if self.table.field(&key, CLAIM)?.is_some() {
                self.table.remove(&key)?;
            }
            return Ok(false);
        }
        if let Some(member) = replaced {
            self.table.take_out(&index, &member)?;
        }
        let life = self.anew(TtlPolicy::TtsCache);
        self.table.set_value(&key, audio, life)?;
        let id = self.table.open(&index, life)?;
        self.table.add(id, &format!("{hash}:{bytes}"), now.plus_millis(self.millis(TtlPolicy::TtsCache)).millis())?;
        Ok(true)
    }
}
