//! Documents in the embedded SQLite file.
//!
//! Owns the tables `documents` and `documents_version`. Each method is one transaction; a version is never given
//! twice, also not to a document that was removed and written again. What has outlived its `ttl` is treated as absent
//! everywhere and removed in small batches by whoever writes next. Fails with `BadInput` like every backend, and
//! with `Unavailable` where the file itself fails.

use std::sync::Arc;

use async_trait::async_trait;
use rusqlite::{OptionalExtension as _, Transaction, params};
use serde_json::Value;

use super::body::{self, Sound};
use super::{Condition, Container, Document, Documents, Page, Put, Written};
use crate::error::{Error, Result};
use crate::model::time::Timestamp;
use crate::ports::clock::Clock;
use crate::ports::embedded::{Embedded, failure};

/// SQLite compares TEXT bytewise by default, which is the order that the contract asks for.
const SCHEMA: &str = "
CREATE TABLE IF NOT EXISTS documents (
    container TEXT NOT NULL,
    partition TEXT NOT NULL,
    id TEXT NOT NULL,
    body TEXT NOT NULL,
    etag TEXT NOT NULL,
    written_at INTEGER NOT NULL DEFAULT 0,
    expires_at INTEGER,
    PRIMARY KEY (container, partition, id)
) STRICT;
CREATE TABLE IF NOT EXISTS documents_version (one INTEGER PRIMARY KEY CHECK (one = 1), last INTEGER NOT NULL) STRICT;
INSERT OR IGNORE INTO documents_version (one, last) VALUES (1, 0);
";

/// What a file of before needs, whose table has no expiry.
const UPGRADE: &str = "
ALTER TABLE documents ADD COLUMN written_at INTEGER NOT NULL DEFAULT 0;
ALTER TABLE documents ADD COLUMN expires_at INTEGER;
";

const INDEX: &str = "CREATE INDEX IF NOT EXISTS documents_by_expiry ON documents (expires_at) WHERE expires_at IS NOT NULL;";

/// Expired documents that one write removes at most.
const PURGE: i64 = 8;

/// Documents in the embedded file; clones share it.
#[derive(Clone)]
pub struct EmbeddedDocuments {
    file: Embedded,
    clock: Arc<dyn Clock>,
}

impl std::fmt::Debug for EmbeddedDocuments {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("EmbeddedDocuments")
    }
}

impl EmbeddedDocuments {
    /// Opens the documents of a file, creating their tables where needed.
    pub fn open(embedded: Embedded, clock: Arc<dyn Clock>) -> Result<Self> {
        embedded.prepare(SCHEMA)?;
        if embedded.prepare("SELECT expires_at FROM documents LIMIT 0").is_err() {
            embedded.prepare(UPGRADE)?;
        }
        embedded.prepare(INDEX)?;
        Ok(Self { file: embedded, clock })
    }

    async fn write(&self, container: Container, row: Row, expected: Expected) -> Result<Put> {
        let clock = Arc::clone(&self.clock);
        self.file
            .write(move |tx| {
                // The time is taken inside: the write may have waited for another one.
                let now = clock.now();
                purge(tx, now)?;
                put(tx, container, &row, &expected, now)
            })
            .await
    }
}

#[async_trait]
impl Documents for EmbeddedDocuments {
    async fn get(&self, container: Container, partition: &str, id: &str) -> Result<Option<Document>> {
        let (partition, id, now) = (partition.to_owned(), id.to_owned(), self.clock.now().millis());
        let row = self
            .file
            .read(move |tx| {
                tx.query_row(
                    "SELECT body, etag, written_at FROM documents
                     WHERE container = ?1 AND partition = ?2 AND id = ?3 AND (expires_at IS NULL OR expires_at > ?4)",
                    params![container.name(), partition, id, now],
                    |row| Ok((row.get::<_, String>(0)?, row.get::<_, String>(1)?, row.get(2)?)),
                )
                .optional()
                .map_err(failure)
            })
            .await?;
        row.map(|(text, etag, written)| document(&text, etag, written)).transpose()
    }

