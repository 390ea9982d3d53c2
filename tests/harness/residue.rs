//! What rests where: bytes as they lie in stores, files, queues and logs, and a search for values in every form of them.
//!
//! In: bytes under the name of their place. Out: each place that shows a value, however it was written: with or without
//! separators, in either case, spoken, or as base64 at any offset.

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD_NO_PAD, URL_SAFE_NO_PAD};
use rtvoice::app::App;
use rtvoice::ports::documents::Container;

use super::redis::{Reply, Wire};

/// One value with the forms in which it may be written or said.
pub struct Value {
    pub name: &'static str,
    pub forms: &'static [&'static str],
}

/// Bytes by place.
#[derive(Default)]
pub struct Residue {
    places: Vec<(String, Vec<u8>)>,
}

/// Letters and digits alone, in lower case.
fn squeezed(bytes: &[u8]) -> Vec<u8> {
    bytes.iter().filter(|b| b.is_ascii_alphanumeric()).map(u8::to_ascii_lowercase).collect()
}

/// Looks for the first byte first: logs are long.
fn holds(haystack: &[u8], needle: &[u8]) -> bool {
    let Some(first) = needle.first() else { return false };
    let mut rest = haystack;
    while let Some(at) = rest.iter().position(|b| b == first) {
        if rest[at..].starts_with(needle) {
            return true;
        }
        rest = &rest[at + 1..];
    }
    false
}

/// The middle of the base64 of a text, at each of the three offsets that it may stand at.
fn encoded(text: &str) -> Vec<Vec<u8>> {
    let mut forms = Vec::new();
    for offset in 0..3_usize {
        let bytes = [&b"xx"[..offset], text.as_bytes()].concat();
        for engine in [&STANDARD_NO_PAD, &URL_SAFE_NO_PAD] {
            let whole = engine.encode(&bytes);
            // What the bytes before and behind have a part in is left out.
            let (from, to) = (if offset == 0 { 0 } else { offset + 1 }, whole.len() - usize::from(bytes.len() % 3 != 0));
            forms.push(whole.as_bytes()[from..to].to_vec());
        }
    }
    forms
}

impl Residue {
    /// Adds bytes.
    pub fn add(&mut self, place: impl Into<String>, bytes: impl Into<Vec<u8>>) {
        self.places.push((place.into(), bytes.into()));
    }

    /// Every key of a Redis with all that it holds, as the server gives it.
    pub fn add_redis(&mut self, wire: &mut Wire) {
        for (key, _) in wire.keys("*") {
            let sort = wire.command(&["TYPE", &key]).text();
            let command: &[&str] = match sort.as_str() {
                "hash" => &["HGETALL", &key],
                "list" => &["LRANGE", &key, "0", "-1"],
                "set" => &["SMEMBERS", &key],
                "zset" => &["ZRANGE", &key, "0", "-1"],
                _ => &["GET", &key],
            };
            let mut bytes = key.clone().into_bytes();
            flatten(wire.command(command), &mut bytes);
            self.add(format!("redis {key}"), bytes);
        }
    }

    /// Every file of a folder, a level down too.
    pub fn add_files(&mut self, folder: &std::path::Path) {
        for entry in std::fs::read_dir(folder).expect("a folder") {
            let path = entry.expect("an entry").path();
            if path.is_dir() {
                self.add_files(&path);
            } else if let Ok(bytes) = std::fs::read(&path) {
                self.add(format!("file {}", path.display()), [path.display().to_string().as_bytes(), &bytes].concat());
            }
        }
    }

    /// Every document as it is stored.
    pub async fn add_documents(&mut self, app: &App) {
        for container in Container::ALL {
            let mut from: Option<String> = None;
            loop {
                let page = app.documents.scan(container, from.as_deref(), 200).await.expect("a page");
                for document in page.documents {
                    self.add(format!("document in {}", container.name()), document.body.to_string());
                }
                from = page.next;
                if from.is_none() {
                    break;
                }
            }
        }
    }

    /// How many places there are, and how many bytes in them.
    pub fn size(&self) -> (usize, usize) {
        (self.places.len(), self.places.iter().map(|(_, bytes)| bytes.len()).sum())
    }

    /// Where values stand: `{value} as {form} in {place}`.
    pub fn find(&self, values: &[Value]) -> Vec<String> {
        let mut found = Vec::new();
        for (place, bytes) in &self.places {
            let squeezed_bytes = squeezed(bytes);
            for value in values {
                for form in value.forms {
                    if holds(&squeezed_bytes, &squeezed(form.as_bytes())) {
                        found.push(format!("{} as {form:?} in {place}", value.name));
                    }
                    if encoded(form).iter().any(|encoded| encoded.len() > 7 && holds(bytes, encoded)) {
                        found.push(format!("{} as base64 of {form:?} in {place}", value.name));
                    }
                }
            }
        }
        found
    }
}

fn flatten(reply: Reply, bytes: &mut Vec<u8>) {
    bytes.push(b'\n');
    match reply {
        Reply::Simple(text) | Reply::Error(text) => bytes.extend(text.into_bytes()),
        Reply::Integer(number) => bytes.extend(number.to_string().into_bytes()),
        Reply::Bulk(more) => bytes.extend(more),
        Reply::Nil => {}
        Reply::Array(items) => items.into_iter().for_each(|item| flatten(item, bytes)),
    }
}

#[test]
fn a_value_is_found_in_every_dress() {
    const PHONE: [Value; 1] = [Value { name: "phone", forms: &["4255550187", "four two five five five five oh one eight seven"] }];
    let shown = |text: &str| {
        let mut residue = Residue::default();
        residue.add("place", text);
        !residue.find(&PHONE).is_empty()
    };
    for text in ["+1 (425) 555-0187", "425.555.0187", "Four, two-five FIVE five five oh one eight SEVEN", "a4255550187b"] {
        assert!(shown(text), "{text}");
        for before in ["", "y", "yy", "yyy"] {
            assert!(!text.contains("4255550187") || shown(&STANDARD_NO_PAD.encode(format!("{before}4255550187 and more"))), "{text} after {before}");
        }
    }
    assert!(!shown("425 555 0188") && !shown("[PHONE_NUMBER]"));
}
