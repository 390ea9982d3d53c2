//! Calls of earlier generations behind the seals: masked, which they were not, and sealed when they are taken over. Their old
//! keys hold them in clear until they go, within 24 hours.

use async_trait::async_trait;
use serde_json::Value;

use super::values::SEALED;
use super::{SealedState, TRIES, overtaken};
use crate::config::StorePii;
use crate::error::Result;
use crate::model::conversation::Words;
use crate::model::ids::CallId;
use crate::model::legacy::{LegacyCall, LegacyRaw};
use crate::model::time::Timestamp;
use crate::ports::state::keys::CallKey;
use crate::ports::state::legacy::{EXTRA, Imported, Legacy, ScanCursor, Scanned};
use crate::privacy::cipher::CallCipher;
use crate::privacy::detect::{detect, mask};

impl SealedState {
    fn seal_legacy(&self, cipher: &CallCipher, legacy: &LegacyCall) -> Result<LegacyCall> {
        let mut sealed = legacy.clone();
        for entry in &mut sealed.entries {
            *entry = self.seal_entry(cipher, entry)?;
        }
        for (name, value) in &mut sealed.context {
            *value = self.seal_value(cipher, CallKey::Context, name, value)?;
        }
        let extra = Value::Object(std::mem::take(&mut sealed.extra)).to_string();
        sealed.extra.insert(SEALED.to_owned(), Value::String(self.seal_value(cipher, CallKey::Turns, EXTRA, &extra)?));
        sealed.key = Some(cipher.wrap().to_owned());
        Ok(sealed)
    }

    /// An entry of an earlier generation, which knew no masks.
    fn masked(&self, words: Words) -> Words {
        let mask_one = |text: &Option<String>| text.as_ref().map(|text| mask(text, &detect(text)));
        let (user, assistant) = (mask_one(&words.user), mask_one(&words.assistant));
        let keep = self.store_pii == StorePii::Encrypted;
        let said = words.user.filter(|said| keep && user.as_ref() != Some(said));
        let spoken = words.assistant.filter(|spoken| keep && assistant.as_ref() != Some(spoken));
        Words { user, assistant, said, spoken, private: false }
    }
}

#[async_trait]
impl Legacy for SealedState {
    async fn find(&self, call: &CallId) -> Result<Option<LegacyRaw>> {
        self.inner.find(call).await
    }

    async fn import(&self, call: &CallId, legacy: &LegacyCall, now: Timestamp) -> Result<Imported> {
        let mut legacy = legacy.clone();
        for user in [&mut legacy.user, &mut legacy.phone_user].into_iter().flatten() {
            *user = self.noted(user, call).await?;
        }
        if self.ciphers.is_off() {
            return self.inner.import(call, &legacy, now).await;
        }
        for entry in &mut legacy.entries {
            entry.words = self.masked(std::mem::take(&mut entry.words));
        }
        for _ in 0..TRIES {
            let cipher = self.ciphers.current(call).await?;
            match self.inner.import(call, &self.seal_legacy(&cipher, &legacy)?, now).await? {
                Imported::Rekey => self.take_key(call).await?,
                imported => return Ok(imported),
            }
        }
        Err(overtaken())
    }

    async fn mark_checked(&self, call: &CallId) -> Result<()> {
        self.inner.mark_checked(call).await
    }

    async fn retire(&self, keys: &[String]) -> Result<()> {
        self.inner.retire(keys).await
    }

    async fn scan(&self, cursor: ScanCursor) -> Result<Scanned> {
        self.inner.scan(cursor).await
    }
}
