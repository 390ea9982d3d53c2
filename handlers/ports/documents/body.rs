//! What every backend asks of a document before it writes one, and what it takes out after it read one.
//!
//! In: a body as the caller wrote it. Out: its id, its partition and the body without the fields that belong to the
//! store. `BadInput` names the field at fault; nothing has been written then.

use std::borrow::Cow;

use serde_json::Value;

use super::{Container, Document, Written};
use crate::error::{Error, Kind, Result};

/// Most characters of an id.
const ID_CHARS: usize = 255;

/// Most bytes of a body as JSON.
const BODY_BYTES: usize = 2 << 20;

/// Bytes of bodies after which a page of a listing ends early, as Cosmos DB ends its answers at 4 MB
/// (learn.microsoft.com/azure/cosmos-db/concepts-limits): a page of 1000 large documents must fit into memory.
pub(super) const PAGE_BYTES: usize = 4 << 20;

/// A body that may be written.
pub(super) struct Sound<'a> {
    /// Its `id`.
    pub id: String,
    /// The value of the container's partition field.
    pub partition: String,
    /// The body without the store's own fields.
    pub body: Cow<'a, Value>,
    /// The same as JSON.
    pub text: String,
}

/// Checks a body against the contract.
pub(super) fn sound(container: Container, body: &Value) -> Result<Sound<'_>> {
    let Value::Object(fields) = body else {
        return Err(Error::new(Kind::BadInput, "a document must be a JSON object"));
    };
    let id = fields.get("id").and_then(Value::as_str).filter(|id| is_id(id)).ok_or_else(no_id)?;
    let field = container.partition_field();
    let partition = fields.get(field).and_then(Value::as_str).ok_or_else(|| Error::input(field, format!("{field} must be a string")))?;
    let (id, partition) = (id.to_owned(), partition.to_owned());
    let stores = fields.keys().any(|name| name.starts_with('_'));
    let body = if stores { Cow::Owned(without_system_fields(body.clone())) } else { Cow::Borrowed(body) };
    let text = serde_json::to_string(&body).map_err(Error::internal)?;
    if text.len() > BODY_BYTES {
        return Err(too_large());
    }
    Ok(Sound { id, partition, body, text })
}

/// Checks what a document's maker has written.
pub(super) fn check_written(document: &Written) -> Result<()> {
    if !is_id(&document.id) {
        return Err(no_id());
    }
    if document.json.get().len() > BODY_BYTES {
        return Err(too_large());
    }
    Ok(())
}

fn no_id() -> Error {
    Error::input("id", format!("id must be a string of 1 to {ID_CHARS} characters without control characters and / \\ ? #, and neither . nor .."))
}

fn too_large() -> Error {
    Error::new(Kind::BadInput, format!("a document must have at most {BODY_BYTES} bytes as JSON"))
}

/// True where a document may have this id: it is part of a URL, in which `.` and `..` would name another resource.
pub(super) fn is_id(id: &str) -> bool {
    let forbidden = |c: char| c.is_control() || matches!(c, '/' | '\\' | '?' | '#');
    !matches!(id, "" | "." | "..") && id.chars().count() <= ID_CHARS && !id.contains(forbidden)
}

/// True where a store may have given this version. Anything else must not reach an `If-Match` header, in which `*` or
/// a list would match versions that the caller never saw.
pub(super) fn is_etag(etag: &str) -> bool {
    !etag.is_empty() && etag != "*" && etag.bytes().all(|b| b.is_ascii_graphic() && b != b',')
}

/// Checks the size of a page.
pub(super) fn check_limit(limit: usize) -> Result<()> {
    if (1..=1000).contains(&limit) { Ok(()) } else { Err(Error::input("limit", "limit must be from 1 to 1000")) }
}

/// A cursor of a scan that no scan of this store has given.
pub(super) fn no_cursor() -> Error {
    Error::input("from", "from must be the `next` of an earlier page of the same scan")
}

/// Takes out the fields that belong to the store: those of the outermost object that begin with `_`.
pub(super) fn without_system_fields(mut body: Value) -> Value {
    if let Value::Object(fields) = &mut body {
        fields.retain(|name, _| !name.starts_with('_'));
    }
    body
}

/// The next page's start: the id of the last document, where there is more.
pub(super) fn next_of(documents: &[Document], more: bool) -> Option<String> {
    let last = documents.last().filter(|_| more)?;
    last.body.get("id").and_then(Value::as_str).map(str::to_owned)
}
