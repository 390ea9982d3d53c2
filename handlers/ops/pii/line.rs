//! One line of input: an id as it came, a text, and the call that it belongs to.
//!
//! In: bytes. Out: the line, or what is wrong with it in words that hold nothing of it.

use std::borrow::Cow;

use serde::Deserialize;
use serde_json::value::RawValue;

use crate::privacy::detect::Role;

/// A line of input.
#[derive(Debug)]
pub(super) struct Line {
    /// A string or a number, as it came.
    pub id: String,
    /// What was said.
    pub text: String,
    /// Which call it belongs to, as it came; nothing for a line that stands alone.
    pub call: Option<String>,
    /// Who said it, as far as it is told or shows.
    pub role: Role,
}

#[derive(Deserialize)]
struct Raw<'a> {
    #[serde(borrow)]
    id: Option<&'a RawValue>,
    #[serde(borrow)]
    text: Option<&'a RawValue>,
    #[serde(borrow)]
    call: Option<&'a RawValue>,
    #[serde(borrow)]
    role: Option<&'a RawValue>,
}

impl Line {
    /// Reads a line.
    pub fn read(bytes: &[u8]) -> Result<Self, &'static str> {
        let text = std::str::from_utf8(bytes).map_err(|_| "it is not UTF-8")?;
        // What the parser says of a value may quote it.
        let raw: Raw<'_> = serde_json::from_str(text).map_err(|e| match e.classify() {
            serde_json::error::Category::Data => "it is no JSON object with id and text, or has one of its fields twice",
            _ => "it is not JSON",
        })?;
        let id = raw.id.ok_or("it has no id")?;
        let text = raw.text.ok_or("it has no text")?;
        if !identifies(id) {
            return Err("id must be a string or a number");
        }
        let call = raw.call.filter(|call| call.get() != "null");
        if call.is_some_and(|call| !identifies(call)) {
            return Err("call must be a string or a number");
        }
        let role = raw.role.filter(|role| role.get() != "null").map(string).transpose().map_err(|()| "role must be a string")?;
        let text = string(text).map_err(|()| "text must be a string")?;
        let role = match role.as_deref() {
            Some("agent" | "assistant" | "bot" | "system") => Role::Agent,
            None if asks(&text) => Role::Agent,
            _ => Role::Caller,
        };
        Ok(Self { id: id.get().to_owned(), text: text.into_owned(), call: call.map(|call| call.get().to_owned()), role })
    }
}

/// True for what an agent asks a caller: without a role, that alone tells who spoke.
fn asks(text: &str) -> bool {
    let words: Vec<String> = text.split(|c: char| !c.is_alphanumeric() && c != '\'').filter(|w| !w.is_empty()).map(plain).collect();
    let one_of = |at: usize, list: &[&str]| words.get(at).is_some_and(|word| list.contains(&word.as_str()));
    let has = |list: &[&str]| (0..words.len()).any(|at| one_of(at, list));
    let begins = ["what", "whats", "can", "could", "may", "please", "and", "tell", "which"];
    has(&["your"]) && (text.contains('?') || one_of(0, &begins)) || requests(&words)
}

/// A word as it is compared: in lower case and without apostrophes.
fn plain(word: &str) -> String {
    word.chars().filter(|c| *c != '\'').flat_map(char::to_lowercase).collect()
}

/// Most words of a question for one thing.
const QUESTION: usize = 20;

/// What an agent asks for.
const WANTED: [&str; 37] = [
    "name",
    "names",
    "surname",
    "number",
    "numbers",
    "email",
    "mail",
    "address",
    "card",
    "account",
    "social",
    "ssn",
    "birth",
    "birthday",
    "birthdate",
    "dob",
    "born",
    "pin",
    "code",
    "passcode",
    "phone",
    "mobile",
    "cell",
    "landline",
    "telephone",
    "digits",
    "spell",
    "spelled",
    "spelling",
    "calling",
    "speaking",
    "talking",
    "routing",
    "iban",
    "cvv",
    "extension",
    "reach",
];

