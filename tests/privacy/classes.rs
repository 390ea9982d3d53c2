//! Each class of value and of false alarm by examples that say what they are about.

use rtvoice::privacy::detect::{Label, detect, mask};

/// The text with its values masked.
fn masked(text: &str) -> String {
    mask(text, &detect(text))
}

#[track_caller]
fn stays(texts: &[&str]) {
    for text in texts {
        assert_eq!(masked(text), *text);
    }
}

#[track_caller]
fn becomes(pairs: &[(&str, &str)]) {
    for (text, expected) in pairs {
        assert_eq!(masked(text), *expected, "{text}");
    }
}

#[test]
fn telephone_numbers_written_in_many_ways() {
    for number in [
        "+1 (425) 555-0123 x45",
        "425.555.0123",
        "00 44 20 7946 0958",
        "020 7946 0958",
        "+49 30 901820",
        "(02) 9876 5432",
        "06 12 34 56 78",
        "090-1234-5678",
        "4255550123",
        "1-800-555-0199",
        "+44 (0)20 7946 0958",
        "+442079460958",
        "011 44 20 7946 0958",
    ] {
        becomes(&[(&format!("call me at {number}."), "call me at [PHONE_NUMBER]."), (number, "[PHONE_NUMBER]")]);
    }
}

#[test]
fn telephone_numbers_as_they_are_said() {
    for number in [
        "four two five double five five oh one two three",
        "four twenty five fifty five five oh one twenty three",
        "plus one four two five five five five oh one two three",
        "eight hundred five five five one two three four",
        "four two five uh five five five um oh one two three",
        "four two five no sorry five two five five five five oh one two three",
        "4 2 5 five five five 0123",
        "four two five, five five five, oh one two three",
        "four two five five five five oh one two three extension twelve",
        "four two five for five five oh one two three",
    ] {
        becomes(&[(&format!("my number is {number}"), "my number is [PHONE_NUMBER]"), (number, "[PHONE_NUMBER]")]);
    }
}

#[test]
fn cards_of_all_lengths_and_issuers() {
    for number in
        ["4111111111111111", "4222222222222", "378282246310005", "30569309025904", "2223003122003222", "213112345678909", "6759649826438453", "5018000000009"]
    {
        assert_eq!(masked(&format!("my card number is {number}")), "my card number is [CREDIT_CARD]");
    }
    becomes(&[
        ("3782 822463 10005", "[CREDIT_CARD]"),
        ("it's 5555-5555-5555-4444 okay", "it's [CREDIT_CARD] okay"),
        ("forty-one eleven eleven eleven eleven eleven eleven eleven", "[CREDIT_CARD]"),
        // Card length, offered as a card, a wrong check digit and no issuer.
        ("my credit card is 1234567890123", "my credit card is [CREDIT_CARD]"),
        ("visa 4111 1111 1111 1112", "visa [CREDIT_CARD]"),
    ]);
    let score = |text: &str| detect(text)[0].score;
    assert!(score("visa 4111 1111 1111 1111") > score("visa 4111 1111 1111 1112"), "the check digit moves the score");
}

#[test]
fn addresses_spoken_spelled_and_written() {
    for address in [
        "john dot smith at example dot com",
        "j o h n dot smith at gmail dot com",
        "jane underscore doe ninety two at yahoo dot co dot uk",
        "b as in boy o b at g mail dot com",
        "john.smith+tag@sub.example.co.uk",
        "john dot smith@gmail.com",
        "info at my dash company dot com",
        "jsmith at gmail",
    ] {
        assert_eq!(masked(&format!("my email is {address}")), "my email is [EMAIL_ADDRESS]");
    }
    becomes(&[("go to www dot example dot com slash help", "go to [URL]"), ("see https://example.com/a?b=c.", "see [URL].")]);
    becomes(&[
        ("it is one ninety two dot one sixty eight dot one dot one", "it is [IP_ADDRESS]"),
        ("ping fe80::1ff:fe23:4567:890a now", "ping [IP_ADDRESS] now"),
    ]);
}

