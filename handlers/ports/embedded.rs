//! The one SQLite file behind all embedded backends: opening it, and running work on it.
//!
//! Writes are durable when they return (WAL, `synchronous=FULL`). One connection, one piece of work at a time, off
//! the async threads; other processes (the local host beside its child) may share the file.

use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use rusqlite::{Connection, Transaction, TransactionBehavior};

use crate::error::{Error, Kind, Result};

/// How long a write waits for another process that holds the file.
const BUSY: Duration = Duration::from_secs(5);
/// How often it looks. SQLite's own handler sleeps ever longer, and a process that writes without pause then starves the
/// other: the local host could not deliver while turns were taken.
const LOOK: Duration = Duration::from_micros(200);

/// A handle to the file; clones share the connection.
#[derive(Clone)]
pub struct Embedded {
    connection: Arc<Mutex<Connection>>,
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
        let mut connection = Connection::open(path).map_err(|e| failed(&e))?;
        let prepared = connection.busy_handler(Some(wait)).and_then(|()| connection.pragma_update(None, "journal_mode", "WAL"));
        let prepared = prepared.and_then(|()| {
            connection.pragma_update(None, "synchronous", "FULL")?;
            // What was deleted is overwritten, not left in free pages.
            connection.pragma_update(None, "secure_delete", true)?;
            connection.pragma_update(None, "foreign_keys", true)
        });
        prepared.map_err(|e| failed(&e))?;
        Ok(Self { connection: Arc::new(Mutex::new(connection)) })
    }

    /// Creates the tables of one backend; each statement must be `IF NOT EXISTS`.
    pub fn prepare(&self, schema: &str) -> Result<()> {
        self.connection.lock().unwrap_or_else(PoisonError::into_inner).execute_batch(schema).map_err(failure)
    }

    /// Runs `work` in one immediate transaction: it commits when `work` succeeds and leaves no trace when it fails.
    pub async fn write<T, F>(&self, work: F) -> Result<T>
    where
        T: Send + 'static,
        F: FnOnce(&Transaction<'_>) -> Result<T> + Send + 'static,
    {
        self.run(move |connection| {
            let tx = connection.transaction_with_behavior(TransactionBehavior::Immediate).map_err(failure)?;
            let value = work(&tx)?;
            tx.commit().map_err(failure)?;
            Ok(value)
        })
        .await
    }

    /// Runs `work`, which only reads, on one consistent snapshot.
    pub async fn read<T, F>(&self, work: F) -> Result<T>
    where
        T: Send + 'static,
        F: FnOnce(&Transaction<'_>) -> Result<T> + Send + 'static,
    {
        self.run(move |connection| {
            let tx = connection.transaction().map_err(failure)?;
            work(&tx)
        })
        .await
    }

    async fn run<T, F>(&self, work: F) -> Result<T>
    where
        T: Send + 'static,
        F: FnOnce(&mut Connection) -> Result<T> + Send + 'static,
    {
        let connection = Arc::clone(&self.connection);
        let job = move || work(&mut connection.lock().unwrap_or_else(PoisonError::into_inner));
        tokio::task::spawn_blocking(job).await.map_err(Error::internal)?
    }
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

#[cfg(unix)]
fn create_private(folder: &Path) -> std::io::Result<()> {
    use std::os::unix::fs::DirBuilderExt as _;
    std::fs::DirBuilder::new().recursive(true).mode(0o700).create(folder)
}

#[cfg(not(unix))]
fn create_private(folder: &Path) -> std::io::Result<()> {
    std::fs::create_dir_all(folder)
}