/// Words before a question that say nothing.
const OPENS: [&str; 32] = [
    "okay", "ok", "thanks", "thank", "you", "great", "alright", "all", "right", "perfect", "so", "sure", "um", "uh", "now", "then", "also", "next", "got",
    "it", "good", "lovely", "yes", "and", "for", "that", "well", "first", "finally", "hi", "hello", "sorry",
];

/// Words of what somebody gives, not of what he asks for.
const GIVES: [&str; 21] = [
    "zero", "oh", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "double", "at", "dot", "mine", "im", "ive", "its", "my", "me",
];

/// True for a question or a request for something of the other's: "may i have the card number", "and the last name", "i need the
/// full social". Whoever speaks of what is his own, or counts, is the caller.
fn requests(words: &[String]) -> bool {
    let one_of = |at: usize, list: &[&str]| words.get(at).is_some_and(|word| list.contains(&word.as_str()));
    // "at what", "of which year"
    if (2..=4).contains(&words.len()) && one_of(0, &["at", "dot", "of", "in"]) && one_of(1, &["what", "which"]) {
        return true;
    }
    let Some(wanted) = (0..words.len()).rev().find(|at| one_of(*at, &WANTED)).filter(|_| words.len() <= QUESTION) else { return false };
    let begin = (0..words.len()).find(|at| !one_of(*at, &OPENS)).unwrap_or(words.len());
    let asks = opens_question(words, begin);
    let ends = wanted + 1 == words.len() || wanted + 2 == words.len() && one_of(wanted + 1, &["please"]);
    // "and the last name", "leticia and your last name"
    let and = begin == 0 || words[..begin].iter().any(|word| word == "and");
    let bare = and && one_of(begin, &["the", "a", "an"]) && wanted <= begin + 8;
    let echoed = (1..=3).any(|at| one_of(at, &["and"]) && one_of(at + 1, &["your", "the"]));
    let says = (begin..words.len()).any(|at| one_of(at, &["is", "was"])) && !one_of(begin, &["what", "which", "who", "when", "how"]);
    // "tell me", "read me the number": the one "me" that a question has.
    let me = usize::from((begin..begin + 4).any(|at| one_of(at, &["me"])));
    let gives = (0..words.len()).filter(|at| words[*at].contains(|c: char| c.is_ascii_digit()) || one_of(*at, &GIVES)).count();
    (asks || (bare || echoed) && ends) && !says && gives <= me && words.iter().all(|word| word != "my")
}

/// True where a question or a request begins at this word.
fn opens_question(words: &[String], begin: usize) -> bool {
    let one_of = |at: usize, list: &[&str]| words.get(at).is_some_and(|word| list.contains(&word.as_str()));
    let pair = |first: &[&str], second: &[&str]| one_of(begin, first) && one_of(begin + 1, second);
    let alone = ["what", "whats", "which", "who", "whos", "whom", "when", "whens", "tell", "give", "please", "spell", "confirm"];
    one_of(begin, &alone)
        || pair(&["can", "could", "may", "might"], &["i", "we", "you"])
        || pair(&["would", "will", "do"], &["you"])
        || pair(&["i", "we", "ill"], &["need"])
        || pair(&["i", "we"], &["also", "just", "still"]) && one_of(begin + 2, &["need"])
        || one_of(begin, &["how"])
}

/// True for a string or a number.
fn identifies(value: &RawValue) -> bool {
    let json = value.get();
    json.starts_with(|c: char| c == '"' || c == '-' || c.is_ascii_digit())
        && (!json.starts_with('"') || unescaped(json).is_some() || serde_json::from_str::<Cow<'_, str>>(json).is_ok())
}

fn string(value: &RawValue) -> Result<Cow<'_, str>, ()> {
    match unescaped(value.get()) {
        Some(inside) => Ok(Cow::Borrowed(inside)),
        None => serde_json::from_str::<String>(value.get()).map(Cow::Owned).map_err(|_| ()),
    }
}

/// What stands in a string without escapes, which needs no second look: that it is a string was seen before.
fn unescaped(json: &str) -> Option<&str> {
    json.strip_prefix('"')?.strip_suffix('"').filter(|inside| !inside.contains('\\'))
}
