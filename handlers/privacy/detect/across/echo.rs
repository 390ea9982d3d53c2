//! What is said again of values that were said in parts.
//!
//! In: texts with what was found in them. Out: spans of what repeats it, mostly the agent's. Never fails.

use super::super::numbers::Run;
use super::super::tokens::Text;
use super::super::{Label, Role, Span};
use super::numbers::fragments;
use super::{Turn, add};

/// Shortest value that is looked for word by word, in bytes.
const WORDS: usize = 3;

/// What the agent repeats of the caller's values.
pub(super) fn echoes(said: &[Turn<'_>], from: usize, spans: &mut [Vec<Span>]) {
    if said[from..].iter().any(|one| one.role == Role::Agent) {
        repeated(said, from, spans);
    }
    let mut known = None;
    for n in from..said.len() {
        for fragment in fragments(&said[n].read, &spans[n]).into_iter().filter(|f| !f.soft) {
            let least = if said[n].role == Role::Agent { 3 } else { 4 };
            let whole = fragment.before + fragment.after <= 3 && fragment.digits.len() >= 2 && said[n].role == Role::Agent;
            if fragment.digits.len() < least && !whole {
                continue;
            }
            let values = known.get_or_insert_with(|| values(said, from, spans));
            let source = values.iter().find(|(_, value)| value.windows(fragment.digits.len()).any(|w| w == fragment.digits));
            if let Some((label, _)) = source {
                add(&mut spans[n], said[n].text, fragment.start, fragment.end, *label, 0.5);
            }
        }
    }
}

/// The digits of the caller's values. Parts in several turns make one value, which may be repeated across their borders.
fn values(said: &[Turn<'_>], from: usize, spans: &[Vec<Span>]) -> Vec<(Label, Vec<u8>)> {
    let mut values: Vec<(Label, Vec<u8>)> = Vec::new();
    for n in (from..said.len()).filter(|n| said[*n].role == Role::Caller) {
        for span in spans[n].iter().filter(|s| !matches!(s.label, Label::PersonName | Label::Url)) {
            let Some(value) = said[n].text.get(span.start..span.end) else { continue };
            let digits = digits_of(value);
            if digits.len() < 2 {
                continue;
            }
            match values.iter_mut().find(|(label, _)| *label == span.label) {
                Some((_, value)) => value.extend_from_slice(&digits),
                None => values.push((span.label, digits)),
            }
        }
    }
    values
}

/// Which ASCII characters stand beside which in a text, in lower case: a bit for each pair, which others may share.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in super::super) struct Pairs([u64; 4]);

impl Pairs {
    fn of(text: &str) -> Self {
        let mut pairs = [0; 4];
        for pair in text.as_bytes().windows(2) {
            let mixed = usize::from(pair[0].to_ascii_lowercase()) * 31 + usize::from(pair[1].to_ascii_lowercase()) * 7;
            pairs[mixed / 64 % 4] |= 1 << (mixed % 64);
        }
        Self(pairs)
    }

    /// False where a text with the other's pairs cannot stand in one with these.
    fn hold(self, other: Self) -> bool {
        self.0.iter().zip(other.0).all(|(all, some)| some & !all == 0)
    }
}

/// What the agent repeats word by word.
fn repeated(said: &[Turn<'_>], from: usize, spans: &mut [Vec<Span>]) {
    let callers = (from..said.len()).filter(|n| said[*n].role == Role::Caller);
    let mut values: Vec<(&str, Pairs, Label)> = Vec::new();
    for n in callers {
        let mut known = said[n].read.facts().of_values.borrow_mut();
        for (at, span) in spans[n].iter().enumerate() {
            let Some(value) = said[n].text.get(span.start..span.end) else { continue };
            let same = known.get(at).filter(|(start, end, _)| (*start, *end) == (span.start, span.end)).map(|(_, _, pairs)| *pairs);
            let pairs = same.unwrap_or_else(|| {
                let pairs = Pairs::of(value);
                known.truncate(at);
                known.push((span.start, span.end, pairs));
                pairs
            });
            if value.len() >= WORDS {
                values.push((value, pairs, span.label));
            }
        }
    }
    if values.is_empty() {
        return;
    }
    for n in (from..said.len()).filter(|n| said[*n].role == Role::Agent) {
        let pairs = *said[n].read.facts().pairs.get_or_init(|| Pairs::of(said[n].text));
        for (value, _, label) in values.iter().filter(|(_, of_value, _)| pairs.hold(*of_value)) {
            let (text, value) = (said[n].text.to_ascii_lowercase(), value.to_ascii_lowercase());
            for (start, _) in text.match_indices(value.as_str()) {
                let end = start + value.len();
                let inside = text[..start].ends_with(char::is_alphanumeric) || text[end..].starts_with(char::is_alphanumeric);
                if !inside {
                    add(&mut spans[n], said[n].text, start, end, *label, 0.5);
                }
            }
        }
    }
}

fn digits_of(value: &str) -> Vec<u8> {
    let text = Text::new(value);
    let mut run = Run::default();
    let mut digits = Vec::new();
    let mut at = 0;
    while let Some(next) = run.next(&text, at) {
        digits.extend_from_slice(&run.digits);
        at = next;
    }
    digits
}
