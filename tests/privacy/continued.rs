//! The end of a number whose beginning looked whole in the turn before.

use rtvoice::config::StorePii;
use rtvoice::model::conversation::{Entry, Window, Words};
use rtvoice::privacy::detect::Bearing;
use rtvoice::steps::masking::{Talk, hear};

/// What is kept of these turns in the end; each is what the caller said and what was answered.
fn kept(turns: &[(&str, &str)]) -> Vec<String> {
    let (mut window, talk) = (Window::default(), Talk::default());
    for (said, answered) in turns {
        let heard = hear(&talk, &window, said, Bearing::of(said), StorePii::Masked);
        for (seq, entry) in heard.revisions {
            let place = window.seqs.iter().position(|s| *s == seq).unwrap();
            window.entries[place] = entry;
        }
        let words = Words { user: Some(heard.text), assistant: Some((*answered).to_owned()), ..Words::default() };
        window.seqs.push(window.seqs.len() as u64 + 1);
        window.entries.push(Entry { turn_id: format!("t{}", window.seqs.len()), words, ..Entry::default() });
    }
    window.entries.into_iter().map(|entry| entry.words.user.unwrap()).collect()
}

const DIGITS: [&str; 11] = ["oh", "zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine"];

fn nothing_left(turns: &[(&str, &str)]) {
    for text in kept(turns) {
        let left = text.split_whitespace().any(|word| DIGITS.contains(&word.trim_matches(',')) || word.bytes().any(|b| b.is_ascii_digit()));
        assert!(!left, "{text} is left of {turns:?}");
    }
}

#[test]
fn a_card_in_three_turns_is_masked_to_its_end() {
    let ok = "Okay.";
    nothing_left(&[("my card number is four five three nine", ok), ("one four eight eight oh three four three", ok), ("six four six seven", ok)]);
    nothing_left(&[("it's 4539 1488", "Go on."), ("0343", "And the last four digits?"), ("6467", ok)]);
    nothing_left(&[("my amex is three seven eight two", ok), ("eight two two four six three one", ok), ("oh oh oh five", ok)]);
}

#[test]
fn what_answers_another_question_stays() {
    let turns = [("my phone number is four two five five five five oh one two three", "Thank you. How many people will come?"), ("four of us", "Noted.")];
    assert_eq!(kept(&turns)[1], "four of us");
    let turns = [("my number is 425 555 0123", "Thank you."), ("I would like two tickets for the 8 o'clock show", "Noted.")];
    assert_eq!(kept(&turns)[1], "I would like two tickets for the 8 o'clock show");
}
