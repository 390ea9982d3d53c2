//! The texts in a stored value that the detector should see: no ids, times, hashes or tokens, nothing that is sealed.
//!
//! In: a JSON document, or a text that may be JSON behind the numbers of a frame. Out: texts with their paths; a part of a
//! path that could tell something of a person is `*`.

use serde_json::Value;

use crate::model::time::Timestamp;

/// What a sealed value begins with.
const SEALED: &str = "e1.";
/// Names of fields that hold ids, kinds and proofs.
const NAMES: [&str; 17] =
    ["id", "type", "day", "at", "ts", "stream", "hash", "prev", "etag", "key", "wrapped", "kid", "pages", "legacyPages", "traceparent", "_key", "leaseToken"];
/// How deep JSON inside strings is opened.
const DEPTH: u32 = 3;

/// Texts of a document.
pub(super) fn of(body: &Value) -> Vec<(String, String)> {
    let mut found = Vec::new();
    walk("", "", body, DEPTH, &mut found);
    found
}

/// Texts of a stored value with the name of its field.
pub(super) fn of_value(field: &str, text: &str) -> Vec<(String, String)> {
    let mut found = Vec::new();
    let path = if field.is_empty() { String::new() } else { format!("/{}", shown("", field, &mut found)) };
    leaf(&path, field, text, DEPTH, &mut found);
    found
}

/// True for what the stages of a turn took: four numbers of milliseconds or dashes, and how its phrase came about. Side by side
/// they look like the number of a telephone now and then; the turn id that they belong to is looked at elsewhere.
pub(super) fn is_times(text: &str) -> bool {
    let parts: Vec<&str> = text.split(' ').collect();
    let is_time = |part: &&str| *part == "-" || (part.bytes().all(|b| b.is_ascii_digit() || b == b'.') && part.parse::<f64>().is_ok_and(|ms| ms < 1e6));
    matches!(&parts[..], [times @ .., hit] if times.len() == 4 && times.iter().all(is_time) && matches!(*hit, "-" | "0" | "1"))
}

fn walk(path: &str, name: &str, value: &Value, depth: u32, found: &mut Vec<(String, String)>) {
    match value {
        Value::String(text) => leaf(path, name, text, depth, found),
        Value::Array(values) => values.iter().for_each(|value| walk(&format!("{path}/*"), name, value, depth, found)),
        Value::Object(fields) => {
            for (name, value) in fields {
                let path = format!("{path}/{}", shown(path, name, found));
                walk(&path, name, value, depth, found);
            }
        }
        // Counts and times.
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

/// A field's name as it may be shown; one that may be a value itself is looked at and not shown.
fn shown(path: &str, name: &str, found: &mut Vec<(String, String)>) -> String {
    let plain = name.len() <= 40 && name.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-' | b'.'));
    let digits = name.bytes().filter(u8::is_ascii_digit).count();
    if plain && digits < 4 {
        return name.to_owned();
    }
    if !is_proof(name) && !name.starts_with("t:") {
        found.push((format!("{path}/*"), name.to_owned()));
    }
    "*".to_owned()
}

fn leaf(path: &str, name: &str, text: &str, depth: u32, found: &mut Vec<(String, String)>) {
    if text.is_empty() || text.starts_with(SEALED) || is_named_id(name) || is_proof(text) {
        return;
    }
    if depth > 0
        && let Some(inner) = json_in(text)
    {
        return walk(path, name, &inner, depth - 1, found);
    }
    found.push((path.to_owned(), text.to_owned()));
}

/// JSON in a text, as it is or behind the numbers of a frame.
fn json_in(text: &str) -> Option<Value> {
    let begins = text.find(['{', '['])?;
    let (numbers, rest) = text.split_at(begins);
    let framed = numbers.bytes().all(|b| b.is_ascii_digit() || b == b' ');
    if framed { serde_json::from_str(rest).ok() } else { None }
}

fn is_named_id(name: &str) -> bool {
    NAMES.contains(&name) || name.ends_with("Id") || name.ends_with("_id") || name.ends_with("At") || name.ends_with("Seq")
}

/// True where a text is a time, a hash, a GUID or a lookup token, which all look like numbers here and there.
fn is_proof(text: &str) -> bool {
    let bytes = text.as_bytes();
    if !text.is_ascii() || bytes.len() > 128 || bytes.contains(&b' ') {
        return false;
    }
    let token = text.split_once("1-").is_some_and(|(kind, rest)| matches!(kind, "u" | "c") && rest.len() == 32 && is_hex(rest));
    let guid = bytes.len() == 36 && bytes.iter().enumerate().all(|(at, b)| if matches!(at, 8 | 13 | 18 | 23) { *b == b'-' } else { b.is_ascii_hexdigit() });
    let hash = bytes.len() >= 32 && is_hex(text);
    token || guid || hash || is_millis(text) || Timestamp::parse(text).is_some()
}

fn is_hex(text: &str) -> bool {
    text.bytes().all(|b| b.is_ascii_hexdigit())
}

/// True for milliseconds since 1970 between 2014 and 2052: no card of thirteen digits begins so.
fn is_millis(text: &str) -> bool {
    text.len() == 13 && text.parse::<i64>().is_ok_and(|millis| (1_400_000_000_000..2_600_000_000_000).contains(&millis))
}
