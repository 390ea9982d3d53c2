//! Scores `pii detect` on sets that another hand made from the description alone. `blind-tune` was tuned on from the
//! beginning; `blind-held`, `blind-third` (whose lines tell no roles), `blind-fourth`, `blind-fifth` and `blind-sixth` were
//! unseen at first and opened later, so that all are tuning material now and say how far the detector came, not how it does
//! on what nobody has seen. (On the unseen half of the fourth it raised 3.9 alarms in 1,000 ordinary sentences and found
//! 0.993 of what was spoken. On the fifth while it was unseen: 4.5 in 1,000, recall of spoken phones 0.947, cards 0.912,
//! e-mail 0.895 at precision 0.912, others 0.983 at 0.991. Of its 4,450 ordinary lines a third is kept, with all 20 that
//! alarmed. On the sixth while it was unseen: 5.9 in 1,000, recall of spoken phones 0.947, cards 0.952, e-mail 0.905 at
//! precision 0.931, others 0.952 at 0.987, dates of birth among them 0.841 and names 0.891.)
//!
//! A value is found where spans of its label cover three quarters of it; a span of which not half belongs to a value of its
//! label is a false alarm. A call is whole where no word of its values is left. The table is printed with `--nocapture`.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use rtvoice::ops::pii::{PiiCommand, run};
use serde::Deserialize;

#[derive(Deserialize)]
struct Line {
    id: String,
    call: Option<String>,
    spans: Vec<Span>,
    /// What may be found as well.
    #[serde(default)]
    optional: Vec<Span>,
}

#[derive(Deserialize)]
struct Answer {
    id: String,
    spans: Vec<Span>,
}

#[derive(Deserialize)]
struct Span {
    start: usize,
    end: usize,
    label: String,
}

/// How a set was done.
#[derive(Debug, Default, Clone, Copy)]
struct Score {
    lines: usize,
    values: usize,
    found: usize,
    spans: usize,
    alarms: usize,
    calls: usize,
    whole: usize,
}

impl Score {
    fn recall(self) -> f64 {
        share(self.found, self.values)
    }

    fn precision(self) -> f64 {
        share(self.spans - self.alarms, self.spans)
    }
}

fn share(part: usize, whole: usize) -> f64 {
    if whole == 0 { 1.0 } else { f64::from(u32::try_from(part).unwrap()) / f64::from(u32::try_from(whole).unwrap()) }
}

/// How much of a span the others of its label cover.
fn covered<'a>(span: &Span, others: impl Iterator<Item = &'a Span>) -> usize {
    let same = others.filter(|other| other.label == span.label);
    let places: BTreeSet<usize> = same.flat_map(|other| span.start.max(other.start)..span.end.min(other.end)).collect();
    places.len()
}

fn score(text: &str) -> Score {
    let (mut output, mut complaints) = (Vec::new(), Vec::new());
    assert!(run(PiiCommand::Detect, &mut text.as_bytes(), &mut output, &mut complaints).unwrap(), "{}", String::from_utf8_lossy(&complaints));
    let answers = output.split(|b| *b == b'\n').filter(|line| !line.is_empty()).map(|line| serde_json::from_slice::<Answer>(line).unwrap());
    let answers: BTreeMap<String, Vec<Span>> = answers.map(|answer| (answer.id, answer.spans)).collect();
    let mut score = Score::default();
    let mut calls: BTreeMap<String, bool> = BTreeMap::new();
    for line in text.lines().map(|line| serde_json::from_str::<Line>(line).unwrap()) {
        let got = &answers[&line.id];
        let found = line.spans.iter().filter(|span| 4 * covered(span, got.iter()) >= 3 * (span.end - span.start)).count();
        let wrong = got.iter().filter(|span| 2 * covered(span, line.spans.iter().chain(&line.optional)) < span.end - span.start).count();
        (score.lines, score.values, score.found) = (score.lines + 1, score.values + line.spans.len(), score.found + found);
        (score.spans, score.alarms) = (score.spans + got.len(), score.alarms + wrong);
        if let Some(call) = line.call {
            *calls.entry(call).or_insert(true) &= found == line.spans.len();
        }
    }
    (score.calls, score.whole) = (calls.len(), calls.values().filter(|whole| **whole).count());
    score
}

#[test]
fn sets_of_another_hand_reach_the_aims() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/pii");
    let mut scores: BTreeMap<String, Score> = BTreeMap::new();
    for path in std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()) {
        if let Some(name) = path.file_stem().unwrap().to_str().unwrap().strip_prefix("blind-") {
            scores.insert(name.to_owned(), score(&std::fs::read_to_string(&path).unwrap()));
        }
    }
    for (name, s) in &scores {
        println!(
            "{name:26} lines {:5}  values {:4}  recall {:.4}  precision {:.4}  alarms {:3}  calls {}/{}",
            s.lines,
            s.values,
            s.recall(),
            s.precision(),
            s.alarms,
            s.whole,
            s.calls
        );
    }
    let holds = |set: &str, recall: f64, precision: f64| {
        for part in ["tune", "held"] {
            let s = scores[&format!("{part}-{set}")];
            assert!(s.values >= 40 && s.recall() >= recall && s.precision() >= precision, "{part}-{set}: {s:?}");
        }
    };
    for set in ["phone_spoken", "card_spoken", "email_spoken", "phone_written_us", "email_written", "split_phone", "split_card", "split_acct", "split_ssn"] {
        holds(set, 0.97, 0.95);
    }
    holds("card_written", 1.0, 0.95);
    holds("phone_written_world", 0.80, 0.95);
    for set in
        ["ssn_spoken", "ssn_written", "iban_spoken", "iban_written", "ip_spoken", "ip_written", "url_spoken", "url_written", "pin", "split_dob", "split_chain"]
    {
        holds(set, 0.95, 0.95);
    }
    for set in ["split_email", "split_name", "dob_spoken", "dob_written", "dob_orders", "acct_spoken", "name"] {
        holds(set, 0.95, 0.95);
    }
    for set in ["names", "dob", "splits", "spoken", "written"] {
        let s = scores[&format!("third-{set}")];
        assert!(s.values >= 150 && s.recall() >= 0.97 && s.precision() >= 0.98 && s.whole * 100 >= s.calls * 98, "third-{set}: {s:?}");
    }
    let spoken = scores["fourth-spoken"];
    assert!(spoken.values >= 300 && spoken.recall() >= 0.97 && spoken.precision() >= 0.97, "fourth-spoken: {spoken:?}");
    for (set, least) in [("fifth-spoken", 1000), ("fifth-others", 700), ("sixth-spoken", 750), ("sixth-others", 450)] {
        let s = scores[set];
        assert!(s.values >= least && s.recall() >= 0.98 && s.precision() >= 0.98, "{set}: {s:?}");
    }
    for part in ["tune", "held", "third", "fourth", "fifth", "sixth"] {
        let ordinary = scores[&format!("{part}-ordinary")];
        assert!(ordinary.lines >= 500 && ordinary.alarms * 1000 <= ordinary.lines, "{part}: {ordinary:?}");
    }
}
