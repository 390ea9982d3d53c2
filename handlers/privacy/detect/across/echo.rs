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
    let mut values: Vec<(Label, Vec<u8>)> = Vec::new();
    let mut pieces: Vec<(Label, Vec<u8>)> = Vec::new();
    for n in from..said.len() {
        if said[n].role == Role::Agent {
            continue;
        }
        for span in spans[n].iter().filter(|s| !matches!(s.label, Label::PersonName | Label::Url)) {
            let Some(value) = said[n].text.get(span.start..span.end) else { continue };
            let digits = digits_of(value);
            if digits.len() >= 2 {
                pieces.push((span.label, digits));
            }
        }
    }
    // Parts in several turns make one value, which may be repeated across their borders.
    for (label, digits) in &pieces {
        match values.iter_mut().find(|(l, _)| l == label) {
            Some((_, value)) => value.extend_from_slice(digits),
            None => values.push((*label, digits.clone())),
        }
    }
    if values.is_empty() {
        return;
    }
    for n in from..said.len() {
        let fragments = fragments(&said[n].read, &spans[n]);
        for fragment in fragments.into_iter().filter(|f| !f.soft) {
            let least = if said[n].role == Role::Agent { 3 } else { 4 };
            let whole = fragment.before + fragment.after <= 3 && fragment.digits.len() >= 2 && said[n].role == Role::Agent;
            if fragment.digits.len() < least && !whole {
                continue;
            }
            let source = values.iter().find(|(_, value)| value.windows(fragment.digits.len()).any(|w| w == fragment.digits));
            if let Some((label, _)) = source {
                add(&mut spans[n], said[n].text, fragment.start, fragment.end, *label, 0.5);
            }
        }
    }
}

/// What the agent repeats word by word.
fn repeated(said: &[Turn<'_>], from: usize, spans: &mut [Vec<Span>]) {
    let callers = (from..said.len()).filter(|n| said[*n].role == Role::Caller);
    let values: Vec<(String, Label)> = callers
        .flat_map(|n| spans[n].iter().filter_map(move |span| Some((said[n].text.get(span.start..span.end)?.to_ascii_lowercase(), span.label))))
        .filter(|(value, _)| value.len() >= WORDS)
        .collect();
    if values.is_empty() {
        return;
    }
    for n in (from..said.len()).filter(|n| said[*n].role == Role::Agent) {
        let text = said[n].text.to_ascii_lowercase();
        for (value, label) in &values {
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
