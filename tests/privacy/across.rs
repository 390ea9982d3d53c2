//! Values that a caller gives over several turns.

use rtvoice::privacy::detect::{Role, Said, detect_across, mask};

/// The conversation with its values masked, given turn by turn as it stands; `a:` is the agent.
fn masked(turns: &[&str]) -> Vec<String> {
    let said: Vec<Said<'_>> =
        turns.iter().map(|turn| turn.strip_prefix("a: ").map_or(Said { role: Role::Caller, text: turn }, |text| Said { role: Role::Agent, text })).collect();
    detect_across(&said).iter().zip(&said).map(|(spans, said)| mask(said.text, spans)).collect()
}

#[test]
fn two_parts_with_the_agents_echo_between() {
    let got = masked(&["my number is four two five five five five", "a: four two five, five five five, go on", "oh one two three thanks"]);
    assert_eq!(got, ["my number is [PHONE_NUMBER]", "[PHONE_NUMBER], go on", "[PHONE_NUMBER] thanks"]);
}

#[test]
fn three_parts_of_a_card() {
    let got = masked(&["a: What is your card number?", "four one one one", "a: Yes?", "one one one one", "a: And?", "one one one one one one one one"]);
    assert_eq!(got, ["What is your card number?", "[CREDIT_CARD]", "Yes?", "[CREDIT_CARD]", "And?", "[CREDIT_CARD]"]);
}

#[test]
fn an_address_in_two_parts() {
    let got = masked(&["my email is john dot smith", "a: at which domain?", "at example dot com"]);
    assert_eq!(got, ["my email is [EMAIL_ADDRESS]", "at which domain?", "[EMAIL_ADDRESS]"]);
}

#[test]
fn the_rest_behind_a_mask() {
    let got = masked(&["my card number is [CREDIT_CARD]", "a: Go on.", "one one one one"]);
    assert_eq!(got[2], "[CREDIT_CARD]");
}

#[test]
fn what_was_asked_announces_the_answer() {
    let got = |question: &str, answer: &str| masked(&[&format!("a: {question}"), answer])[1].clone();
    assert_eq!(got("What is your date of birth?", "march third nineteen eighty four"), "[DATE_OF_BIRTH]");
    assert_eq!(got("Please tell me your PIN.", "it's four two one one"), "it's [PIN]");
    assert_eq!(got("Can I have your last name?", "kowalski k o w a l s k i"), "[PERSON_NAME]");
    assert_eq!(got("What is your order number?", "four two five five five five oh one two three"), "four two five five five five oh one two three");
}

#[test]
fn ordinary_numbers_in_turns_are_no_parts() {
    for turns in [
        ["i have two dogs", "a: nice", "and three cats and five birds"],
        ["it was in twenty nineteen", "a: okay", "i think four or five times"],
        ["four hundred and twenty five", "a: And how many boxes?", "five hundred and fifty five"],
        ["order number four two five five five five", "a: go on", "oh one two three"],
    ] {
        let plain: Vec<String> = turns.iter().map(|t| t.trim_start_matches("a: ").to_owned()).collect();
        assert_eq!(masked(&turns), plain);
    }
}

#[test]
fn texts_before_the_window_are_not_looked_at() {
    let mut turns = vec!["my number is 425-555-0123"];
    turns.extend(["yes", "two of them", "or three", "maybe four", "sure", "well five"]);
    assert_eq!(masked(&turns)[0], "my number is 425-555-0123");
    assert!(detect_across(&[]).is_empty());
}
