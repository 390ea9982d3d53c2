//! Sealing anew what older versions of a user's key sealed, and destroying the versions that nothing needs any more.
//!
//! A sealed document keeps this form: every text that begins with `e1.` is sealed for `Place::document(container, id, JSON
//! pointer)`, but for the words of an archived turn, which are sealed for their turn and revision wherever they stand. The token
//! of the subject stands in `subject` or `user`, of the document or of its call's header. Values under a call's key are left
//! alone: they live for days, and so do their wraps.

use futures::{StreamExt as _, TryStreamExt as _, stream};
use serde::Serialize;
use serde_json::Value;

use super::rotate::CALL_SCOPED_MS;
use super::{Keys, Vault, users};
use crate::error::{Kind, Result};
use crate::model::ids::UserToken;
use crate::model::transcript::{HEADER_ID, words_field};
use crate::ports::documents::{Condition, Container, Document, Put};
use crate::privacy::envelope::{self, Algorithm, Header, Place};

/// Containers with sealed documents.
const SEALED: [Container; 4] = [Container::Transcripts, Container::Profiles, Container::Analytics, Container::DeadLetters];
/// Documents of a page of the walk.
const PAGE: usize = 100;
/// Documents that are sealed anew at a time.
const AT_ONCE: usize = 8;

/// What came of a walk over all sealed documents.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Resealed {
    /// Documents that were looked at.
    pub documents: u64,
    /// Sealed values in them, those under a call's key left out.
    pub envelopes: u64,
    /// Of these: under an older version of their key when the walk came by.
    pub older: u64,
    /// Of these: sealed anew.
    pub resealed: u64,
    /// Of the envelopes: erased; their documents wait for their own end.
    pub erased: u64,
    /// Of the envelopes: refused, or in a document that does not say whose it is.
    pub refused: u64,
    /// Documents that somebody else changed meanwhile; the next walk looks again.
    pub passed_over: u64,
    /// Versions of user keys that were destroyed.
    pub retired: u64,
}

impl Resealed {
    /// True where nothing was left under an older version, and all could be looked at.
    pub fn is_complete(&self) -> bool {
        self.older == self.resealed && self.refused == 0 && self.passed_over == 0
    }

    fn add(&mut self, other: &Self) {
        self.documents += other.documents;
        self.envelopes += other.envelopes;
        self.older += other.older;
        self.resealed += other.resealed;
        self.erased += other.erased;
        self.refused += other.refused;
        self.passed_over += other.passed_over;
    }
}

impl Vault {
    /// A sealed text sealed anew under its subject's newest key; none where it is already, or is under a call's key.
    pub async fn reseal(&self, subject: &UserToken, place: &Place<'_>, text: &str) -> Result<Option<String>> {
        let keys = self.on()?;
        let header = envelope::from_text(text).and_then(|bytes| Header::parse(&bytes).map(|(header, _)| header));
        match header {
            Some(header) if header.algorithm == Algorithm::Call => Ok(None),
            Some(header) if keys.users.newest(subject, header.key_version).await? => Ok(None),
            // Opening refuses what is no envelope.
            _ => {
                let plain = zeroize::Zeroizing::new(self.open(subject, place, text).await?);
                self.seal(subject, place, &plain).await.map(Some)
            }
        }
    }

    /// Walks over all sealed documents and seals anew what is under an older version of its key; then destroys the versions
    /// that were replaced more than 15 days ago, if nothing was left under them. With `dry` it only counts.
    pub async fn reencrypt(&self, dry: bool) -> Result<Resealed> {
        let keys = self.on()?;
        let mut done = Resealed::default();
        for container in SEALED {
            let mut from = None;
            loop {
                let page = keys.stored.documents.scan(container, from.as_deref(), PAGE).await?;
                let mut results = stream::iter(page.documents).map(|document| self.reseal_document(container, document, dry)).buffer_unordered(AT_ONCE);
                while let Some(result) = results.try_next().await? {
                    done.add(&result);
                }
                from = page.next;
                if from.is_none() {
                    break;
                }
            }
        }
        if !dry && done.is_complete() {
            done.retired = retire_versions(keys).await?;
        }
        Ok(done)
    }

