//! What of an answer can be said: one line of at most 4000 characters, ending at a sentence or at least at a word.

use crate::model::phrase::{composed, is_folded};

/// Most characters of a reply; as many as a phrase may have.
pub const MAX_CHARS: usize = crate::model::phrase::MAX_CHARS;

/// Cleans a text: NFC, white space folded, control characters and the two XML-invalid code points gone, at most
/// [`MAX_CHARS`]. Empty when nothing is left.
pub fn clean(text: &str) -> String {
    if text.len() <= MAX_CHARS && is_folded(text) {
        return text.to_owned();
    }
    let visible: String = composed(text).chars().map(|c| if c.is_whitespace() { ' ' } else { c }).filter(|c| sayable(*c)).collect();
    // Dropping a character may bring a letter and its accent together: compose once more.
    let line = visible.split_whitespace().collect::<Vec<_>>().join(" ");
    cut(&composed(&line), MAX_CHARS).to_owned()
}

/// The text up to the end of its last whole sentence; all of it where it has none.
pub fn whole_sentences(text: &str) -> &str {
    last_sentence_end(text, text.len()).map_or(text, |end| &text[..end])
}

fn sayable(c: char) -> bool {
    !c.is_control() && !matches!(c, '\u{fffe}' | '\u{ffff}')
}

/// At most `max` characters: up to a sentence's end in the second half, else up to a word's end, else hard.
fn cut(text: &str, max: usize) -> &str {
    let Some((limit, _)) = text.char_indices().nth(max) else { return text };
    if let Some(end) = last_sentence_end(text, limit).filter(|end| *end >= limit / 2) {
        return &text[..end];
    }
    if text[limit..].starts_with(' ') {
        return text[..limit].trim_end();
    }
    let end = text[..limit].rfind(' ').filter(|end| *end > 0).unwrap_or(limit);
    text[..end].trim_end()
}

/// Where the last sentence ends that ends at or before byte `limit`.
fn last_sentence_end(text: &str, limit: usize) -> Option<usize> {
    text[..limit].char_indices().rev().find_map(|(at, c)| {
        let end = at + c.len_utf8();
        let ends = match c {
            '。' | '！' | '？' => true,
            // A full stop inside a number or a name ends nothing.
            '.' | '!' | '?' | '…' | '؟' | '।' => text[end..].chars().next().is_none_or(char::is_whitespace),
            _ => false,
        };
        ends.then_some(end)
    })
}