    async fn put(&self, container: Container, body: &Value, condition: Condition<'_>) -> Result<Put> {
        let Sound { id, partition, body, text } = body::sound(container, body)?;
        let row = Row { id, partition, ttl: body.get("ttl").and_then(Value::as_i64).filter(|ttl| *ttl > 0), text };
        let expected = match condition {
            Condition::Always => Expected::Anything,
            Condition::Absent => Expected::Nothing,
            Condition::Matches(etag) => Expected::Version(etag.to_owned()),
        };
        self.write(container, row, expected).await
    }

    async fn insert(&self, container: Container, document: &Written) -> Result<Put> {
        body::check_written(document)?;
        let Written { id, partition, ttl, json } = document.clone();
        self.write(container, Row { id, partition, ttl: ttl.filter(|ttl| *ttl > 0), text: Box::<str>::from(json).into() }, Expected::Nothing).await
    }

    async fn delete(&self, container: Container, partition: &str, id: &str, etag: Option<&str>) -> Result<bool> {
        let (partition, id, etag) = (partition.to_owned(), id.to_owned(), etag.map(str::to_owned));
        let clock = Arc::clone(&self.clock);
        self.file
            .write(move |tx| {
                purge(tx, clock.now())?;
                let removed = tx
                    .execute(
                        "DELETE FROM documents
                         WHERE container = ?1 AND partition = ?2 AND id = ?3 AND (?4 IS NULL OR etag = ?4) AND (expires_at IS NULL OR expires_at > ?5)",
                        params![container.name(), partition, id, etag, clock.now().millis()],
                    )
                    .map_err(failure)?;
                Ok(removed == 1)
            })
            .await
    }

    async fn list(&self, container: Container, partition: &str, id_prefix: &str, from: Option<&str>, limit: usize) -> Result<Page> {
        body::check_limit(limit)?;
        let (partition, prefix, after) = (partition.to_owned(), id_prefix.to_owned(), from.unwrap_or_default().to_owned());
        let now = self.clock.now();
        self.file.read(move |tx| list(tx, container, &partition, &prefix, &after, limit, now)).await
    }

    async fn scan(&self, container: Container, from: Option<&str>, limit: usize) -> Result<Page> {
        body::check_limit(limit)?;
        let after = match from {
            Some(cursor) => Some(serde_json::from_str::<(String, String)>(cursor).map_err(|_| body::no_cursor())?),
            None => None,
        };
        let now = self.clock.now();
        self.file.read(move |tx| scan(tx, container, after, limit, now)).await
    }

    async fn check(&self) -> Result<()> {
        self.file.read(|tx| tx.query_row("SELECT last FROM documents_version", [], |row| row.get::<_, i64>(0)).map(drop).map_err(failure)).await
    }
}

/// What must be stored for a write to happen.
enum Expected {
    Anything,
    Nothing,
    Version(String),
}

/// Removes a few expired documents.
fn purge(tx: &Transaction<'_>, now: Timestamp) -> Result<()> {
    let sql = "DELETE FROM documents WHERE rowid IN (SELECT rowid FROM documents WHERE expires_at <= ?1 ORDER BY expires_at LIMIT ?2)";
    tx.prepare_cached(sql).and_then(|mut purge| purge.execute(params![now.millis(), PURGE])).map(drop).map_err(failure)
}

/// A document as it is written.
struct Row {
    id: String,
    partition: String,
    /// Seconds that it lives.
    ttl: Option<i64>,
    /// Its body.
    text: String,
}