#[test]
fn what_only_its_announcement_makes_a_value() {
    becomes(&[
        ("my ssn is 123-45-6789", "my ssn is [US_SSN]"),
        ("my social is one two three four five six seven eight nine", "my social is [US_SSN]"),
        ("iban DE89 3704 0044 0532 0130 00", "iban [IBAN_CODE]"),
        ("g b two nine n w b k six oh one six one three three one nine two six eight one nine", "[IBAN_CODE]"),
        ("i was born on march third nineteen eighty four", "i was born on [DATE_OF_BIRTH]"),
        ("date of birth 03/14/1984", "date of birth [DATE_OF_BIRTH]"),
        ("my pin is four two one one", "my pin is [PIN]"),
        ("cvv 123", "cvv [PIN]"),
        ("account number is 12345678", "account number is [ACCOUNT_NUMBER]"),
        ("my name is anna smith and i live in boston", "my name is [PERSON_NAME] and i live in boston"),
        ("last name smith s m i t h", "last name [PERSON_NAME]"),
        ("My name is Anna, a n n a.", "My name is [PERSON_NAME]."),
    ]);
}

#[test]
fn numbers_that_are_nobodys_stay() {
    stays(&[
        "550e8400-e29b-41d4-a716-446655440000",
        "my order number is 4255550123",
        "confirmation number four two five five five five oh one two three",
        "serial number SN-4255550123",
        "the tracking number is 1 2 3 4 5 6 7 8 9 0 1 2",
        "pi is 3.14159265358979",
        "it cost $1,234,567.89 in 2019",
        "flight ba two eight seven at nine thirty five from gate twenty two",
        "room four twelve at 10:30 on 2024-01-15",
        "version 1.2.3.4 and version one dot two dot three dot four",
        "one two three testing one two three",
        "one two three four five six seven eight nine ten",
        "i have two dogs, three cats and twenty five fish",
        "we were there in nineteen eighty four and in twenty twenty one",
        "twenty three million four hundred fifty six thousand seven hundred eighty nine",
    ]);
}

#[test]
fn words_that_only_look_like_announcements_stay() {
    stays(&[
        "my name is on the account",
        "my name is spelled wrong",
        "the name is not correct",
        "this is great thank you",
        "my pin does not work",
        "i changed my pin in 2019",
        "my birthday is in march",
        "call me back tomorrow",
        "let's meet at noon at the office",
        "i work at google",
        "my account has 15000 dollars in it",
    ]);
}

#[test]
fn spans_and_masks() {
    let text = "né à — call 425-555-0123 or jöhn@example.com";
    let spans = detect(text);
    assert_eq!(spans.iter().map(|s| s.label).collect::<Vec<_>>(), [Label::PhoneNumber, Label::EmailAddress]);
    assert_eq!(mask(text, &spans), "né à — call [PHONE_NUMBER] or [EMAIL_ADDRESS]");
    assert_eq!(masked("call [PHONE_NUMBER] or [PERSON_NAME] at [EMAIL_ADDRESS]"), "call [PHONE_NUMBER] or [PERSON_NAME] at [EMAIL_ADDRESS]");
    assert_eq!(mask("short", &[rtvoice::privacy::detect::Span { start: 2, end: 90, label: Label::Pin, score: 1.0 }]), "short");
}

#[test]
fn a_long_text_is_read_piece_by_piece() {
    let talk = "we talked about the weather and the garden for a while. ";
    let mut text = String::new();
    for _ in 0..400 {
        text.push_str(&talk.repeat(20));
        text.push_str("my number is 425-555-0123. ");
    }
    assert_eq!(detect(&text).len(), 400);
    assert_eq!(detect(&"one ".repeat(200_000)).len(), 0);
}

#[test]
fn digits_of_other_scripts_are_digits() {
    becomes(&[
        ("my number is \u{ff14}\u{ff12}\u{ff15} \u{ff15}\u{ff15}\u{ff15} \u{ff10}\u{ff11}\u{ff12}\u{ff13} now", "my number is [PHONE_NUMBER] now"),
        ("my ssn is \u{661}\u{662}\u{663}-\u{664}\u{665}-\u{666}\u{667}\u{668}\u{669}", "my ssn is [US_SSN]"),
        ("né: \u{1d7d2}111 1111 1111 1111", "né: [CREDIT_CARD]"),
        ("write to jo\u{ff19}@example.com \u{2014} \u{ff10}", "write to [EMAIL_ADDRESS] \u{2014} \u{ff10}"),
    ]);
}

#[test]
fn dates_of_birth_in_any_order_and_corrected() {
    for date in [
        "nineteen eighty four on the third of march",
        "eighty four march third",
        "march third nineteen eighty two i mean 1992",
        "march third nineteen eighty four no sorry march fourth",
        "18-Sep-1967",
        "may twenty seventh er nineteen fifty six",
    ] {
        becomes(&[(&format!("i was born {date}"), "i was born [DATE_OF_BIRTH]")]);
    }
    becomes(&[(
        "month is april day is seventh year is nineteen fifty nine that's my date of birth",
        "month is [DATE_OF_BIRTH] day is [DATE_OF_BIRTH] year is [DATE_OF_BIRTH] that's my date of birth",
    )]);
}

