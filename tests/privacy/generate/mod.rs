//! Makes the scored sets from templates and speakers' habits, always the same ones: the seeds are fixed.
//!
//! `tune` is what the detector was tuned on. `held` has other templates, other habits and other values, and is only
//! scored. Out: lines with their values' places in code points.

pub mod held;
pub mod held_talk;
pub mod tune;
pub mod tune_talk;
pub mod voice;
pub mod world;

use std::fmt::Write as _;

/// A value in a line, by code points.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Gold {
    pub start: usize,
    pub end: usize,
    pub label: String,
}

/// One line of a set.
#[derive(Debug, Clone, Default)]
pub struct Line {
    pub text: String,
    pub gold: Vec<Gold>,
    pub call: Option<String>,
    pub agent: bool,
}

impl Line {
    /// A template with the value in place of `{}`.
    pub fn of(template: &str, value: &str, label: &str) -> Self {
        let (before, after) = template.split_once("{}").expect("a template holds {}");
        let start = before.chars().count();
        let end = start + value.chars().count();
        Self { text: format!("{before}{value}{after}"), gold: vec![Gold { start, end, label: label.to_owned() }], ..Self::default() }
    }

    /// A hand-written line: values stand as `<LABEL|value>`.
    pub fn marked(marked: &str) -> Self {
        let mut line = Self::default();
        let mut rest = marked;
        while let Some((before, tail)) = rest.split_once('<') {
            let (inside, after) = tail.split_once('>').expect("a mark ends with >");
            let (label, value) = inside.split_once('|').expect("a mark is <LABEL|value>");
            line.text.push_str(before);
            let start = line.text.chars().count();
            line.text.push_str(value);
            line.gold.push(Gold { start, end: line.text.chars().count(), label: label.to_owned() });
            rest = after;
        }
        line.text.push_str(rest);
        line
    }

    /// A line without values.
    pub fn plain(text: &str) -> Self {
        Self { text: text.to_owned(), ..Self::default() }
    }

    /// As JSON, with the set's name and the line's number as its id.
    pub fn json(&self, set: &str, number: usize) -> String {
        let mut json = format!("{{\"id\":\"{set}-{number}\"");
        if let Some(call) = &self.call {
            let _ = write!(json, ",\"call\":\"{call}\"");
        }
        if self.agent {
            json.push_str(",\"role\":\"agent\"");
        }
        let text = self.text.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n");
        let _ = write!(json, ",\"text\":\"{text}\",\"spans\":[");
        for (n, gold) in self.gold.iter().enumerate() {
            let comma = if n > 0 { "," } else { "" };
            let _ = write!(json, "{comma}{{\"start\":{},\"end\":{},\"label\":\"{}\"}}", gold.start, gold.end, gold.label);
        }
        json.push_str("]}");
        json
    }
}

/// Random enough, and the same on every machine (splitmix64).
pub struct Dice(u64);

impl Dice {
    pub fn new(seed: u64) -> Self {
        Self(seed)
    }

    pub fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    pub fn below(&mut self, n: usize) -> usize {
        usize::try_from(self.next() % n as u64).expect("small")
    }

    pub fn pick<'a, T: ?Sized>(&mut self, list: &[&'a T]) -> &'a T {
        list[self.below(list.len())]
    }

    /// True in so many of a hundred cases.
    pub fn chance(&mut self, percent: usize) -> bool {
        self.below(100) < percent
    }

    pub fn digits(&mut self, n: usize) -> String {
        (0..n).map(|_| char::from(b'0' + u8::try_from(self.below(10)).expect("a digit"))).collect()
    }

    /// `#` becomes a digit, `N` one from 2 to 9.
    pub fn pattern(&mut self, pattern: &str) -> String {
        pattern
            .chars()
            .map(|c| match c {
                '#' => char::from(b'0' + u8::try_from(self.below(10)).expect("a digit")),
                'N' => char::from(b'2' + u8::try_from(self.below(8)).expect("a digit")),
                c => c,
            })
            .collect()
    }
}

/// What the two sides say around the parts of a value that is given in several turns.
pub struct Splits<'a> {
    /// What the caller says before and behind the first part.
    pub first: &'a [&'a str],
    /// What the agent says between.
    pub between: &'a [&'a str],
    /// What the caller says around a later part.
    pub later: &'a [&'a str],
}

/// A call in which a value is given in these parts.
pub fn split_call(dice: &mut Dice, splits: &Splits<'_>, name: String, parts: &[String], label: &str, tagged: bool) -> Vec<Line> {
    let mut lines = Vec::new();
    for (n, part) in parts.iter().enumerate() {
        if n > 0 {
            let agent = dice.pick(splits.between);
            lines.push(Line { call: Some(name.clone()), agent: tagged, ..Line::plain(agent) });
        }
        let template = dice.pick(if n == 0 { splits.first } else { splits.later });
        lines.push(Line { call: Some(name.clone()), ..Line::of(template, part, label) });
    }
    lines
}

/// A set by its name.
pub type Set = (&'static str, Vec<Line>);

/// All sets.
pub fn sets() -> Vec<Set> {
    let mut sets = tune::sets();
    sets.extend(held::sets());
    sets
}

/// The last digit that makes a card's number right, or another one.
pub fn with_check(body: &str, right: bool) -> String {
    let sum: u32 = body
        .bytes()
        .rev()
        .enumerate()
        .map(|(n, b)| {
            let v = u32::from(b - b'0');
            if n % 2 == 0 { if v > 4 { 2 * v - 9 } else { 2 * v } } else { v }
        })
        .sum();
    let check = (10 - sum % 10) % 10;
    format!("{body}{}", if right { check } else { (check + 3) % 10 })
}

/// A card's number: prefix, length.
pub fn card(dice: &mut Dice, right: bool) -> String {
    let kinds: &[(&str, usize)] = &[
        ("4", 16),
        ("4", 13),
        ("4", 19),
        ("51", 16),
        ("55", 16),
        ("2221", 16),
        ("2500", 16),
        ("2720", 16),
        ("34", 15),
        ("37", 15),
        ("6011", 16),
        ("65", 16),
        ("644", 16),
        ("3528", 16),
        ("3589", 16),
        ("2131", 15),
        ("1800", 15),
        ("36", 14),
        ("38", 14),
        ("300", 14),
        ("62", 16),
        ("62", 19),
        ("5018", 12),
        ("5020", 16),
        ("5893", 13),
        ("6304", 16),
        ("6759", 19),
        ("6761", 18),
        ("56", 12),
        ("6762", 17),
    ];
    let (prefix, length) = kinds[dice.below(kinds.len())];
    let body = format!("{prefix}{}", dice.digits(length - 1 - prefix.len()));
    with_check(&body, right)
}
