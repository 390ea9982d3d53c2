//! Properties of the detector, tried on arbitrary texts and on texts made of what it looks for.

use proptest::prelude::*;
use rtvoice::privacy::detect::{Role, Said, Span, detect, detect_across, mask};

/// Words and signs that make values, in any order.
fn pieces() -> impl Strategy<Value = String> {
    let piece = prop::sample::select(vec![
        "four",
        "two",
        "five",
        "oh",
        "zero",
        "double",
        "triple",
        "twenty",
        "eleven",
        "hundred",
        "thousand",
        "and",
        "uh",
        "no",
        "sorry",
        "for",
        "to",
        "at",
        "dot",
        "dash",
        "underscore",
        "plus",
        "@",
        ".",
        "-",
        "(",
        ")",
        ",",
        "/",
        ":",
        "425",
        "555",
        "0123",
        "4111",
        "1111",
        "12",
        "1984",
        "+",
        "x45",
        "extension",
        "j",
        "o",
        "h",
        "n",
        "smith",
        "gmail",
        "com",
        "my",
        "name",
        "is",
        "anna",
        "card",
        "phone",
        "number",
        "pin",
        "account",
        "born",
        "march",
        "third",
        "order",
        "DE89",
        "iban",
        "www",
        "http",
        "//",
        "::",
        "as",
        "in",
        "[PHONE_NUMBER]",
        "[PERSON_NAME]",
        "[",
        "]",
        "é",
        "—",
        "\u{a0}",
        "social",
        "last",
        "digits",
        "mr",
        "one",
        "moment",
        "spelled",
        "the",
    ]);
    let gap = prop::sample::select(vec![" ", " ", " ", "", "  "]);
    prop::collection::vec((piece, gap), 0..40).prop_map(|parts| parts.into_iter().map(|(piece, gap)| format!("{piece}{gap}")).collect())
}

fn in_order(text: &str, spans: &[Span]) {
    let mut end = 0;
    for span in spans {
        assert!(span.start >= end && span.start < span.end && span.end <= text.len(), "{span:?} in {text:?}");
        assert!(text.is_char_boundary(span.start) && text.is_char_boundary(span.end));
        assert!(span.score > 0.0 && span.score <= 1.0, "{span:?}");
        end = span.end;
    }
}

fn holds(text: &str) {
    let spans = detect(text);
    in_order(text, &spans);
    let masked = mask(text, &spans);
    let again = detect(&masked);
    assert!(again.is_empty(), "{text:?} became {masked:?}, in which {again:?} is found");
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2000, ..ProptestConfig::default() })]

    #[test]
    fn arbitrary_text(text in "\\PC{0,200}") {
        holds(&text);
    }

    #[test]
    fn text_of_what_is_looked_for(text in pieces()) {
        holds(&text);
    }

    #[test]
    fn conversations(texts in prop::collection::vec((any::<bool>(), pieces()), 0..8)) {
        let said: Vec<Said<'_>> = texts.iter().map(|(agent, text)| Said { role: if *agent { Role::Agent } else { Role::Caller }, text }).collect();
        let spans = detect_across(&said);
        prop_assert_eq!(spans.len(), said.len());
        spans.iter().zip(&said).for_each(|(spans, said)| in_order(said.text, spans));
    }
}

/// What random bytes have brought to light (fuzz target `masker`).
#[test]
fn a_text_that_was_once_too_odd() {
    holds("la-t name agst name agaakn");
}
