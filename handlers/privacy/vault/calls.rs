//! The keys of calls: 32 random bytes that are never stored bare. Their wrap travels with what they seal.
//!
//! `u:{token}:{version}:{base64url}` is wrapped by a subject's key, `c:{epoch}:{base64url}` by a key of the epoch for this call
//! alone, while nobody knows whose call it is. Both are bound to the call: a wrap of another call is refused.

use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::Serialize;

use super::kept::is_away;
use super::{Keys, Vault};
use crate::error::{Kind, Result};
use crate::model::ids::{CallId, UserToken};
use crate::privacy::cipher::CallCipher;
use crate::privacy::crypto::Key;
use crate::privacy::envelope::associated_key;

/// What the wraps under a subject's key begin with.
pub(super) fn user_scope(subject: &UserToken) -> String {
    format!("u:{subject}:")
}

/// Whose key wraps the key of a call.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum WrappedBy {
    /// A person's.
    User {
        /// Whose.
        token: UserToken,
        /// Which version: the minute since 1970 in which it was made.
        version: u32,
    },
    /// That of an epoch: nobody knows yet whose call it is.
    Epoch(String),
    /// Nobody's: this is no wrap that is known.
    Unknown,
}

/// Whose key wraps like this. Nothing is unwrapped.
pub fn wrapped_by(wrap: &str) -> WrappedBy {
    let scope = wrap.rsplit_once(':').map_or("", |(scope, _)| scope);
    match scope.split(':').collect::<Vec<_>>()[..] {
        ["c", epoch] if super::epochs::end(epoch).is_some() => WrappedBy::Epoch(epoch.to_owned()),
        ["u", token, version] => match (UserToken::parse(token), version.parse()) {
            (Ok(token), Ok(version)) => WrappedBy::User { token, version },
            _ => WrappedBy::Unknown,
        },
        _ => WrappedBy::Unknown,
    }
}

impl Vault {
    /// A new key for a call, wrapped by its subject's key. Without one, or where the subject's key cannot be had just now, it is
    /// wrapped for the call alone: [`CallCipher::subject`] says which, and [`Vault::rewrap`] changes it.
    pub async fn new_call(&self, call: &CallId, subject: Option<&UserToken>) -> Result<Arc<CallCipher>> {
        let Some(keys) = &self.keys else { return Ok(Arc::new(CallCipher::off(call.clone(), subject.cloned()))) };
        let key = Key::random()?;
        let cipher = match subject {
            Some(subject) => match self.wrapped_by_user(keys, call, &key, subject).await {
                Err(e) if is_away(&e) => self.wrapped_by_epoch(keys, call, &key).await?,
                wrapped => wrapped?,
            },
            None => self.wrapped_by_epoch(keys, call, &key).await?,
        };
        Ok(keep(keys, cipher).await)
    }

    /// The cipher of a call whose key is wrapped like this. `Erased` where the wrapping key is gone, `Tampered` where the wrap is
    /// not one of this call.
    pub async fn call(&self, call: &CallId, wrap: &str) -> Result<Arc<CallCipher>> {
        let Some(keys) = &self.keys else { return Ok(Arc::new(CallCipher::off(call.clone(), None))) };
        keys.calls.get(&(call.clone(), wrap.to_owned()), || self.unwrapped(keys, call, wrap)).await
    }

    /// The same key wrapped by a subject's, to be stored in place of the old wrap. What was sealed stays as it is.
    pub async fn rewrap(&self, cipher: &CallCipher, subject: &UserToken) -> Result<Arc<CallCipher>> {
        match (&self.keys, cipher.key()) {
            (Some(keys), Some(key)) => Ok(keep(keys, self.wrapped_by_user(keys, cipher.call(), key, subject).await?).await),
            _ => Ok(Arc::new(CallCipher::off(cipher.call().clone(), Some(subject.clone())))),
        }
    }

    async fn wrapped_by_user(&self, keys: &Keys, call: &CallId, key: &Key, subject: &UserToken) -> Result<CallCipher> {
        let (version, user) = keys.users.current(subject).await.map_err(|e| self.noted(e, subject.as_str()))?;
        let scope = format!("{}{version}", user_scope(subject));
        self.wrapped(keys, call, key, &user, &scope, Some(subject))
    }

    async fn wrapped_by_epoch(&self, keys: &Keys, call: &CallId, key: &Key) -> Result<CallCipher> {
        let epoch = keys.epochs.current().await.map_err(|e| self.noted(e, call.as_str()))?;
        self.wrapped(keys, call, key, &epoch.calls, &format!("c:{}", epoch.id), None)
    }

    fn wrapped(&self, keys: &Keys, call: &CallId, key: &Key, under: &Key, scope: &str, subject: Option<&UserToken>) -> Result<CallCipher> {
        let associated = associated_key(&keys.environment, "call", &[call.as_str(), scope]);
        let wrapped = under.derive(&[], &associated)?.wrap(&associated, key.bytes())?;
        let wrap = format!("{scope}:{}", URL_SAFE_NO_PAD.encode(wrapped));
        CallCipher::new(call.clone(), key.clone(), wrap, subject.cloned(), Arc::clone(&keys.environment), Arc::clone(&self.refused))
    }

    async fn unwrapped(&self, keys: &Keys, call: &CallId, wrap: &str) -> Result<Arc<CallCipher>> {
        let refuse = || self.refused.refuse("wrap", "key", call.as_str());
        let (scope, wrapped) = wrap.rsplit_once(':').ok_or_else(refuse)?;
        let wrapped = URL_SAFE_NO_PAD.decode(wrapped).map_err(|_| refuse())?;
        let (under, subject) = match wrapped_by(wrap) {
            WrappedBy::Epoch(epoch) => (keys.epochs.get(&epoch).await.map_err(|e| self.noted(e, call.as_str()))?.calls.clone(), None),
            WrappedBy::User { token: subject, version } => {
                let key = keys.users.version(&subject, version).await.map_err(|e| if e.kind == Kind::Tampered { refuse() } else { e })?;
                (key, Some(subject))
            }
            WrappedBy::Unknown => return Err(refuse()),
        };
        let associated = associated_key(&keys.environment, "call", &[call.as_str(), scope]);
        let key = under.derive(&[], &associated)?.unwrap(&associated, &wrapped).and_then(|key| Key::from_slice(&key)).ok_or_else(refuse)?;
        CallCipher::new(call.clone(), key, wrap.to_owned(), subject, Arc::clone(&keys.environment), Arc::clone(&self.refused)).map(Arc::new)
    }
}

async fn keep(keys: &Keys, cipher: CallCipher) -> Arc<CallCipher> {
    let cipher = Arc::new(cipher);
    keys.calls.put((cipher.call().clone(), cipher.wrap().to_owned()), Arc::clone(&cipher)).await;
    cipher
}
