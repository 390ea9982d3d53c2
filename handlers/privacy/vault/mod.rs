//! The vault: whose key seals what. Root key, epoch keys, user keys, call keys, and the index key of the tokens.
//!
//! In: subjects (tokens), calls and places. Out: ciphers, envelopes and tokens. Wrapped keys lie in the container `keys`; in
//! memory they are kept for minutes, in bounded caches. `Erased` where a key is gone, `Tampered` (a security event) where a
//! value is not what was sealed; where the container is out of reach, keys in memory go on serving past their time, since an
//! erasure needs that container too.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use zeroize::Zeroizing;

use self::epochs::Epochs;
use self::index::Index;
use self::kept::Kept;
use self::names::Names;
use self::stored::Stored;
use self::users::Users;
use super::cipher::{self, CallCipher};
use super::crypto::Key;
use super::envelope::{Algorithm, Header, Place};
use super::refused::Refusals;
use crate::config::Environment;
use crate::error::{Error, Kind, Result};
use crate::model::ids::{CallId, UserId, UserToken};
use crate::ports::clock::Clock;
use crate::ports::documents::Documents;
use crate::ports::root_key::KeyWrapper;

mod calls;
mod epochs;
mod index;
mod kept;
mod names;
mod reseal;
mod rotate;
mod status;
mod stored;
mod users;

pub use calls::{WrappedBy, wrapped_by};
pub use reseal::Resealed;
pub use rotate::{EpochRotation, RootRotation};
pub use status::{EpochStatus, KeyProbe, KeyStatus, RootedStatus};

/// How long keys stay in memory.
#[derive(Debug, Clone, Copy)]
pub struct Lives {
    /// Epoch keys and the index key: what the root key is asked for.
    pub epoch: Duration,
    /// User keys; an erasure is complete in every process after this time.
    pub user: Duration,
    /// Call ciphers.
    pub call: Duration,
    /// How long user keys and call ciphers may serve where their source is out of reach.
    pub stale: Duration,
    /// The same for epoch keys and the index key.
    pub epoch_stale: Duration,
    /// How long a rotation waits before it puts a version of the root key out of use: no process can then be about to store
    /// what that wrapped (asking the root key and storing have 2 s each).
    pub settle: Duration,
}

impl Default for Lives {
    fn default() -> Self {
        let minutes = |n: u64| Duration::from_secs(n * 60);
        Self { epoch: minutes(15), user: minutes(5), call: minutes(5), stale: minutes(120), epoch_stale: minutes(24 * 60), settle: Duration::from_secs(10) }
    }
}

/// Most user keys, and most call ciphers, in memory.
const ENTRIES: u64 = 10_000;

/// The keys of one environment; share it.
pub struct Vault {
    keys: Option<Keys>,
    refused: Arc<Refusals>,
    /// The index key, and the key of phrases that was derived from it: every turn wants it.
    phrase: Mutex<Option<(Key, Key)>>,
    names: Names,
}

/// What sealing takes; absent while privacy is off.
struct Keys {
    environment: Arc<str>,
    lives: Lives,
    stored: Stored,
    index: Index,
    epochs: Epochs,
    users: Users,
    calls: Kept<(CallId, String), Arc<CallCipher>>,
}

impl std::fmt::Debug for Vault {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(if self.keys.is_some() { "Vault" } else { "Vault(off)" })
    }
}

impl Vault {
    /// A vault on this record and this root key. Nothing is asked for yet.
    pub fn new(documents: Arc<dyn Documents>, root: Arc<dyn KeyWrapper>, clock: Arc<dyn Clock>, environment: Environment) -> Self {
        Self::with_lives(documents, root, clock, environment, Lives::default())
    }

