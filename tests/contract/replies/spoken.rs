//! What of an answer can be said.

use proptest::prelude::*;
use rtvoice::model::phrase::{AudioFormat, Phrase};
use rtvoice::ports::replies::spoken::{MAX_CHARS, clean, whole_sentences};

#[test]
fn cuts_at_a_sentence_else_at_a_word_else_hard() {
    let sentence = format!("{}. {}", "a".repeat(3000), "b".repeat(3000));
    assert_eq!(clean(&sentence), format!("{}.", "a".repeat(3000)));
    let early = format!("Yes. {} {}", "a".repeat(3000), "b".repeat(3000));
    assert_eq!(clean(&early), format!("Yes. {}", "a".repeat(3000)), "a sentence in the first half gives too much away");
    assert_eq!(clean(&"a".repeat(5000)).len(), MAX_CHARS);
    let exact = format!("{} b", "a".repeat(MAX_CHARS));
    assert_eq!(clean(&exact), "a".repeat(MAX_CHARS), "a word that ends at the limit stays whole");
    assert_eq!(clean(&"a".repeat(MAX_CHARS)).len(), MAX_CHARS);
}

#[test]
fn a_point_inside_a_number_ends_no_sentence() {
    assert_eq!(whole_sentences("It is 3.5"), "It is 3.5");
    assert_eq!(whole_sentences("Good. It is 3.5"), "Good.");
    assert_eq!(whole_sentences("好。再"), "好。");
}

proptest! {
    #[test]
    fn whatever_is_left_is_a_sound_phrase(text in "(\\PC|\\s|[\u{0}-\u{20}]|[a-z. ]{1,40}|\u{fffe}|e\u{301}|e\u{0}\u{301}){0,300}") {
        let line = clean(&text);
        prop_assert!(line.chars().count() <= MAX_CHARS);
        prop_assert_eq!(clean(&line), line.clone(), "cleaning again changes nothing");
        if !line.is_empty() {
            let phrase = Phrase::new(&line, "v", "en-US", AudioFormat::Riff16Khz).unwrap();
            prop_assert_eq!(phrase.text(), line);
        }
    }
}
