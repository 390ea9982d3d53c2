//! What of a turn may be kept, sent on and told to the agent: the words with each personal value replaced by its label.
//!
//! A value that the caller splits over turns shows with its last part only: the entries that hold the earlier parts are then
//! revised. Pure; the detector is `privacy::detect`.

use std::borrow::Cow;
use std::collections::BTreeMap;

use serde_json::Value;

use crate::config::{REACH, StorePii};
use crate::model::conversation::{Entry, Window, Words};
use crate::model::transcript::ArchivedTurn;
use crate::privacy::detect::{Bearing, Label, Role, Said, Span, detect, detect_across, mask, may_continue};

mod talk;

pub use talk::Talk;

/// Earlier entries that one turn revises, at most.
const REVISED: usize = 3;
/// Shortest text of a profile or a context that counts as quoted, in bytes.
const QUOTED: usize = 4;

/// A caller's words in the light of what was said before.
#[derive(Debug, Clone, PartialEq)]
pub struct Heard {
    /// The words, masked.
    pub text: String,
    /// What was found in them.
    pub found: Vec<Span>,
    /// Earlier entries by number that hold parts of the same values, as their next revision.
    pub revisions: Vec<(u64, Entry)>,
}

impl Heard {
    /// The history as it stands once the revisions are made.
    pub fn revise(&self, window: &Window, history: &mut Cow<'_, [Entry]>) {
        for (seq, revised) in &self.revisions {
            if let Some(place) = window.seqs.iter().position(|number| number == seq) {
                history.to_mut()[place].clone_from(revised);
            }
        }
    }
}

/// Masks what a caller says now, and what it shows of earlier turns. Most turns are talk that holds nothing, after talk that
/// leads to nothing: `talk` and the text's own `bearing` spare them the reading of all that was said.
pub fn hear(talk: &Talk, window: &Window, text: &str, bearing: Bearing, store: StorePii) -> Heard {
    let from = window.entries.len().saturating_sub(REACH);
    let recent = &window.entries[from..];
    if bearing.quiet && stands_alone(talk, recent, bearing) {
        return Heard { text: text.to_owned(), found: Vec::new(), revisions: Vec::new() };
    }
    let mut said = Vec::with_capacity(2 * recent.len() + 1);
    for entry in recent {
        said.push(Said { role: Role::Caller, text: entry.words.user.as_deref().unwrap_or_default() });
        said.push(Said { role: Role::Agent, text: entry.words.assistant.as_deref().unwrap_or_default() });
    }
    said.push(Said { role: Role::Caller, text });
    let mut spans = detect_across(&said);
    let mut found = spans.pop().unwrap_or_default();
    found.extend(rest(recent, text).into_iter().filter(|rest| spans_apart(rest, &found)).collect::<Vec<_>>());
    found.sort_by_key(|span| span.start);
    let mut revisions: Vec<(u64, Entry)> =
        spans.chunks(2).zip(recent).zip(&window.seqs[from..]).filter_map(|((spans, entry), seq)| Some((*seq, revision(entry, spans, store)?))).collect();
    let surplus = revisions.len().saturating_sub(REVISED);
    revisions.drain(..surplus);
    Heard { text: mask(text, &found), found, revisions }
}

/// True where nothing in these entries has to do with a text of this bearing that is quiet. What the agent said last must be
/// quiet as well: nobody has read it in the light of the others yet.
fn stands_alone(talk: &Talk, recent: &[Entry], newest: Bearing) -> bool {
    let unread = recent.last().and_then(|entry| entry.words.assistant.as_deref()).map(|text| talk.bearing(text));
    let texts = recent.iter().flat_map(|entry| [&entry.words.user, &entry.words.assistant]).flatten();
    let address = newest.ends_address || newest.holds_address || unread.is_some_and(|unread| unread.holds_address);
    let concerns = |bearing: Bearing| bearing.holds || bearing.leads_to_name || address && bearing.leads_to_address;
    unread.is_none_or(|unread| unread.quiet) && !texts.into_iter().any(|text| concerns(talk.bearing(text)))
}