    /// The same with other times in memory.
    pub fn with_lives(documents: Arc<dyn Documents>, root: Arc<dyn KeyWrapper>, clock: Arc<dyn Clock>, environment: Environment, lives: Lives) -> Self {
        let environment: Arc<str> = environment.as_str().into();
        let stored = Stored::new(documents, root, clock);
        let epochs = Epochs::new(stored.clone(), lives);
        let keys = Keys {
            index: Index::new(stored.clone(), lives),
            users: Users::new(stored.clone(), epochs.clone(), Arc::clone(&environment), lives),
            epochs,
            calls: Kept::new(ENTRIES, lives.call, lives.stale),
            environment,
            lives,
            stored,
        };
        Self { keys: Some(keys), refused: Arc::default(), phrase: Mutex::default(), names: Names::default() }
    }

    /// A vault that seals nothing, for measurements: values pass through behind a zero byte (`e0.` in text), tokens are hashes
    /// under no secret (`u0-`, `c0-`), and there is nothing to shred. `Setting` where production's rules hold (`guarded`).
    pub fn off(guarded: bool) -> Result<Self> {
        if guarded {
            return Err(Error::new(Kind::Setting, "PRIVACY must not be off in prod, in staging and in Azure"));
        }
        Ok(Self { keys: None, refused: Arc::default(), phrase: Mutex::default(), names: Names::default() })
    }

    /// True where values pass through unsealed.
    pub fn is_off(&self) -> bool {
        self.keys.is_none()
    }

    /// Has the index key and this week's epoch in memory, so that no caller waits for the root key. Fails as those who ask for
    /// them would.
    pub async fn check(&self) -> Result<()> {
        self.index_key().await?;
        match &self.keys {
            Some(keys) => keys.epochs.current().await.map(drop).map_err(|e| self.noted(e, "epochs")),
            None => Ok(()),
        }
    }

    /// What was refused so far: for whoever watches for breaches.
    pub fn refused(&self) -> &Arc<Refusals> {
        &self.refused
    }

    /// The token of a user. A user id that was made of a phone number has the number's token: one person, one token.
    pub async fn user_token(&self, id: &UserId) -> Result<UserToken> {
        match id.phone_digits() {
            Some(digits) => self.phone_token(digits).await,
            None => self.token('u', "user", id.as_str()).await,
        }
    }

    /// The token of a caller's number: 3 to 15 digits of E.164, with or without `+`. `BadInput` names `phoneNumber`.
    pub async fn phone_token(&self, digits: &str) -> Result<UserToken> {
        let digits = digits.strip_prefix('+').unwrap_or(digits);
        if !crate::model::ids::is_number(digits) {
            return Err(Error::input("phoneNumber", "must be 3 to 15 digits in international form"));
        }
        self.token('u', "phone", digits).await
    }

    /// The token of a call whose user is not known: a subject like any other.
    pub async fn call_token(&self, call: &CallId) -> Result<UserToken> {
        self.token('c', "call", call.as_str()).await
    }

    /// The key of keyed phrase hashes: 32 bytes.
    pub async fn phrase_key(&self) -> Result<Key> {
        let index = self.index_key().await?;
        let derived = self.phrase.lock().unwrap_or_else(PoisonError::into_inner).clone();
        if let Some((_, key)) = derived.filter(|(from, _)| from.bytes() == index.bytes()) {
            return Ok(key);
        }
        let key = index.derive(&[], b"rtvoice/1 phrase")?;
        *self.phrase.lock().unwrap_or_else(PoisonError::into_inner) = Some((index, key.clone()));
        Ok(key)
    }

    /// The secret of the audit log: 32 bytes.
    pub async fn audit_key(&self) -> Result<Zeroizing<Vec<u8>>> {
        let key = self.index_key().await?.derive(&[], b"rtvoice/1 audit")?;
        Ok(Zeroizing::new(key.bytes().to_vec()))
    }

    /// A keyed fingerprint, 32 lower-case hexadecimal digits: equal for equal texts, and saying nothing of them.
    pub async fn fingerprint(&self, text: &str) -> Result<String> {
        Ok(index::token(&self.index_key().await?, "fingerprint", text))
    }

    async fn token(&self, sort: char, domain: &str, name: &str) -> Result<UserToken> {
        UserToken::parse(format!("{sort}{}-{}", self.version(), index::token(&self.index_key().await?, domain, name)))
    }

