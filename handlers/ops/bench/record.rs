//! Documents that note what is asked of them: which operations, of what size, and what they would cost on Cosmos DB.
//!
//! Request units are an estimate by the published rules of thumb (a read of 1 KB takes 1, a write about 5, each further
//! started KB as much again; a query is taken for 3 and 1 for each KB found): what the account really charges stands in its
//! answers, which no offline run has.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use serde_json::Value;

use crate::error::{Error, Result};
use crate::ports::documents::{Condition, Container, Document, Documents, Page, Put, Written};

/// One operation on the record.
#[derive(Debug, Clone)]
pub(super) enum Operation {
    /// A read of one document.
    Get(Container, String, String, usize),
    /// A write.
    Put(Container, Value, usize),
    /// A removal.
    Delete(Container, String, String),
    /// A listing or a walk, with the bytes that it found.
    List(Container, String, String, usize),
}

fn units(bytes: usize) -> f64 {
    bytes.div_ceil(1024).max(1) as f64
}

impl Operation {
    /// What it would cost.
    pub(super) fn request_units(&self) -> f64 {
        match self {
            Self::Get(.., bytes) => units(*bytes),
            Self::Put(.., bytes) => 5.0 * units(*bytes),
            Self::Delete(..) => 5.0,
            Self::List(.., bytes) => 3.0 + if *bytes == 0 { 0.0 } else { units(*bytes) },
        }
    }
}

/// The store with a notebook before it.
pub(super) struct Recorded {
    inner: Arc<dyn Documents>,
    notes: Arc<Notes>,
}

/// The notebook.
#[derive(Default)]
pub(super) struct Notes {
    operations: Mutex<Vec<Operation>>,
    stored: Mutex<BTreeMap<(&'static str, String), usize>>,
}

impl Notes {
    fn note(&self, operation: Operation) {
        self.operations.lock().unwrap_or_else(PoisonError::into_inner).push(operation);
    }

    /// What was asked since the last look.
    pub(super) fn take(&self) -> Vec<Operation> {
        std::mem::take(&mut self.operations.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Bytes of the documents that are there now, by container.
    pub(super) fn stored(&self) -> BTreeMap<String, u64> {
        let mut bytes = BTreeMap::new();
        for ((container, _), size) in self.stored.lock().unwrap_or_else(PoisonError::into_inner).iter() {
            *bytes.entry((*container).to_owned()).or_default() += *size as u64;
        }
        bytes
    }
}

impl Recorded {
    /// A notebook before these documents.
    pub(super) fn before(inner: Arc<dyn Documents>) -> (Arc<dyn Documents>, Arc<Notes>) {
        let notes = Arc::new(Notes::default());
        (Arc::new(Self { inner, notes: Arc::clone(&notes) }), notes)
    }
}

fn name(partition: &str, id: &str) -> String {
    format!("{partition}/{id}")
}

fn size(body: &Value) -> usize {
    body.to_string().len()
}

fn found(page: &Page) -> usize {
    page.documents.iter().map(|document| size(&document.body)).sum()
}

#[async_trait]
impl Documents for Recorded {
    async fn get(&self, container: Container, partition: &str, id: &str) -> Result<Option<Document>> {
        let document = self.inner.get(container, partition, id).await?;
        self.notes.note(Operation::Get(container, partition.to_owned(), id.to_owned(), document.as_ref().map_or(0, |d| size(&d.body))));
        Ok(document)
    }

    async fn put(&self, container: Container, body: &Value, condition: Condition<'_>) -> Result<Put> {
        let put = self.inner.put(container, body, condition).await?;
        let bytes = size(body);
        if matches!(put, Put::Done(_)) {
            let text = |field: &str| body[field].as_str().unwrap_or_default();
            let key = (container.name(), name(text(container.partition_field()), text("id")));
            self.notes.stored.lock().unwrap_or_else(PoisonError::into_inner).insert(key, bytes);
        }
        self.notes.note(Operation::Put(container, body.clone(), bytes));
        Ok(put)
    }

    async fn insert(&self, container: Container, document: &Written) -> Result<Put> {
        let put = self.inner.insert(container, document).await?;
        let bytes = document.json.get().len();
        if matches!(put, Put::Done(_)) {
            let key = (container.name(), name(&document.partition, &document.id));
            self.notes.stored.lock().unwrap_or_else(PoisonError::into_inner).insert(key, bytes);
        }
        let body = serde_json::from_str(document.json.get()).map_err(Error::internal)?;
        self.notes.note(Operation::Put(container, body, bytes));
        Ok(put)
    }

    async fn delete(&self, container: Container, partition: &str, id: &str, etag: Option<&str>) -> Result<bool> {
        let gone = self.inner.delete(container, partition, id, etag).await?;
        if gone {
            self.notes.stored.lock().unwrap_or_else(PoisonError::into_inner).remove(&(container.name(), name(partition, id)));
        }
        self.notes.note(Operation::Delete(container, partition.to_owned(), id.to_owned()));
        Ok(gone)
    }

    async fn list(&self, container: Container, partition: &str, id_prefix: &str, from: Option<&str>, limit: usize) -> Result<Page> {
        let page = self.inner.list(container, partition, id_prefix, from, limit).await?;
        self.notes.note(Operation::List(container, partition.to_owned(), id_prefix.to_owned(), found(&page)));
        Ok(page)
    }

    async fn scan(&self, container: Container, from: Option<&str>, limit: usize) -> Result<Page> {
        let page = self.inner.scan(container, from, limit).await?;
        self.notes.note(Operation::List(container, String::new(), String::new(), found(&page)));
        Ok(page)
    }

    async fn check(&self) -> Result<()> {
        self.inner.check().await
    }
}

/// Does the same operations on another store, without conditions.
pub(super) async fn repeat(operations: &[Operation], on: &dyn Documents) -> Result<()> {
    for operation in operations {
        match operation {
            Operation::Get(container, partition, id, _) => drop(on.get(*container, partition, id).await?),
            Operation::Put(container, body, _) => drop(on.put(*container, body, Condition::Always).await?),
            Operation::Delete(container, partition, id) => drop(on.delete(*container, partition, id, None).await?),
            Operation::List(container, partition, prefix, _) => drop(on.list(*container, partition, prefix, None, 100).await?),
        }
    }
    Ok(())
}
