//! The root key in a file of this machine, for development: AES-256-GCM, several versions, readable by its owner alone.
//!
//! `{"versions":[{"kid":"file-…","key":"base64","created":"…"}]}`; the last version is the current one. The file is made on
//! first use. Whoever changes it holds the lock beside it (`.lock`) and replaces it whole, so that processes that start at
//! once agree and a reader never sees half of it. `Setting` where the file is not ours, or others may read it.

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use super::{KeyWrapper, Wrapped};
use crate::error::{Error, Kind, Result};
use crate::model::time::Timestamp;
use crate::ports::clock::Clock;
use crate::privacy::crypto::Key;

/// Longest wait for the lock.
const PATIENCE: Duration = Duration::from_secs(2);
/// Pause between two looks at the lock.
const LOOK: Duration = Duration::from_millis(5);
/// The file has a few hundred bytes a version.
const LARGEST: u64 = 1 << 20;

/// The keys of a file.
#[derive(Clone)]
pub struct FileKeys {
    path: PathBuf,
    clock: Arc<dyn Clock>,
}

#[derive(Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Contents {
    versions: Vec<Version>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Version {
    kid: String,
    key: Zeroizing<String>,
    created: Timestamp,
}

impl FileKeys {
    /// Keys of this file; nothing is read or written yet.
    pub fn new(path: PathBuf, clock: Arc<dyn Clock>) -> Self {
        Self { path, clock }
    }

    /// Runs work on the file off the async threads.
    async fn work<T: Send + 'static>(&self, work: impl FnOnce(&Self) -> Result<T> + Send + 'static) -> Result<T> {
        let this = self.clone();
        tokio::task::spawn_blocking(move || work(&this)).await.map_err(Error::internal)?
    }

    /// The current version's `kid` and key, of a new file where there is none.
    fn newest(&self) -> Result<(String, Key)> {
        let contents = match self.read()? {
            Some(contents) => contents,
            None => self.change(|contents| if contents.versions.is_empty() { self.add(contents) } else { Ok(()) })?,
        };
        let version = contents.versions.last().ok_or_else(|| self.unfit("it holds no key"))?;
        Ok((version.kid.clone(), self.key(version)?))
    }

    fn read(&self) -> Result<Option<Contents>> {
        let text = match std::fs::File::open(&self.path) {
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => return Ok(None),
            opened => opened.and_then(|file| private_text(&file)).map_err(|e| self.unfit(e))?,
        };
        // An error of serde would quote the file.
        serde_json::from_str(&text).map(Some).map_err(|e| self.unfit(format!("not in the form that rtvoice writes, line {}", e.line())))
    }

    fn key(&self, version: &Version) -> Result<Key> {
        let bytes = Zeroizing::new(STANDARD.decode(version.key.as_bytes()).unwrap_or_default());
        Key::from_slice(&bytes).ok_or_else(|| self.unfit(format!("the key of {} is not 32 bytes in base64", version.kid)))
    }

    fn add(&self, contents: &mut Contents) -> Result<()> {
        let key = Key::random()?;
        let kid = format!("file-{}", self.clock.new_id());
        contents.versions.push(Version { kid, key: Zeroizing::new(STANDARD.encode(key.bytes())), created: self.clock.now() });
        Ok(())
    }

    /// Changes the file whole while nobody else does; what is in it now.
    fn change(&self, change: impl FnOnce(&mut Contents) -> Result<()>) -> Result<Contents> {
        let folder = self.path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
        let failed = |e: std::io::Error| Error::new(Kind::Setting, "KEYS_PATH must name a file that can be written, for example keys.json").because(e);
        std::fs::create_dir_all(folder).map_err(failed)?;
        let lock = private(std::fs::OpenOptions::new().create(true).truncate(false).write(true)).open(self.beside(".lock")).map_err(failed)?;
        locked(&lock)?;
        let mut contents = self.read()?.unwrap_or_default();
        change(&mut contents)?;
        // Room for all of it: text that grew would leave copies behind.
        let mut text = Zeroizing::new(Vec::with_capacity(1024 * (1 + contents.versions.len())));
        serde_json::to_writer_pretty(&mut *text, &contents).map_err(Error::internal)?;
        let fresh = self.beside(".new");
        let write = || {
            // Left over where a process died between writing and renaming; we hold the lock.
            if let Err(e) = std::fs::remove_file(&fresh)
                && e.kind() != std::io::ErrorKind::NotFound
            {
                return Err(e);
            }
            let mut file = private(std::fs::OpenOptions::new().create_new(true).write(true)).open(&fresh)?;
            file.write_all(&text)?;
            file.sync_all()?;
            std::fs::rename(&fresh, &self.path)?;
            std::fs::File::open(folder)?.sync_all()
        };
        write().map_err(failed)?;
        Ok(contents)
    }

    fn beside(&self, ending: &str) -> PathBuf {
        let mut name = self.path.clone().into_os_string();
        name.push(ending);
        name.into()
    }

    fn unfit(&self, reason: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Error {
        Error::new(Kind::Setting, "KEYS_PATH must name a file of keys that rtvoice made and its owner alone may read (mode 0600)").because(reason)
    }
}

