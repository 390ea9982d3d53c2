//! Values of a call sealed and opened, and the cipher that does it.
//!
//! In: values in clear with their place. Out: envelopes, and back. What was moved, cut, replaced or sealed elsewhere is
//! refused and counted, and stops nothing: an entry comes back without its words (`source` is then `refused`), any other value
//! is left out, and a wrapped key that is refused is replaced.

use std::sync::Arc;

use super::{SealedState, overtaken};
use crate::error::{Error, Kind, Result};
use crate::model::call::{CallChange, Effect, field};
use crate::model::conversation::{AuthState, Entry, Loaded, REFUSED, TurnCommit, Words};
use crate::model::ids::{CallId, UserId};
use crate::ports::state::Persons as _;
use crate::ports::state::keys::CallKey;
use crate::ports::state::{OutboxEntry, Pending};
use crate::privacy::cipher::CallCipher;
use crate::privacy::envelope::Place;

/// Field of a legacy section that holds the rest of it, sealed.
pub(super) const SEALED: &str = "sealed";

impl SealedState {
    /// The cipher of a call that has a session; none where it has none, or holds nothing sealed.
    pub(super) async fn existing(&self, call: &CallId) -> Result<Option<Arc<CallCipher>>> {
        let wrap = match self.ciphers.known(call).await {
            Some(wrap) => Some(wrap),
            None => self.inner.facts(call).await?.and_then(|session| session.get(field::KEY).map(Arc::from)),
        };
        match wrap {
            Some(wrap) => self.cipher_of(call, &wrap).await.map(Some),
            None => Ok(None),
        }
    }

    /// The cipher of a stored wrap. One that is refused is replaced: by the one that this process remembers, else by that of a
    /// new key, under which what was sealed before stays refused. The call goes on either way.
    pub(super) async fn cipher_of(&self, call: &CallId, wrap: &str) -> Result<Arc<CallCipher>> {
        match self.ciphers.with(call, wrap).await {
            Err(e) if e.kind == Kind::Tampered => {}
            result => return result,
        }
        let remembered = match self.ciphers.known(call).await.filter(|known| **known != *wrap) {
            Some(known) => self.ciphers.vault().call(call, &known).await.ok(),
            None => None,
        };
        let sound = match remembered {
            Some(cipher) => cipher,
            None => self.ciphers.vault().new_call(call, None).await?,
        };
        if self.inner.rekey(call, wrap, sound.wrap()).await? {
            tracing::warn!(call_id = call.as_str(), "a refused key of a call was replaced");
            return self.ciphers.with(call, sound.wrap()).await;
        }
        // Another was faster; where the call is gone nothing is under any key.
        match self.inner.facts(call).await?.and_then(|session| session.get(field::KEY).map(str::to_owned)) {
            Some(theirs) if theirs != wrap => self.ciphers.with(call, &theirs).await,
            Some(_) => Err(overtaken()),
            None => Ok(sound),
        }
    }

    /// The cipher that opens what carries its wrap with it; none where the wrap is refused.
    async fn cipher_beside(&self, call: &CallId, wrap: &str) -> Result<Option<Arc<CallCipher>>> {
        match self.ciphers.vault().call(call, wrap).await {
            Ok(cipher) => Ok(Some(cipher)),
            Err(e) if e.kind == Kind::Tampered => Ok(None),
            Err(e) => Err(e),
        }
    }

    /// Opens a message of the outbox.
    pub(super) async fn open_message(&self, call: &CallId, message: &mut OutboxEntry) -> Result<()> {
        let Pending::Turn { entry, .. } = &mut message.pending else { return Ok(()) };
        if entry.sealed.is_none() {
            return Ok(());
        }
        let cipher = match &message.key {
            Some(wrap) => self.cipher_beside(call, wrap).await?,
            None => None,
        };
        *entry = match cipher {
            Some(cipher) => self.open_entry(&cipher, std::mem::take(entry))?,
            None => Entry { sealed: None, source: Some(REFUSED.to_owned()), ..std::mem::take(entry) },
        };
        Ok(())
    }

    /// Another instance was faster to open the call: its key is the call's.
    pub(super) async fn take_key(&self, call: &CallId) -> Result<()> {
        self.ciphers.forget(call).await;
        self.existing(call).await.map(drop)
    }

    pub(super) fn seal_entry(&self, cipher: &CallCipher, entry: &Entry) -> Result<Entry> {
        let key = self.keys.call(cipher.call(), CallKey::History);
        let field = words_field(entry.rev);
        let mut words = Vec::with_capacity(512);
        serde_json::to_writer(&mut words, &entry.words).map_err(Error::internal)?;
        let sealed = cipher.seal(&Place::redis(&key, &entry.turn_id, &field), &words)?;
        Ok(Entry {
            turn_id: entry.turn_id.clone(),
            at: entry.at,
            rev: entry.rev,
            words: Words::default(),
            sealed: Some(sealed),
            source: entry.source.clone(),
            language: entry.language.clone(),
            confidence: entry.confidence,
            trace_id: entry.trace_id.clone(),
        })
    }

    /// The entry with its words; without them where they are refused.
    pub(super) fn open_entry(&self, cipher: &CallCipher, mut entry: Entry) -> Result<Entry> {
        self.open_entries(cipher, std::slice::from_mut(&mut entry))?;
        Ok(entry)
    }

