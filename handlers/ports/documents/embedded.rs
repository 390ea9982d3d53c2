//! Documents in the embedded SQLite file.
//!
//! Owns the tables `documents` and `documents_version`. Each method is one transaction; a version is never given
//! twice, also not to a document that was removed and written again. Fails with `BadInput` like every backend, and
//! with `Unavailable` where the file itself fails.

use async_trait::async_trait;
use rusqlite::{OptionalExtension as _, Transaction, params};
use serde_json::Value;

use super::body::{self, Sound};
use super::{Condition, Container, Document, Documents, Page, Put};
use crate::error::{Error, Result};
use crate::ports::embedded::{Embedded, failure};

/// SQLite compares TEXT bytewise by default, which is the order that the contract asks for.
const SCHEMA: &str = "
CREATE TABLE IF NOT EXISTS documents (
    container TEXT NOT NULL,
    partition TEXT NOT NULL,
    id TEXT NOT NULL,
    body TEXT NOT NULL,
    etag TEXT NOT NULL,
    PRIMARY KEY (container, partition, id)
) STRICT;
CREATE TABLE IF NOT EXISTS documents_version (one INTEGER PRIMARY KEY CHECK (one = 1), last INTEGER NOT NULL) STRICT;
INSERT OR IGNORE INTO documents_version (one, last) VALUES (1, 0);
";

/// Documents in the embedded file; clones share it.
#[derive(Debug, Clone)]
pub struct EmbeddedDocuments {
    file: Embedded,
}

impl EmbeddedDocuments {
    /// Opens the documents of a file, creating their tables where needed.
    pub fn open(embedded: Embedded) -> Result<Self> {
        embedded.prepare(SCHEMA)?;
        Ok(Self { file: embedded })
    }
}

#[async_trait]
impl Documents for EmbeddedDocuments {
    async fn get(&self, container: Container, partition: &str, id: &str) -> Result<Option<Document>> {
        let (partition, id) = (partition.to_owned(), id.to_owned());
        let row = self
            .file
            .read(move |tx| {
                tx.query_row(
                    "SELECT body, etag FROM documents WHERE container = ?1 AND partition = ?2 AND id = ?3",
                    params![container.name(), partition, id],
                    |row| Ok((row.get::<_, String>(0)?, row.get::<_, String>(1)?)),
                )
                .optional()
                .map_err(failure)
            })
            .await?;
        row.map(|(text, etag)| document(&text, etag)).transpose()
    }

    async fn put(&self, container: Container, body: &Value, condition: Condition<'_>) -> Result<Put> {
        let sound = body::sound(container, body)?;
        let expected = match condition {
            Condition::Always => Expected::Anything,
            Condition::Absent => Expected::Nothing,
            Condition::Matches(etag) => Expected::Version(etag.to_owned()),
        };
        self.file.write(move |tx| put(tx, container, &sound, &expected)).await
    }

    async fn delete(&self, container: Container, partition: &str, id: &str, etag: Option<&str>) -> Result<bool> {
        let (partition, id, etag) = (partition.to_owned(), id.to_owned(), etag.map(str::to_owned));
        self.file
            .write(move |tx| {
                let removed = tx
                    .execute(
                        "DELETE FROM documents WHERE container = ?1 AND partition = ?2 AND id = ?3 AND (?4 IS NULL OR etag = ?4)",
                        params![container.name(), partition, id, etag],
                    )
                    .map_err(failure)?;
                Ok(removed == 1)
            })
            .await
    }

    async fn list(&self, container: Container, partition: &str, id_prefix: &str, from: Option<&str>, limit: usize) -> Result<Page> {
        body::check_limit(limit)?;
        let (partition, prefix, after) = (partition.to_owned(), id_prefix.to_owned(), from.unwrap_or_default().to_owned());
        self.file.read(move |tx| list(tx, container, &partition, &prefix, &after, limit)).await
    }

