//! Texts of a conversation that are remembered, each with what was read and found in it.
//!
//! In: texts as they come. Out: the spans of each, which the next texts may add to. What was read in a text is kept, so that
//! only what spans several texts is read again. Never fails.

use std::borrow::Cow;

use super::super::asked::Asked;
use super::super::plain::Plain;
use super::super::tokens::Reading;
use super::super::{Role, Span};
use super::{ASKED_WITHIN, Turn, alone, follow, join, may_go_on, window};

/// A text of a conversation, with what was read and found in it so far.
#[derive(Debug)]
pub struct Remembered {
    role: Role,
    text: String,
    /// The text in plain characters, if that is another one.
    plain: Option<Plain>,
    /// What was read in it; nothing before it was read.
    reading: Option<Reading>,
    /// What was found, by places in the plain text; nothing before it was the newest.
    found: Option<Vec<Span>>,
    /// Whether it may continue, and what was found when that was judged.
    judged: Option<(bool, Vec<Span>)>,
}

impl Remembered {
    /// A text that is new.
    #[must_use]
    pub fn new(role: Role, text: String) -> Self {
        let plain = Plain::of(&text);
        Self { role, text, plain, reading: None, found: None, judged: None }
    }

    /// A text in which these values were found before.
    #[must_use]
    pub fn known(role: Role, text: String, spans: &[Span]) -> Self {
        let mut this = Self::new(role, text);
        this.found = Some(spans.iter().map(|span| this.plain.as_ref().map_or(*span, |plain| plain.there(*span))).collect());
        this
    }

    /// As it was said.
    #[must_use]
    pub fn text(&self) -> &str {
        &self.text
    }

    /// What was found in it so far, in order.
    #[must_use]
    pub fn spans(&self) -> Cow<'_, [Span]> {
        let found = self.found.as_deref().unwrap_or_default();
        match &self.plain {
            Some(plain) => found.iter().map(|span| plain.back(*span)).collect(),
            None => Cow::Borrowed(found),
        }
    }

    /// How much memory it takes, about, in bytes.
    #[must_use]
    pub fn bytes(&self) -> usize {
        self.text.capacity() + self.reading.as_ref().map_or(0, Reading::bytes)
    }

    /// As [`super::may_continue`]; judged anew only where more was found since.
    pub fn may_continue(&mut self) -> bool {
        let found = self.found.as_deref().unwrap_or_default();
        if let Some((open, of)) = &self.judged
            && of == found
        {
            return *open;
        }
        let text = self.plain.as_ref().map_or(&self.text, |plain| &plain.text);
        let read = Turn::new(self.role, text, self.reading.take()).read;
        let open = may_go_on(&read, found);
        self.judged = Some((open, found.to_vec()));
        self.reading = Some(read.keep());
        open
    }
}

/// As [`super::detect_across`] for the last of these texts, in order, where what was found in the others is known already.
/// What it shows of them is added to theirs.
pub fn detect_newest(said: &mut [&mut Remembered]) {
    let kept: Vec<(Option<Reading>, Option<Vec<Span>>)> = said.iter_mut().map(|one| (one.reading.take(), one.found.take())).collect();
    let done = newest(said, kept);
    for (one, (reading, found)) in said.iter_mut().zip(done) {
        (one.reading, one.found) = (Some(reading), Some(found));
    }
}

/// The same with what was kept of the texts; gives it back.
fn newest(said: &[&mut Remembered], kept: Vec<(Option<Reading>, Option<Vec<Span>>)>) -> Vec<(Reading, Vec<Span>)> {
    let mut spans = Vec::with_capacity(said.len());
    let mut turns: Vec<Turn<'_>> = Vec::with_capacity(said.len());
    let last = said.len().saturating_sub(1);
    for (n, (one, (reading, found))) in said.iter().zip(kept).enumerate() {
        let text = one.plain.as_ref().map_or(&one.text, |plain| &plain.text);
        turns.push(Turn::new(one.role, text, reading));
        spans.push(found.filter(|_| n < last).unwrap_or_default());
    }
    let from = window(&turns);
    let first = from.min(last.saturating_sub(ASKED_WITHIN));
    let mut asked = Asked::default();
    for n in first..turns.len() {
        turns[n].asked = asked;
        if n == last {
            spans[n] = alone(&turns[n]);
        }
        asked = follow(&turns[n], &spans[n]);
    }
    join(&turns[first..], from - first, &mut spans[first..]);
    turns.into_iter().map(|turn| turn.read.keep()).zip(spans).collect()
}