/// What a number may stand in for once it is masked: as many digits as make a card with one more group.
const MASKED_NUMBER: &str = "my card number is four five three nine one four eight eight oh three four three";
/// Labels of numbers that are said in groups.
const GROUPED: [Label; 3] = [Label::CreditCard, Label::PhoneNumber, Label::AccountNumber];
/// What an agent says who waits for the rest of a number.
const GO_ON: [&str; 13] = ["rest", "last", "next", "remaining", "digit", "go on", "go ahead", "continue", "and then", "more", "part", "follow", "after that"];

/// The end of a number whose beginning looked whole and was masked in the turn before. The digits are gone there, so others
/// stand in for them. Where the agent has asked for something else meanwhile, it is no end.
fn rest(recent: &[Entry], text: &str) -> Vec<Span> {
    let Some(before) = recent.last() else { return Vec::new() };
    let said = before.words.user.as_deref().unwrap_or_default().trim_end_matches(|c: char| c.is_whitespace() || c.is_ascii_punctuation() && c != ']');
    if !GROUPED.iter().any(|label| said.ends_with(&format!("[{}]", label.as_str()))) {
        return Vec::new();
    }
    let answered = before.words.assistant.as_deref().unwrap_or_default().to_lowercase();
    if answered.contains('?') && !GO_ON.iter().any(|word| answered.contains(word)) {
        return Vec::new();
    }
    let said = [Said { role: Role::Caller, text: MASKED_NUMBER }, Said { role: Role::Agent, text: "" }, Said { role: Role::Caller, text }];
    let mut spans = detect_across(&said).pop().unwrap_or_default();
    // One digit alone is an answer, not the end of a number.
    spans.retain(|span| span.label == Label::CreditCard && text[span.start..span.end].split_whitespace().map(str::len).sum::<usize>() > 3);
    spans
}

fn spans_apart(span: &Span, others: &[Span]) -> bool {
    others.iter().all(|other| span.end <= other.start || other.end <= span.start)
}

/// What no turn could mask by itself, masked now that all are there: values split over turns that were taken at the same time,
/// or without the state store. In: all turns in order. Out: those that hold such parts, as their next revision.
pub fn overheard(turns: &[&ArchivedTurn], store: StorePii) -> Vec<ArchivedTurn> {
    let words = |turn: &ArchivedTurn| turn.entry.words.user.clone().unwrap_or_default();
    let texts: Vec<String> = turns.iter().map(|turn| words(turn)).collect();
    let open: Vec<bool> = texts.iter().map(|text| may_continue(text, &detect(text))).collect();
    let mut revised: BTreeMap<usize, Entry> = BTreeMap::new();
    for newest in 0..turns.len() {
        let from = newest.saturating_sub(REACH);
        if !turns[newest].degraded && !open[from..newest].contains(&true) {
            continue;
        }
        let entries: Vec<&Entry> = (from..=newest).map(|n| revised.get(&n).unwrap_or(&turns[n].entry)).collect();
        let said: Vec<Said<'_>> = entries
            .iter()
            .flat_map(|entry| {
                [
                    Said { role: Role::Caller, text: entry.words.user.as_deref().unwrap_or_default() },
                    Said { role: Role::Agent, text: entry.words.assistant.as_deref().unwrap_or_default() },
                ]
            })
            .collect();
        let spans = detect_across(&said[..said.len() - 1]);
        let found: Vec<(usize, Entry)> = (from..=newest)
            .zip(spans.chunks(2))
            .filter_map(|(n, spans)| Some((n, revision(revised.get(&n).unwrap_or(&turns[n].entry), spans, store)?)))
            .collect();
        revised.extend(found);
    }
    let turn = |(n, entry): (usize, Entry)| ArchivedTurn { rev: turns[n].rev + 1, entry: Entry { rev: turns[n].rev + 1, ..entry }, ..turns[n].clone() };
    revised.into_iter().map(turn).collect()
}