    async fn reseal_document(&self, container: Container, mut document: Document, dry: bool) -> Result<Resealed> {
        let mut done = Resealed { documents: 1, ..Resealed::default() };
        let mut found = Vec::new();
        envelopes(&document.body, &mut String::new(), &mut found);
        let id = document.body.get("id").and_then(Value::as_str).unwrap_or_default().to_owned();
        let subject = if found.is_empty() { None } else { self.subject(container, &document.body).await? };
        for (pointer, text) in found {
            done.envelopes += 1;
            let Some(subject) = &subject else {
                done.refused += 1;
                continue;
            };
            let field = words(&document.body, &pointer).unwrap_or_else(|| pointer.clone());
            match self.reseal(subject, &Place::document(container.name(), &id, &field), &text).await {
                Ok(None) => {}
                Ok(Some(sealed)) => {
                    done.older += 1;
                    done.resealed += 1;
                    if let Some(value) = document.body.pointer_mut(&pointer) {
                        *value = Value::String(sealed);
                    }
                }
                Err(e) if e.kind == Kind::Erased => done.erased += 1,
                Err(e) if e.kind == Kind::Tampered => done.refused += 1,
                Err(e) => return Err(e),
            }
        }
        if done.resealed > 0 && (dry || !self.write(container, &document).await?) {
            done.resealed = 0;
            done.passed_over = u64::from(!dry);
        }
        Ok(done)
    }

    /// Whose values a document holds.
    async fn subject(&self, container: Container, body: &Value) -> Result<Option<UserToken>> {
        let named = |body: &Value| ["subject", "user"].iter().find_map(|field| UserToken::parse(body.get(*field)?.as_str()?).ok());
        let call = body.get(Container::Transcripts.partition_field()).and_then(Value::as_str).filter(|_| container == Container::Transcripts);
        match (named(body), call) {
            (None, Some(call)) => Ok(self.on()?.stored.documents.get(container, call, HEADER_ID).await?.and_then(|header| named(&header.body))),
            (named, _) => Ok(named),
        }
    }

    /// Writes a document that was sealed anew; false where somebody else changed it meanwhile.
    async fn write(&self, container: Container, document: &Document) -> Result<bool> {
        let put = self.on()?.stored.documents.put(container, &document.body, Condition::Matches(&document.etag)).await?;
        Ok(matches!(put, Put::Done(_)))
    }
}

/// What the words of an archived turn are sealed for; none for every other value.
fn words(body: &Value, pointer: &str) -> Option<String> {
    let turn = body.pointer(pointer.strip_prefix("/turns/").and(pointer.strip_suffix("/transcript"))?)?;
    let rev = turn.get("rev").and_then(Value::as_u64).unwrap_or_default();
    Some(words_field(turn.get("turnId")?.as_str()?, rev))
}

/// The sealed texts below a value with their JSON pointers, those under a call's key left out.
fn envelopes(value: &Value, pointer: &mut String, found: &mut Vec<(String, String)>) {
    let length = pointer.len();
    match value {
        Value::String(text) if text.starts_with(envelope::PREFIX) => {
            let of_call = envelope::from_text(text).and_then(|bytes| Header::parse(&bytes).map(|(h, _)| h.algorithm == Algorithm::Call)).unwrap_or_default();
            if !of_call {
                found.push((pointer.clone(), text.clone()));
            }
        }
        Value::Array(items) => {
            for (n, item) in items.iter().enumerate() {
                pointer.push_str(&format!("/{n}"));
                envelopes(item, pointer, found);
                pointer.truncate(length);
            }
        }
        Value::Object(fields) => {
            for (name, field) in fields {
                pointer.push('/');
                pointer.push_str(&name.replace('~', "~0").replace('/', "~1"));
                envelopes(field, pointer, found);
                pointer.truncate(length);
            }
        }
        _ => {}
    }
}

/// Destroys every version that was replaced so long ago that no call's wrap can need it.
async fn retire_versions(keys: &Keys) -> Result<u64> {
    let (mut retired, mut from) = (0, None);
    let now = keys.stored.clock.now();
    loop {
        let page = keys.stored.documents.scan(Container::Keys, from.as_deref(), PAGE).await?;
        for document in &page.documents {
            if let Some((subject, version)) = users::named(document) {
                let replaced = keys.users.replaced(&subject, version).await?;
                if replaced.is_some_and(|at| now.since(at) > CALL_SCOPED_MS) {
                    retired += u64::from(keys.users.remove(&subject, document).await?);
                }
            }
        }
        from = page.next;
        if from.is_none() {
            return Ok(retired);
        }
    }
}