fn locked(lock: &std::fs::File) -> Result<()> {
    let mut waited = Duration::ZERO;
    while let Err(e) = lock.try_lock() {
        match e {
            std::fs::TryLockError::WouldBlock if waited < PATIENCE => std::thread::sleep(LOOK),
            std::fs::TryLockError::WouldBlock => return Err(Error::deadline("the lock of KEYS_PATH", PATIENCE)),
            std::fs::TryLockError::Error(e) => return Err(Error::unavailable("the lock of KEYS_PATH", e)),
        }
        waited += LOOK;
    }
    Ok(())
}

/// The text of a file that nobody else may read.
fn private_text(file: &std::fs::File) -> std::io::Result<Zeroizing<String>> {
    use std::io::Read as _;
    let about = file.metadata()?;
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        let mode = about.permissions().mode() & 0o777;
        if mode & 0o077 != 0 {
            return Err(std::io::Error::other(format!("its mode is {mode:o}")));
        }
    }
    if !about.is_file() || about.len() > LARGEST {
        return Err(std::io::Error::other("not a file of at most 1 MiB"));
    }
    // Room for all of it: text that grew would leave copies behind.
    let mut text = Zeroizing::new(String::with_capacity(usize::try_from(about.len()).unwrap_or_default() + 1));
    file.take(LARGEST).read_to_string(&mut text)?;
    Ok(text)
}

#[cfg(unix)]
fn private(options: &mut std::fs::OpenOptions) -> &mut std::fs::OpenOptions {
    use std::os::unix::fs::OpenOptionsExt as _;
    options.mode(0o600)
}

#[cfg(not(unix))]
fn private(options: &mut std::fs::OpenOptions) -> &mut std::fs::OpenOptions {
    options
}

#[async_trait]
impl KeyWrapper for FileKeys {
    async fn wrap(&self, key: &[u8]) -> Result<Wrapped> {
        let key = Zeroizing::new(key.to_vec());
        self.work(move |this| {
            let (kid, root) = this.newest()?;
            Ok(Wrapped { bytes: root.wrap(kid.as_bytes(), &key)?, kid })
        })
        .await
    }

    async fn unwrap(&self, kid: &str, wrapped: &[u8]) -> Result<Zeroizing<Vec<u8>>> {
        let (kid, wrapped) = (kid.to_owned(), wrapped.to_vec());
        self.work(move |this| {
            let contents = this.read()?.unwrap_or_default();
            let missing = || Error::new(Kind::Setting, "KEYS_PATH must name the file that wrapped the keys of this record").because(format!("no {kid} in it"));
            let version = contents.versions.iter().find(|v| v.kid == kid).ok_or_else(missing)?;
            let foreign = || Error::new(Kind::Tampered, "a wrapped key is not what was stored there");
            this.key(version)?.unwrap(kid.as_bytes(), &wrapped).ok_or_else(foreign)
        })
        .await
    }

    async fn current(&self) -> Result<String> {
        self.work(|this| this.newest().map(|(kid, _)| kid)).await
    }

    async fn made_at(&self) -> Result<Option<Timestamp>> {
        self.work(|this| Ok(this.read()?.and_then(|contents| contents.versions.last().map(|version| version.created)))).await
    }

    async fn rotate(&self) -> Result<String> {
        self.work(|this| {
            let contents = this.change(|contents| this.add(contents))?;
            contents.versions.last().map(|v| v.kid.clone()).ok_or_else(|| this.unfit("it holds no key"))
        })
        .await
    }

    async fn retire(&self, kid: &str) -> Result<bool> {
        let kid = kid.to_owned();
        self.work(move |this| {
            let mut retired = false;
            this.change(|contents| {
                if contents.versions.last().is_some_and(|v| v.kid == kid) {
                    return Err(Error::new(Kind::Conflict, "the current version of the root key cannot be retired"));
                }
                let before = contents.versions.len();
                contents.versions.retain(|v| v.kid != kid);
                retired = contents.versions.len() < before;
                Ok(())
            })?;
            Ok(retired)
        })
        .await
    }
}