/// The next revision of an entry, given what was found in what the caller said and in what was answered; none where that is
/// masked already.
fn revision(entry: &Entry, spans: &[Vec<Span>], store: StorePii) -> Option<Entry> {
    let (user, assistant) = (spans.first().map_or(&[][..], Vec::as_slice), spans.get(1).map_or(&[][..], Vec::as_slice));
    let masked = |text: &Option<String>, spans: &[Span]| text.as_ref().map(|text| mask(text, spans));
    let (said, answered) = (masked(&entry.words.user, user), masked(&entry.words.assistant, assistant));
    let (user, assistant) = (said != entry.words.user, answered != entry.words.assistant);
    if entry.is_refused() || !(user || assistant) {
        return None;
    }
    let kept = |original: &Option<String>, text: &Option<String>, changed: bool| match store {
        StorePii::Encrypted if changed => original.clone().or_else(|| text.clone()),
        StorePii::Masked if changed => None,
        _ => original.clone(),
    };
    let words = Words {
        said: kept(&entry.words.said, &entry.words.user, user),
        spoken: kept(&entry.words.spoken, &entry.words.assistant, assistant),
        user: said,
        assistant: answered,
        private: entry.words.private || assistant,
    };
    Some(Entry { rev: entry.rev + 1, words, ..entry.clone() })
}

/// Shortest part of a name that is masked where an answer repeats it, in bytes.
const NAME_PART: usize = 3;

/// Masks what the agent answers to these words: what it shows by itself, and what it repeats of the values found in them.
pub fn answered(reply: &str, said: &str, found: &[Span]) -> String {
    let mut values: Vec<(&str, Label)> = Vec::new();
    for span in found {
        let Some(value) = said.get(span.start..span.end) else { continue };
        values.push((value, span.label));
        if span.label == Label::PersonName {
            values.extend(value.split_whitespace().filter(|part| part.len() >= NAME_PART).map(|part| (part, span.label)));
        }
    }
    values.into_iter().fold(masked(reply), |reply, (value, label)| without(&reply, value, label))
}

/// The text with each occurrence of a value, as a word of its own and in either case, replaced by the value's label.
fn without(text: &str, value: &str, label: Label) -> String {
    let (mut masked, mut rest) = (String::with_capacity(text.len()), text);
    while let Some(next) = rest.chars().next() {
        let word_before = masked.chars().next_back().is_some_and(char::is_alphanumeric);
        let same = rest.get(..value.len()).is_some_and(|start| start.eq_ignore_ascii_case(value));
        if same && !value.is_empty() && !word_before && !rest[value.len()..].starts_with(char::is_alphanumeric) {
            masked.push_str(&format!("[{}]", label.as_str()));
            rest = &rest[value.len()..];
        } else {
            masked.push(next);
            rest = &rest[next.len_utf8()..];
        }
    }
    masked
}

/// Masks a text by itself.
pub fn masked(text: &str) -> String {
    mask(text, &detect(text))
}

/// The same of every text and number in a JSON value. The name of a field counts as what was asked for.
pub fn masked_json(value: &mut Value) {
    masked_field("", value);
}

fn masked_field(name: &str, value: &mut Value) {
    match value {
        Value::String(text) => *text = masked_as(name, text),
        Value::Number(number) => {
            let text = number.to_string();
            let masked = masked_as(name, &text);
            if masked != text {
                *value = masked.into();
            }
        }
        Value::Array(items) => items.iter_mut().for_each(|item| masked_field(name, item)),
        Value::Object(fields) => fields.iter_mut().for_each(|(name, field)| masked_field(name, field)),
        Value::Null | Value::Bool(_) => {}
    }
}

/// A text that stands under this name, masked: by itself, and as an answer to a question for what the name says.
fn masked_as(name: &str, text: &str) -> String {
    let alone = masked(text);
    if name.is_empty() || alone != text {
        return alone;
    }
    let words: String = name.chars().flat_map(|c| if c.is_uppercase() { vec![' ', c] } else { vec![if c.is_alphanumeric() { c } else { ' ' }] }).collect();
    let before = format!("my {} is ", words.trim().to_lowercase());
    let answer = format!("{before}{text}");
    masked(&answer).strip_prefix(&before).map_or(alone, str::to_owned)
}

/// Whether a reply, in lower case, repeats a text out of this JSON value.
pub fn quotes(reply: &str, value: &Value) -> bool {
    match value {
        Value::String(text) => text.len() >= QUOTED && reply.contains(&text.to_lowercase()),
        Value::Array(items) => items.iter().any(|item| quotes(reply, item)),
        Value::Object(fields) => fields.values().any(|field| quotes(reply, field)),
        Value::Number(number) => {
            let digits = number.to_string();
            digits.len() >= QUOTED && reply.contains(&digits)
        }
        Value::Null | Value::Bool(_) => false,
    }
}