#[test]
fn names_of_who_speaks() {
    becomes(&[
        ("It's Sarah Connor.", "It's [PERSON_NAME]."),
        ("it's Sarah Connor speaking", "it's [PERSON_NAME] speaking"),
        ("Okay Helen Schneider speaking how can i help", "Okay [PERSON_NAME] speaking how can i help"),
        ("i'm called annabel pasternak", "i'm called [PERSON_NAME]"),
        ("my name is oliver um fitzgerald", "my name is [PERSON_NAME]"),
    ]);
    stays(&[
        "the hotel's name is grand plaza",
        "we're on a first name basis",
        "i want a dr pepper",
        "strictly speaking it's late",
        "my dog's name is rex",
        "it's raining here",
    ]);
}

#[test]
fn a_number_that_is_named_as_a_things_stays() {
    stays(&[
        "order number 4111 1111 1111 1111",
        "the tracking number is 4539-1488-0343-6467 and nothing came",
        "the redemption code is 6011 0009 9013 9424",
        "the tracking number is one z two six six five nine seven two five",
        "the serial number on the back is k four two zero eight five t",
        "i bought 28 shares at 140.53",
    ]);
    becomes(&[
        ("my order was paid with card 4539 1488 0343 6467", "my order was paid with card [CREDIT_CARD]"),
        ("it's about my order, my number is 425 555 0123", "it's about my order, my number is [PHONE_NUMBER]"),
    ]);
}

#[test]
fn talk_in_the_middle_of_a_number() {
    becomes(&[
        (
            "my card number is four five three nine where are my glasses one four eight eight oh three four three six four six seven",
            "my card number is [CREDIT_CARD]",
        ),
        ("call me at four two five it's so loud here five five five oh one two three", "call me at [PHONE_NUMBER]"),
        ("send it to anna jansen at hotmail i mean at yahoo dot com", "send it to [EMAIL_ADDRESS]"),
    ]);
}

#[test]
fn what_is_no_name_behind_my_name_is() {
    stays(&[
        "my name is nowhere on that document",
        "my name is being mispronounced by everyone",
        "my name is irrelevant",
        "my name is nowhere on that form also u p s gave me no receipt",
        "hello this is awful service from you people",
        "hi there i'm locked out and i'm calling about it",
        "it's under warranty that's my understanding",
    ]);
    becomes(&[
        ("good morning this is zainab haugen from accounting", "good morning this is [PERSON_NAME] from accounting"),
        ("hi there i'm rosa whitlock and i'm calling about a refund", "hi there i'm [PERSON_NAME] and i'm calling about a refund"),
        ("it's under amara delgado that's my name", "it's under [PERSON_NAME] that's my name"),
        ("i spell it b i a n c h i that's my surname", "i spell it [PERSON_NAME] that's my surname"),
        ("my name would be keiko tran", "my name would be [PERSON_NAME]"),
        ("my last name is fleming", "my last name is [PERSON_NAME]"),
    ]);
}

#[test]
fn letters_before_a_number_say_what_it_is_of() {
    stays(&[
        "p o number nine seven four zero nine seven five was short four units",
        "p o number #96885508 was short forty seven units",
        "the r m a number is seven seven four two one three zero nine one four",
        "the serial on the back is four four one two zero zero nine eight seven six",
        "in nineteen eighty four we had 50000 visitors and in nineteen ninety one 60000",
    ]);
    becomes(&[("my s s n number is one two three four five six seven eight nine", "my s s n number is [US_SSN]")]);
}

#[test]
fn hesitation_inside_any_value_and_dates_in_any_order() {
    becomes(&[
        ("born july thirteenth let me see here nineteen sixty", "born [DATE_OF_BIRTH]"),
        ("born in march of nineteen forty five the eighth", "born in [DATE_OF_BIRTH]"),
        ("she was born in nineteen seventy six in december on the third", "she was born in [DATE_OF_BIRTH]"),
        ("i was born in sixty two", "i was born in [DATE_OF_BIRTH]"),
        ("the birth date on file should be twelve ten nineteen fifty nine", "the birth date on file should be [DATE_OF_BIRTH]"),
        ("my e mail is felix dash hold on p e r e i r a at outlook dot com", "my e mail is [EMAIL_ADDRESS]"),
        ("account three one nine two let me see here zero three double five", "account [ACCOUNT_NUMBER]"),
    ]);
}
