//! Phrases: what is refused, what counts as the same phrase, and the hash that names its audio.

use proptest::prelude::*;
use rtvoice::error::Kind;
use rtvoice::model::phrase::{AudioFormat, MAX_CHARS, Phrase};

fn phrase(text: &str) -> Phrase {
    Phrase::new(text, "en-US-AvaMultilingualNeural", "en-US", AudioFormat::Riff16Khz).unwrap()
}

fn refused(text: &str, voice: &str, language: &str) -> Option<String> {
    let error = Phrase::new(text, voice, language, AudioFormat::Riff16Khz).unwrap_err();
    assert_eq!(error.kind, Kind::BadInput);
    error.field
}

/// Computed once with Python: SHA-256 over each part, preceded by `len(part).to_bytes(8, "big")`.
#[test]
fn the_hash_is_the_one_that_other_programs_compute() {
    assert_eq!(phrase("Hello there, café 😀!").hash(), "a7ce00bda3baebe7eb899f6a3c4b504f9ca3500d36567ad2f8e95231595a3eb0");
    assert_eq!(phrase(" Hello\u{a0}\tthere,\r\n cafe\u{301} 😀! ").hash(), phrase("Hello there, café 😀!").hash());
}

#[test]
fn every_part_counts() {
    let hash = |text, voice, language, format| Phrase::new(text, voice, language, format).unwrap().hash();
    let base = hash("ab", "v", "en", AudioFormat::Riff16Khz);
    let others = [
        hash("abc", "v", "en", AudioFormat::Riff16Khz),
        hash("Ab", "v", "en", AudioFormat::Riff16Khz),
        hash("ab", "w", "en", AudioFormat::Riff16Khz),
        hash("ab", "v", "de", AudioFormat::Riff16Khz),
        hash("ab", "v", "en", AudioFormat::Riff8Khz),
        // The same letters, divided otherwise.
        hash("ab", "ve", "nx", AudioFormat::Riff16Khz),
        hash("ab", "v", "enx", AudioFormat::Riff16Khz),
    ];
    assert!(others.iter().all(|other| *other != base));
    assert_eq!(others.iter().collect::<std::collections::BTreeSet<_>>().len(), others.len());
}

#[test]
fn what_cannot_be_spoken_is_refused() {
    assert_eq!(phrase(&"x".repeat(MAX_CHARS)).text().len(), MAX_CHARS);
    for text in ["", " \t\r\n\u{a0}", &"x".repeat(MAX_CHARS + 1), "a\u{0}b", "a\u{1b}b", "a\u{7f}b", "a\u{9f}b", "a\u{fffe}b", "a\u{ffff}b"] {
        assert_eq!(refused(text, "v", "en").as_deref(), Some("text"), "{text:?}");
    }
    for voice in ["", "a b", "a\"b", "a<b", "ä", &"v".repeat(101)] {
        assert_eq!(refused("x", voice, "en").as_deref(), Some("voice"), "{voice:?}");
    }
    for language in ["", "e", "en_US", "en US", "en\"", &"e".repeat(36)] {
        assert_eq!(refused("x", "v", language).as_deref(), Some("language"), "{language:?}");
    }
}

#[test]
fn formats_go_by_their_names() {
    for format in AudioFormat::ALL {
        assert_eq!(AudioFormat::parse(format.name()).unwrap(), format);
    }
    assert_eq!(AudioFormat::parse("audio-16khz-128kbitrate-mono-mp3").unwrap_err().field.as_deref(), Some("format"));
}

proptest! {
    #[test]
    fn folding_is_stable_and_ignores_white_space(words in proptest::collection::vec("[a-zäé😀א<&\"]{1,8}", 1..20), gaps in proptest::collection::vec("[ \t\n\u{a0}\u{2003}]{1,3}", 20)) {
        let plain = phrase(&words.join(" "));
        let wide: String = words.iter().zip(&gaps).flat_map(|(word, gap)| [gap.as_str(), word]).collect();
        prop_assert_eq!(&phrase(&wide), &plain);
        prop_assert_eq!(phrase(plain.text()), plain);
    }

    #[test]
    fn parts_never_run_into_each_other(letters in "[a-z]{6,20}", one in 1_usize..5, two in 1_usize..5) {
        prop_assume!(one != two);
        let divide = |at: usize| Phrase::new(&letters[at..], &letters[..at], "en", AudioFormat::Riff16Khz).unwrap().hash();
        prop_assert_ne!(divide(one), divide(two));
    }

    #[test]
    fn a_hash_is_64_lower_case_hexadecimal_digits(text in "\\PC{1,50}x") {
        let hash = phrase(&text).hash();
        prop_assert!(hash.len() == 64 && hash.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f')));
    }
}