    /// The same for many.
    pub(super) fn open_entries<'a>(&self, cipher: &CallCipher, entries: impl IntoIterator<Item = &'a mut Entry>) -> Result<()> {
        let key = self.keys.call(cipher.call(), CallKey::History);
        entries.into_iter().try_for_each(|entry| open_entry(cipher, &key, entry))
    }

    pub(super) fn seal_value(&self, cipher: &CallCipher, key: CallKey, name: &str, value: &str) -> Result<String> {
        let key = self.keys.call(cipher.call(), key);
        cipher.seal_text(&Place::redis(&key, name, "value"), value.as_bytes())
    }

    /// A sealed value; none where it is refused. One that is not sealed is our own and passes.
    pub(super) fn open_value(&self, cipher: &CallCipher, key: CallKey, name: &str, value: String) -> Result<Option<String>> {
        if !is_sealed(&value) {
            return Ok(Some(value));
        }
        let key = self.keys.call(cipher.call(), key);
        match cipher.open_text(&Place::redis(&key, name, "value"), &value) {
            Ok(bytes) => String::from_utf8(bytes).map(Some).map_err(|_| Error::internal("a sealed value is no text")),
            Err(e) if e.kind == Kind::Tampered => Ok(None),
            Err(e) => Err(e),
        }
    }

    /// A value that may outlive the session: its wrap stands before it.
    pub(super) fn seal_alone(&self, cipher: &CallCipher, key: CallKey, name: &str, value: &str) -> Result<String> {
        Ok(format!("{} {}", cipher.wrap(), self.seal_value(cipher, key, name, value)?))
    }

    pub(super) async fn open_alone(&self, call: &CallId, key: CallKey, name: &str, value: String) -> Result<Option<String>> {
        match value.split_once(' ') {
            Some((wrap, sealed)) if is_sealed(sealed) => {
                let Some(cipher) = self.cipher_beside(call, wrap).await? else { return Ok(None) };
                self.open_value(&cipher, key, name, sealed.to_owned())
            }
            _ => Ok(Some(value)),
        }
    }

    pub(super) async fn open_auth(&self, call: &CallId, mut state: AuthState) -> Result<AuthState> {
        if let Some(subject) = state.subject.take() {
            state.subject = self.open_alone(call, CallKey::Auth, "subject", subject).await?;
        }
        Ok(state)
    }

    /// The token that stands for a user, noted as the call's before anything of them is kept.
    pub(super) async fn noted(&self, user: &UserId, call: &CallId) -> Result<UserId> {
        let token = self.ciphers.vault().user_token(user).await?;
        self.note_call(&token, call).await?;
        UserId::parse(token.as_str())
    }

    pub(super) async fn seal_change(&self, cipher: &CallCipher, change: &CallChange) -> Result<CallChange> {
        let mut sealed = change.clone();
        if let Effect::Participants { participants, .. } = &mut sealed.effect {
            *participants = self.seal_value(cipher, CallKey::Session, field::PARTICIPANTS, participants)?;
        }
        for (name, value) in sealed.fields.iter_mut().filter(|(name, _)| !field::CLEAR.contains(name)) {
            *value = self.seal_value(cipher, CallKey::Session, name, value)?;
        }
        sealed.key = Some(cipher.wrap().to_owned());
        Ok(sealed)
    }

    pub(super) fn seal_turn(&self, cipher: &CallCipher, turn: &TurnCommit) -> Result<TurnCommit> {
        let revisions = turn.revisions.iter().map(|(seq, entry)| Ok((*seq, self.seal_entry(cipher, entry)?))).collect::<Result<_>>()?;
        let mut patch = turn.patch.clone();
        for (name, value) in &mut patch.set {
            *value = self.seal_value(cipher, CallKey::Context, name, value)?;
        }
        let (entry, key) = (self.seal_entry(cipher, &turn.entry)?, Some(cipher.wrap().to_owned()));
        Ok(TurnCommit { call: turn.call.clone(), entry, revisions, patch, user: turn.user.clone(), key, now: turn.now })
    }

    pub(super) async fn open_loaded(&self, call: &CallId, mut loaded: Loaded) -> Result<Loaded> {
        if let Some(auth) = loaded.auth.take() {
            loaded.auth = Some(self.open_auth(call, auth).await?);
        }
        let Some(wrap) = &loaded.key else { return Ok(loaded) };
        let cipher = self.cipher_of(call, wrap).await?;
        self.open_entries(&cipher, &mut loaded.window.entries)?;
        if let Some((seq, entry)) = loaded.saved.take() {
            loaded.saved = Some((seq, self.open_entry(&cipher, entry)?));
        }
        for (name, value) in std::mem::take(&mut loaded.context) {
            if let Some(value) = self.open_value(&cipher, CallKey::Context, &name, value)? {
                loaded.context.insert(name, value);
            }
        }
        Ok(loaded)
    }
}

fn open_entry(cipher: &CallCipher, key: &str, entry: &mut Entry) -> Result<()> {
    let Some(sealed) = entry.sealed.take() else { return Ok(()) };
    let place = Place::redis(key, &entry.turn_id, "");
    // Nearly all are as they were said first.
    let opened = match entry.rev {
        0 => cipher.open_revision(&Place { field: FIRST, ..place }, 0, words_field, &sealed),
        rev => cipher.open_revision(&Place { field: &words_field(rev), ..place }, rev, words_field, &sealed),
    };
    match opened.and_then(|words| serde_json::from_slice(&words).map_err(|_| Error::internal("sealed words are not readable"))) {
        Ok(words) => entry.words = words,
        Err(e) if e.kind == Kind::Tampered => entry.source = Some(REFUSED.to_owned()),
        Err(e) => return Err(e),
    }
    Ok(())
}

/// [`words_field`] of the first revision.
const FIRST: &str = "words/0";

/// Which value the words of an entry are; the revision counts, so that an older one cannot stand in.
fn words_field(rev: u32) -> String {
    format!("words/{rev}")
}

fn is_sealed(value: &str) -> bool {
    value.starts_with("e1.")
}
