//! The permanent record: documents in containers, each container split by a partition key.
//!
//! The unit is one conditional write of one document. A reader sees whole documents; a writer names the version
//! that it replaces and learns when it lost. Documents are JSON objects with a string `id` and the partition key's
//! field inside.

use async_trait::async_trait;
use serde_json::Value;
use serde_json::value::RawValue;

use crate::error::Result;
use crate::model::time::Timestamp;

mod body;
pub mod cosmos;
pub mod embedded;
pub mod retained;

/// The containers of the record.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Container {
    /// Archived calls: header, pages and turns not yet archived; by `callConnectionId`.
    Transcripts,
    /// User profiles; by `user`.
    Profiles,
    /// One document per call with its figures; by `day`.
    Analytics,
    /// Messages that could not be read; by `day`.
    DeadLetters,
    /// Wrapped keys: of an epoch, of a user, of the tokens; by `user`.
    Keys,
    /// Erasures with their fences; by `user`.
    Erasures,
    /// The hash-chained audit log and its signed heads; by `stream`.
    Audit,
    /// The register of breaches; by `id`.
    Breaches,
    /// One document per hour with the figures of all instances; by `day`.
    Metrics,
}

impl Container {
    /// All containers.
    pub const ALL: [Self; 9] =
        [Self::Transcripts, Self::Profiles, Self::Analytics, Self::DeadLetters, Self::Keys, Self::Erasures, Self::Audit, Self::Breaches, Self::Metrics];

    /// Name of the container.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Transcripts => "transcripts",
            Self::Profiles => "profiles",
            Self::Analytics => "analytics",
            Self::DeadLetters => "deadletters",
            Self::Keys => "keys",
            Self::Erasures => "erasures",
            Self::Audit => "audit",
            Self::Breaches => "breaches",
            Self::Metrics => "metrics",
        }
    }

    /// Whether its documents expire, so that the container must let them.
    pub const fn has_expiry(self) -> bool {
        !matches!(self, Self::Erasures | Self::Breaches)
    }

    /// The document field that holds the partition key.
    pub const fn partition_field(self) -> &'static str {
        match self {
            Self::Transcripts => "callConnectionId",
            Self::Profiles | Self::Keys | Self::Erasures => "user",
            Self::Analytics | Self::DeadLetters | Self::Metrics => "day",
            Self::Audit => "stream",
            Self::Breaches => "id",
        }
    }
}

/// A stored document with its version.
#[derive(Debug, Clone, PartialEq)]
pub struct Document {
    /// The document as it was written; fields that the store adds (beginning with `_`) are not in it.
    pub body: Value,
    /// Opaque version; changes with every write.
    pub etag: String,
    /// When this version was written, by the store's clock, to the second; its `ttl` counts from then.
    pub written_at: Timestamp,
}

/// When a write may happen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Condition<'a> {
    /// Always: insert or replace.
    Always,
    /// Only where no document has this id.
    Absent,
    /// Only while the stored version is this one.
    Matches(&'a str),
}

/// A document that its maker has written as JSON: many bytes, and none of them to be changed on the way.
#[derive(Debug, Clone)]
pub struct Written {
    /// Its `id`, as it stands in the JSON.
    pub id: String,
    /// The value of the container's partition field, likewise.
    pub partition: String,
    /// Its `ttl` in seconds, likewise; none where it stays.
    pub ttl: Option<i64>,
    /// A JSON object.
    pub json: Box<RawValue>,
}

/// What became of a conditional write.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Put {
    /// Written; the new version.
    Done(String),
    /// The condition did not hold; nothing was written.
    Conflict,
}

/// One page of a listing or a scan.
#[derive(Debug, Clone, Default)]
pub struct Page {
    /// Documents: of a listing in the order of their ids, of a scan in no order that means anything.
    pub documents: Vec<Document>,
    /// Where to go on; none at the end.
    pub next: Option<String>,
}

/// A store of documents. A document with a whole number above 0 as `ttl` is gone that many seconds after it was written:
/// it is not read, listed or in the way of a write any more (the emulator of the vendor's SDK keeps it). Every method has a deadline of 2 s per request inside and answers `Unavailable`,
/// `Throttled` (with `retry_after`) or `Denied` where the store does not serve.
#[async_trait]
pub trait Documents: Send + Sync + 'static {
    /// Reads one document. None where it does not exist.
    async fn get(&self, container: Container, partition: &str, id: &str) -> Result<Option<Document>>;

    /// Writes one document whole, under the condition. `body` must be an object with a string `id` of 1 to 255
    /// characters and the container's partition field, at most 2 MiB as JSON (`BadInput`, nothing written, where not).
    async fn put(&self, container: Container, body: &Value, condition: Condition<'_>) -> Result<Put>;

    /// Writes a document that is not there yet, as its maker wrote it: under a signature that covers its expiry. The limits are those
    /// of [`Documents::put`].
    async fn insert(&self, container: Container, document: &Written) -> Result<Put>;

    /// Removes one document, if `etag` is given only while it matches. True where it was removed by this call;
    /// false where it was not there or another version stood there.
    async fn delete(&self, container: Container, partition: &str, id: &str, etag: Option<&str>) -> Result<bool>;

    /// Lists the documents of one partition whose id begins with `id_prefix`, in order of id, at most `limit` (1 to
    /// 1000) a page; `from` is the `next` of the page before. Nothing is left out or doubled over the pages.
    async fn list(&self, container: Container, partition: &str, id_prefix: &str, from: Option<&str>, limit: usize) -> Result<Page>;

    /// Walks over all documents of a container, whatever their partition, at most `limit` (1 to 1000) a page; `from` is
    /// the `next` of the page before, opaque, and good on the same container only (`BadInput` where it is none). A page
    /// may hold fewer, even none, while `next` says that more follow. What stands during the whole walk comes exactly
    /// once; what is written or removed meanwhile may come or not.
    async fn scan(&self, container: Container, from: Option<&str>, limit: usize) -> Result<Page>;

    /// Checks that the store answers and that every container exists (in dev and test they are created); at start.
    async fn check(&self) -> Result<()>;
}