fn put(tx: &Transaction<'_>, container: Container, row: &Row, expected: &Expected, now: Timestamp) -> Result<Put> {
    let key = params![container.name(), row.partition, row.id, now.millis()];
    let sql = "SELECT etag FROM documents WHERE container = ?1 AND partition = ?2 AND id = ?3 AND (expires_at IS NULL OR expires_at > ?4)";
    let stored: Option<String> = tx.prepare_cached(sql).and_then(|mut look| look.query_row(key, |row| row.get(0)).optional()).map_err(failure)?;
    let holds = match expected {
        Expected::Anything => true,
        Expected::Nothing => stored.is_none(),
        Expected::Version(etag) => stored.as_ref() == Some(etag),
    };
    if !holds {
        return Ok(Put::Conflict);
    }
    let next = tx.prepare_cached("UPDATE documents_version SET last = last + 1 RETURNING last");
    let version: i64 = next.and_then(|mut next| next.query_row([], |row| row.get(0))).map_err(failure)?;
    // Quoted as Cosmos DB does it, so that a version can stand in an ETag header as it is.
    let etag = format!("\"{version:016x}\"");
    let expires_at = row.ttl.map(|ttl| now.plus_millis(ttl.saturating_mul(1000)).millis());
    let sql = "INSERT INTO documents (container, partition, id, body, etag, written_at, expires_at) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)
         ON CONFLICT (container, partition, id) DO UPDATE
         SET body = excluded.body, etag = excluded.etag, written_at = excluded.written_at, expires_at = excluded.expires_at";
    let values = params![container.name(), row.partition, row.id, row.text, etag, now.millis(), expires_at];
    tx.prepare_cached(sql).and_then(|mut write| write.execute(values)).map_err(failure)?;
    Ok(Put::Done(etag))
}

fn list(tx: &Transaction<'_>, container: Container, partition: &str, prefix: &str, after: &str, limit: usize, now: Timestamp) -> Result<Page> {
    // Ids with one prefix stand together in bytewise order: the walk starts at the prefix and ends behind it.
    let mut statement = tx
        .prepare_cached(
            "SELECT id, body, etag, written_at FROM documents
             WHERE container = ?1 AND partition = ?2 AND id >= ?3 AND id > ?4 AND (expires_at IS NULL OR expires_at > ?5) ORDER BY id",
        )
        .map_err(failure)?;
    let mut rows = statement.query(params![container.name(), partition, prefix, after, now.millis()]).map_err(failure)?;
    let (mut documents, mut bytes) = (Vec::new(), 0);
    while let Some(row) = rows.next().map_err(failure)? {
        let id: String = row.get(0).map_err(failure)?;
        if !id.starts_with(prefix) {
            break;
        }
        if documents.len() == limit || bytes >= body::PAGE_BYTES {
            return Ok(Page { next: body::next_of(&documents, true), documents });
        }
        let text: String = row.get(1).map_err(failure)?;
        bytes += text.len();
        documents.push(document(&text, row.get(2).map_err(failure)?, row.get(3).map_err(failure)?)?);
    }
    Ok(Page { documents, next: None })
}

fn scan(tx: &Transaction<'_>, container: Container, after: Option<(String, String)>, limit: usize, now: Timestamp) -> Result<Page> {
    let begins = after.is_none();
    let (partition, id) = after.unwrap_or_default();
    let mut statement = tx
        .prepare_cached(
            "SELECT partition, id, body, etag, written_at FROM documents
             WHERE container = ?1 AND (?2 OR (partition, id) > (?3, ?4)) AND (expires_at IS NULL OR expires_at > ?6) ORDER BY partition, id LIMIT ?5",
        )
        .map_err(failure)?;
    // One more than asked for shows whether more follow; the limit is at most 1000.
    let mut rows = statement.query(params![container.name(), begins, partition, id, limit as i64 + 1, now.millis()]).map_err(failure)?;
    let (mut documents, mut bytes, mut last) = (Vec::new(), 0, None);
    while let Some(row) = rows.next().map_err(failure)? {
        if documents.len() == limit || bytes >= body::PAGE_BYTES {
            let next = last.as_ref().map(serde_json::to_string).transpose().map_err(Error::internal)?;
            return Ok(Page { documents, next });
        }
        let text: String = row.get(2).map_err(failure)?;
        bytes += text.len();
        documents.push(document(&text, row.get(3).map_err(failure)?, row.get(4).map_err(failure)?)?);
        last = Some((row.get::<_, String>(0).map_err(failure)?, row.get::<_, String>(1).map_err(failure)?));
    }
    Ok(Page { documents, next: None })
}

fn document(text: &str, etag: String, written_at: i64) -> Result<Document> {
    let body = serde_json::from_str(text).map_err(Error::internal)?;
    Ok(Document { body, etag, written_at: Timestamp::from_millis(written_at) })
}
