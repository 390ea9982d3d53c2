//! The one SQLite file behind all embedded backends: opening it, and running work on it.
//!
//! Writes are durable when they return (WAL, `synchronous=FULL`), one at a time on one connection; those that wait meanwhile
//! are made durable together by `writer`. Reads see all that was durable when they began, on connections of their own, and
//! wait for no write. All off the async threads; other processes (the local host beside its child) may share the file.

mod writer;

use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, TryLockError};
use std::time::Duration;

use rusqlite::{Connection, Transaction};

use self::writer::Writer;
use crate::error::{Error, Kind, Result};

/// How long a write waits for another process that holds the file.
const BUSY: Duration = Duration::from_secs(5);
/// How often it looks. SQLite's own handler sleeps ever longer, and a process that writes without pause then starves the
/// other: the local host could not deliver while turns were taken.
const LOOK: Duration = Duration::from_micros(200);

/// Connections that only read.
const READERS: usize = 2;
/// Statements that each connection keeps ready. All backends together have fewer than 150; with rusqlite's usual 16 every
/// turn parsed nearly all of its own again.
const STATEMENTS: usize = 256;

/// A handle to the file; clones share the connections.
#[derive(Clone)]
pub struct Embedded {
    path: Arc<Path>,
    writer: Arc<Writer>,
    readers: Arc<[Mutex<Connection>; READERS]>,
}

impl std::fmt::Debug for Embedded {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Embedded")
    }
}

impl Embedded {
    /// Opens the file, creating it and its folder (readable by the owner alone) where needed.
    pub fn open(path: &Path) -> Result<Self> {
        let failed = |e: &dyn std::fmt::Display| {
            Error::new(
                Kind::Setting,
                format!("EMBEDDED_PATH must be a file that can be created and written, for example EMBEDDED_PATH=.rtvoice/rtvoice.db ({e})"),
            )
        };
        if let Some(folder) = path.parent().filter(|f| !f.as_os_str().is_empty()) {
            create_private(folder).map_err(|e| failed(&e))?;
        }
        let writer = connect(path).map_err(|e| failed(&e))?;
        // The first connection has made the file what it is: the others find it so.
        let reader = || {
            let connection = connect(path)?;
            connection.pragma_update(None, "query_only", true)?;
            Ok(Mutex::new(connection))
        };
        let readers = [reader().map_err(|e: rusqlite::Error| failed(&e))?, reader().map_err(|e: rusqlite::Error| failed(&e))?];
        Ok(Self { path: path.into(), writer: Arc::new(Writer::new(writer)), readers: Arc::new(readers) })
    }

    /// Where the file is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Creates the tables of one backend; each statement must be `IF NOT EXISTS`.
    pub fn prepare(&self, schema: &str) -> Result<()> {
        self.writer.connection().execute_batch(schema).map_err(failure)
    }

    /// Runs `work` as one immediate transaction: it is committed when `work` succeeds and leaves no trace when it fails.
    pub async fn write<T, F>(&self, work: F) -> Result<T>
    where
        T: Send + 'static,
        F: FnOnce(&Transaction<'_>) -> Result<T> + Send + 'static,
    {
        self.writer.write(work).await
    }

    /// Runs `work`, which only reads, on one consistent snapshot.
    pub async fn read<T, F>(&self, work: F) -> Result<T>
    where
        T: Send + 'static,
        F: FnOnce(&Transaction<'_>) -> Result<T> + Send + 'static,
    {
        let readers = Arc::clone(&self.readers);
        off_thread(move || snapshot(&mut free(&readers), work)).await
    }

    /// Runs `work`, which only reads, on the connection that writes: SQLite tells it of the commits of other processes alone.
    pub async fn read_as_writer<T, F>(&self, work: F) -> Result<T>
    where
        T: Send + 'static,
        F: FnOnce(&Transaction<'_>) -> Result<T> + Send + 'static,
    {
        let writer = Arc::clone(&self.writer);
        off_thread(move || snapshot(&mut writer.connection(), work)).await
    }
}

fn connect(path: &Path) -> rusqlite::Result<Connection> {
    let mut connection = Connection::open(path)?;
    connection.set_prepared_statement_cache_capacity(STATEMENTS);
    connection.busy_handler(Some(wait))?;
    connection.pragma_update(None, "journal_mode", "WAL")?;
    connection.pragma_update(None, "synchronous", "FULL")?;
    // What was deleted is overwritten, not left in free pages; what SQLite sets aside stays out of other files.
    connection.pragma_update(None, "secure_delete", true)?;
    connection.pragma_update(None, "temp_store", "MEMORY")?;
    connection.pragma_update(None, "foreign_keys", true)?;
    Ok(connection)
}

async fn off_thread<T: Send + 'static>(job: impl FnOnce() -> Result<T> + Send + 'static) -> Result<T> {
    tokio::task::spawn_blocking(job).await.map_err(Error::internal)?
}

fn snapshot<T>(connection: &mut Connection, work: impl FnOnce(&Transaction<'_>) -> Result<T>) -> Result<T> {
    let tx = connection.transaction().map_err(failure)?;
    work(&tx)
}

/// A reader that is free now, else the last one once it is. After a panic a connection is as good as before: its transaction
/// was rolled back.
fn free(readers: &[Mutex<Connection>; READERS]) -> MutexGuard<'_, Connection> {
    let [others @ .., last] = readers;
    for reader in others {
        match reader.try_lock() {
            Ok(reader) => return reader,
            Err(TryLockError::Poisoned(poisoned)) => return poisoned.into_inner(),
            Err(TryLockError::WouldBlock) => {}
        }
    }
    last.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Waits for the file; false once the patience is at its end.
fn wait(looks: i32) -> bool {
    std::thread::sleep(LOOK);
    // At most 25,000 looks.
    LOOK * u32::try_from(looks).unwrap_or(u32::MAX) < BUSY
}

/// A failure of the file itself: worth another try (locked, full disk), never the caller's fault.
pub fn failure(e: rusqlite::Error) -> Error {
    Error::unavailable("the embedded store", e)
}

/// Makes a folder that its owner alone may read.
#[cfg(unix)]
pub(super) fn create_private(folder: &Path) -> std::io::Result<()> {
    use std::os::unix::fs::DirBuilderExt as _;
    std::fs::DirBuilder::new().recursive(true).mode(0o700).create(folder)
}

/// Makes a folder.
#[cfg(not(unix))]
pub(super) fn create_private(folder: &Path) -> std::io::Result<()> {
    std::fs::create_dir_all(folder)
}