    /// The version in tokens.
    fn version(&self) -> u32 {
        if self.is_off() { 0 } else { index::VERSION }
    }

    async fn index_key(&self) -> Result<Key> {
        let key = match &self.keys {
            Some(keys) => keys.index.key().await.map_err(|e| self.noted(e, "index"))?,
            None => Key::from_slice(&[0; super::crypto::KEY]).ok_or_else(|| Error::internal("a key of the wrong size"))?,
        };
        self.names.learn(&key);
        Ok(key)
    }

    /// Counts a stored key that is not what was stored as a security event.
    fn noted(&self, e: Error, whose: &str) -> Error {
        if e.kind == Kind::Tampered { self.refused.refuse("keys", "wrapped", whose) } else { e }
    }

    /// Seals a value of a subject for its place, as text (`e1.`). The subject's key is made on first use.
    pub async fn seal(&self, subject: &UserToken, place: &Place<'_>, plain: &[u8]) -> Result<String> {
        self.seal_bytes(subject, place, plain).await.map(|bytes| cipher::text(&bytes))
    }

    /// [`Vault::seal`] as bytes: 38 more than the value.
    pub async fn seal_bytes(&self, subject: &UserToken, place: &Place<'_>, plain: &[u8]) -> Result<Vec<u8>> {
        let Some(keys) = &self.keys else { return Ok(cipher::clear(plain)) };
        let (version, key) = keys.users.current(subject).await.map_err(|e| self.noted(e, subject.as_str()))?;
        cipher::seal_value(&key, version, &keys.environment, subject.as_str(), place, plain)
    }

    /// Opens what [`Vault::seal`] made. `Erased` where the subject's key is gone, `Tampered` where the value is not what was
    /// sealed for this subject at this place.
    pub async fn open(&self, subject: &UserToken, place: &Place<'_>, text: &str) -> Result<Vec<u8>> {
        self.open_bytes(subject, place, &cipher::untext(text).unwrap_or_default()).await
    }

    /// Opens what [`Vault::seal_bytes`] made.
    pub async fn open_bytes(&self, subject: &UserToken, place: &Place<'_>, envelope: &[u8]) -> Result<Vec<u8>> {
        let Some(keys) = &self.keys else { return cipher::unclear(envelope) };
        let refuse = || self.refused.refuse(place.store.name(), place.field, subject.as_str());
        let (header, sealed) = Header::parse(envelope).filter(|(header, _)| header.algorithm == Algorithm::PerValue).ok_or_else(refuse)?;
        let key = keys.users.version(subject, header.key_version).await.map_err(|e| if e.kind == Kind::Tampered { refuse() } else { e })?;
        cipher::open_value(&key, &header, &keys.environment, subject.as_str(), place, sealed).ok_or_else(refuse)
    }

    /// Destroys the keys of a subject, and with them everything that is sealed under them: here at once, in other processes
    /// within [`Lives::user`]. The number of keys destroyed; 0 where it had none.
    pub async fn shred(&self, subject: &UserToken) -> Result<u64> {
        let Some(keys) = &self.keys else { return Ok(0) };
        let destroyed = keys.users.destroy(subject).await;
        // Also after a failure: some may be gone, and the others will be.
        self.forget(subject).await?;
        destroyed
    }

    /// Makes a new version of a subject's key, which seals from now on: here at once, elsewhere within [`Lives::user`]. What the
    /// older versions sealed stays readable. The new version. `NotFound` for a subject without any key.
    pub async fn rotate_user(&self, subject: &UserToken) -> Result<u32> {
        match &self.keys {
            Some(keys) => keys.users.rotate(subject).await,
            None => Ok(0),
        }
    }

    /// Forgets what is in memory of a subject; it is read anew where it is still there.
    pub async fn forget(&self, subject: &UserToken) -> Result<()> {
        let Some(keys) = &self.keys else { return Ok(()) };
        keys.users.forget(subject).await;
        let scope = calls::user_scope(subject);
        keys.calls.forget_all(move |(_, wrap)| wrap.starts_with(&scope))
    }
}