    async fn scan(&self, container: Container, from: Option<&str>, limit: usize) -> Result<Page> {
        body::check_limit(limit)?;
        let after = match from {
            Some(cursor) => Some(serde_json::from_str::<(String, String)>(cursor).map_err(|_| body::no_cursor())?),
            None => None,
        };
        self.file.read(move |tx| scan(tx, container, after, limit)).await
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

fn put(tx: &Transaction<'_>, container: Container, sound: &Sound, expected: &Expected) -> Result<Put> {
    let key = params![container.name(), sound.partition, sound.id];
    let stored: Option<String> =
        tx.query_row("SELECT etag FROM documents WHERE container = ?1 AND partition = ?2 AND id = ?3", key, |row| row.get(0)).optional().map_err(failure)?;
    let holds = match expected {
        Expected::Anything => true,
        Expected::Nothing => stored.is_none(),
        Expected::Version(etag) => stored.as_ref() == Some(etag),
    };
    if !holds {
        return Ok(Put::Conflict);
    }
    let version: i64 = tx.query_row("UPDATE documents_version SET last = last + 1 RETURNING last", [], |row| row.get(0)).map_err(failure)?;
    // Quoted as Cosmos DB does it, so that a version can stand in an ETag header as it is.
    let etag = format!("\"{version:016x}\"");
    tx.execute(
        "INSERT INTO documents (container, partition, id, body, etag) VALUES (?1, ?2, ?3, ?4, ?5)
         ON CONFLICT (container, partition, id) DO UPDATE SET body = excluded.body, etag = excluded.etag",
        params![container.name(), sound.partition, sound.id, sound.text, etag],
    )
    .map_err(failure)?;
    Ok(Put::Done(etag))
}

fn list(tx: &Transaction<'_>, container: Container, partition: &str, prefix: &str, after: &str, limit: usize) -> Result<Page> {
    // Ids with one prefix stand together in bytewise order: the walk starts at the prefix and ends behind it.
    let mut statement = tx
        .prepare_cached("SELECT id, body, etag FROM documents WHERE container = ?1 AND partition = ?2 AND id >= ?3 AND id > ?4 ORDER BY id")
        .map_err(failure)?;
    let mut rows = statement.query(params![container.name(), partition, prefix, after]).map_err(failure)?;
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
        documents.push(document(&text, row.get(2).map_err(failure)?)?);
    }
    Ok(Page { documents, next: None })
}

fn scan(tx: &Transaction<'_>, container: Container, after: Option<(String, String)>, limit: usize) -> Result<Page> {
    let begins = after.is_none();
    let (partition, id) = after.unwrap_or_default();
    let mut statement = tx
        .prepare_cached(
            "SELECT partition, id, body, etag FROM documents WHERE container = ?1 AND (?2 OR (partition, id) > (?3, ?4)) ORDER BY partition, id LIMIT ?5",
        )
        .map_err(failure)?;
    // One more than asked for shows whether more follow; the limit is at most 1000.
    let mut rows = statement.query(params![container.name(), begins, partition, id, limit as i64 + 1]).map_err(failure)?;
    let (mut documents, mut bytes, mut last) = (Vec::new(), 0, None);
    while let Some(row) = rows.next().map_err(failure)? {
        if documents.len() == limit || bytes >= body::PAGE_BYTES {
            let next = last.as_ref().map(serde_json::to_string).transpose().map_err(Error::internal)?;
            return Ok(Page { documents, next });
        }
        let text: String = row.get(2).map_err(failure)?;
        bytes += text.len();
        documents.push(document(&text, row.get(3).map_err(failure)?)?);
        last = Some((row.get::<_, String>(0).map_err(failure)?, row.get::<_, String>(1).map_err(failure)?));
    }
    Ok(Page { documents, next: None })
}

fn document(text: &str, etag: String) -> Result<Document> {
    let body = serde_json::from_str(text).map_err(Error::internal)?;
    Ok(Document { body, etag })
}
