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
    turns.extend(["yes", "two of them", "or three", "maybe four", "sure", "well five", "six", "no seven"]);
    assert_eq!(masked(&turns)[0], "my number is 425-555-0123");
    assert!(detect_across(&[]).is_empty());
}

/// Nothing of the parts is left, whether the earlier texts are masked as they come or all at once.
#[track_caller]
fn nothing_left(turns: &[&str], expected: &[&str]) {
    assert_eq!(masked(turns), expected);
    as_they_come(turns, expected);
}

/// The same where each turn is masked in the light of those before it, which are masked already.
#[track_caller]
fn as_they_come(turns: &[&str], expected: &[&str]) {
    let mut kept: Vec<String> = Vec::new();
    for turn in turns {
        kept.push((*turn).to_owned());
        let texts: Vec<&str> = kept.iter().map(String::as_str).collect();
        let now = masked(&texts);
        for (text, now) in kept.iter_mut().zip(now) {
            let agent = if text.starts_with("a: ") { "a: " } else { "" };
            *text = format!("{agent}{now}");
        }
    }
    let kept: Vec<&str> = kept.iter().map(|text| text.strip_prefix("a: ").unwrap_or(text)).collect();
    assert_eq!(kept, expected, "as they come");
}

const NAME: &str = "[PERSON_NAME]";
const BIRTH: &str = "[DATE_OF_BIRTH]";
const MAIL: &str = "[EMAIL_ADDRESS]";
const CARD: &str = "[CREDIT_CARD]";
const ACCOUNT: &str = "[ACCOUNT_NUMBER]";

#[test]
fn names_in_parts() {
    nothing_left(&["my name is", "a: yes?", "sarah connor"], &["my name is", "yes?", NAME]);
    nothing_left(&["sarah", "a: okay", "connor, c o n n o r"], &[NAME, "okay", NAME]);
    nothing_left(
        &["my first name is sarah", "a: okay", "hold on", "last name connor"],
        &["my first name is [PERSON_NAME]", "okay", "hold on", "last name [PERSON_NAME]"],
    );
    nothing_left(
        &["a: Your name please.", "one moment", "a: sure, take your time", "sarah connor"],
        &["Your name please.", "one moment", "sure, take your time", NAME],
    );
    nothing_left(
        &["a: who am i speaking with?", "sarah", "a: What's the next part?", "connor", "a: mhm", "c o n n o r"],
        &["who am i speaking with?", NAME, "What's the next part?", NAME, "mhm", NAME],
    );
}

#[test]
fn dates_of_birth_in_parts() {
    nothing_left(&["born on the seventeenth of july", "a: go on", "nineteen ninety one"], &["born on the [DATE_OF_BIRTH]", "go on", BIRTH]);
    nothing_left(
        &["a: Date of birth?", "july", "a: yes", "seventeen", "a: And the year?", "ninety one"],
        &["Date of birth?", BIRTH, "yes", BIRTH, "And the year?", BIRTH],
    );
    nothing_left(
        &["i was born on the third", "sorry my dog is barking", "of february", "nineteen fifty seven"],
        &["i was born on the [DATE_OF_BIRTH]", "sorry my dog is barking", "of [DATE_OF_BIRTH]", BIRTH],
    );
}

#[test]
fn addresses_in_parts() {
    nothing_left(&["sarah dot connor", "a: okay", "at example", "a: yes", "dot com"], &[MAIL, "okay", MAIL, "yes", MAIL]);
    nothing_left(&["a: Your e-mail?", "s a r a h", "a: okay", "connor", "a: okay", "at gmail dot com"], &["Your e-mail?", MAIL, "okay", MAIL, "okay", MAIL]);
    nothing_left(&["the address is quill farthing", "at example dot org"], &["the address is [EMAIL_ADDRESS]", MAIL]);
}

#[test]
fn numbers_in_parts_whatever_each_looks_like() {
    nothing_left(
        &["my account number is one six one", "i've been waiting twenty minutes by the way", "and nine oh four four", "a: and the rest?", "three three"],
        &["my account number is [ACCOUNT_NUMBER]", "i've been waiting twenty minutes by the way", "and [ACCOUNT_NUMBER]", "and the rest?", ACCOUNT],
    );
    nothing_left(
        &["the card is three seven three four", "a: how does it go on?", "um five three three six eight three three four five oh four"],
        &["the card is [CREDIT_CARD]", "how does it go on?", "um [CREDIT_CARD]"],
    );
    nothing_left(
        &["my social is one two three", "a: go on", "four five", "a: yes", "six seven eight nine"],
        &["my social is [US_SSN]", "go on", "[US_SSN]", "yes", "[US_SSN]"],
    );
}

#[test]
fn one_value_after_the_other_in_parts() {
    as_they_come(
        &[
            "you can call me on 206",
            "555 0119",
            "a: perfect",
            "my card number is 4539",
            "1488 0343",
            "it's thirty degrees in here",
            "6467",
            "a: thank you",
            "my email is quill dot farthing",
            "at example dot org",
            "i was born on march third",
            "eighty four",
        ],
        &[
            "you can call me on [PHONE_NUMBER]",
            "[PHONE_NUMBER]",
            "perfect",
            "my card number is [CREDIT_CARD]",
            CARD,
            "it's thirty degrees in here",
            CARD,
            "thank you",
            "my email is [EMAIL_ADDRESS]",
            MAIL,
            "i was born on [DATE_OF_BIRTH]",
            BIRTH,
        ],
    );
}

#[test]
fn what_the_agent_repeats_word_by_word() {
    nothing_left(&["quill dot farthing", "a: Quill dot farthing, yes?", "at example dot org"], &[MAIL, "[EMAIL_ADDRESS], yes?", MAIL]);
}

#[test]
fn talk_between_parts_is_no_part() {
    nothing_left(
        &["my phone is two oh six", "oh for heaven's sake", "there are 3 people ahead of me", "five five five oh one one nine"],
        &["my phone is [PHONE_NUMBER]", "oh for heaven's sake", "there are 3 people ahead of me", "[PHONE_NUMBER]"],
    );
}

#[test]
fn a_question_between_does_not_hide_the_rest() {
    let got = masked(&["my phone number is four two five five five five", "a: Where is your order from, and what is its number?", "oh one eight seven"]);
    assert_eq!(got[2], "[PHONE_NUMBER]");
    let got = masked(&["my phone number is four two five five five five", "a: And how many people will come?", "four of us"]);
    assert_eq!(got[2], "four of us");
}
