//! The sets that the detector was tuned on.

use super::voice::{self, Habits};
use super::{Dice, Line, Set, Splits, card, split_call, tune_talk, with_check, world};

const PLAIN: Habits = Habits {
    oh: 60,
    zeros: &["oh", "o", "oh"],
    double: 30,
    triple: "triple",
    pairs: 15,
    hyphen: false,
    filler: 15,
    fillers: &["uh", "um", "and", "then", "uh um", "and then", "let me see", "dash"],
    correct: 0,
    corrections: &["no sorry", "sorry", "wait no", "no", "i mean"],
    written: 0,
    comma: 0,
    commas: &[",", "."],
    slip: 0,
};

/// All that people say between digits.
const WIDE: Habits = Habits {
    filler: 40,
    fillers: &[
        "uh",
        "um",
        "er",
        "erm",
        "hmm",
        "okay",
        "ok",
        "yeah",
        "right",
        "so",
        "well",
        "like",
        "you know",
        "let me see",
        "hold on",
        "one second",
        "just a second",
        "wait a sec",
        "give me a moment",
        "bear with me",
        "dash",
        "hyphen",
        "space",
        "comma",
        "and",
        "then",
        "and then",
        "next",
        "followed by",
        "that's",
        "it's",
        "let's see",
        "one moment",
        "let me check",
        "sorry",
        "uh huh",
        "i think",
        "okay then",
        "ah",
        "where was i",
    ],
    corrections: &[
        "no",
        "no no",
        "sorry",
        "oh sorry",
        "no sorry",
        "wait",
        "no wait",
        "actually",
        "i mean",
        "sorry i mean",
        "scratch that",
        "correction",
        "oops",
        "my bad",
        "my mistake",
        "make that",
        "excuse me",
        "strike that",
        "rather",
        "oh wait",
        "oh no",
        "no actually",
        "sorry that's",
    ],
    zeros: &["oh", "o", "nought", "naught"],
    ..PLAIN
};

fn habits(dice: &mut Dice) -> Habits {
    let mut habits = if dice.chance(40) { WIDE } else { PLAIN };
    match dice.below(8) {
        0 => habits.correct = 100,
        1 => habits.written = 40,
        2 => (habits.comma, habits.filler) = (80, 0),
        3 => (habits.pairs, habits.hyphen) = (90, true),
        4 => (habits.pairs, habits.filler) = (90, 0),
        5 => habits.slip = 60,
        _ => {}
    }
    habits
}

const PHONE: &[&str] = &[
    "my number is {}",
    "you can call me back at {}",
    "{}",
    "yeah it's {}",
    "my phone number is {} thanks",
    "the best number to reach me is {}",
    "sure my cell is uh {}",
    "it's {} that's my mobile",
    "please call {} after six",
    "area code {}",
    "okay so {} is my phone number",
    "Yes, it's {}.",
    "um {}",
    "can you text me at {} please",
    "my home phone {}",
    "i am calling from {}",
];

fn phones(dice: &mut Dice) -> Vec<Line> {
    (0..600)
        .map(|_| {
            let digits = dice.pattern("N##N######");
            let habits = habits(dice);
            let mut groups = vec![digits[..3].to_owned(), digits[3..6].to_owned(), digits[6..].to_owned()];
            if dice.chance(10) {
                groups.insert(0, "1".to_owned());
            }
            if groups.len() == 3 && dice.chance(10) {
                groups[0] = dice.pick(&["800", "900", "600"]).to_owned();
            }
            let refs: Vec<&str> = groups.iter().map(String::as_str).collect();
            let mut said = voice::say(dice, &habits, &refs);
            if groups[0].ends_with("00") && dice.chance(50) && habits.written == 0 && habits.correct == 0 {
                let word = voice::number(usize::from(groups[0].as_bytes()[0] - b'0'));
                said = format!("{word} hundred {}", voice::say(dice, &habits, &refs[1..]));
            }
            if dice.chance(8) {
                said.push_str(dice.pick(&[" extension twelve", " extension four five", " ext 12", " extension three oh one"]));
            }
            let plus = groups[0] == "1" && dice.chance(60);
            let said = if plus { format!("plus {said}") } else { said };
            Line::of(dice.pick(PHONE), &said, "PHONE_NUMBER")
        })
        .collect()
}

const CARD: &[&str] = &[
    "my card number is {}",
    "the card is {}",
    "{}",
    "it's a visa {}",
    "okay the number on the card is {} expires next year",
    "sure {}",
    "credit card number {}",
    "i'd like to pay with {}",
    "my mastercard {}",
    "the long number is {}",
    "Yes. It's {}.",
    "put it on my amex {} please",
];

fn card_groups(number: &str) -> Vec<String> {
    let sizes: &[usize] = match number.len() {
        15 => &[4, 6, 5],
        14 => &[4, 6, 4],
        _ => &[4, 4, 4, 4, 4],
    };
    let mut groups = Vec::new();
    let mut rest = number;
    for size in sizes {
        let (group, tail) = rest.split_at((*size).min(rest.len()));
        if !group.is_empty() {
            groups.push(group.to_owned());
        }
        rest = tail;
    }
    groups
}

fn spoken_cards(dice: &mut Dice) -> Vec<Line> {
    (0..400)
        .map(|_| {
            let right = dice.chance(60);
            let number = loop {
                let number = card(dice, right);
                if number.len() >= 13 {
                    break number;
                }
            };
            let groups = card_groups(&number);
            let refs: Vec<&str> = groups.iter().map(String::as_str).collect();
            let habits = habits(dice);
            let template = if number.len() == 13 || number.len() == 14 { CARD[dice.below(2)] } else { dice.pick(CARD) };
            Line::of(template, &voice::say(dice, &habits, &refs), "CREDIT_CARD")
        })
        .collect()
}

fn written_cards(dice: &mut Dice) -> Vec<Line> {
    let templates = ["{}", "my card number is {}", "Card: {}", "please charge {} for it", "Visa {}", "it's {} on the front", "pay with {}, thanks"];
    (0..400)
        .map(|n| {
            let number = card(dice, n % 4 != 0);
            let groups = card_groups(&number);
            let text = match dice.below(4) {
                0 => groups.join(" "),
                1 => groups.join("-"),
                _ => number.clone(),
            };
            // Without a right check digit only what is printed like a card, or offered as one, is told.
            let bare = n % 4 != 0;
            let template = if bare && number.len() != 12 && number.len() != 13 { dice.pick(&templates) } else { templates[1] };
            Line::of(template, &text, "CREDIT_CARD")
        })
        .collect()
}

const FIRST: &[&str] =
    &["john", "mary", "anna", "peter", "jane", "robert", "lisa", "omar", "priya", "wei", "carlos", "ingrid", "tom", "sue", "deborah", "kevin"];
const LAST: &[&str] = &["smith", "doe", "kowalski", "garcia", "miller", "brown", "okafor", "nguyen", "patel", "schmidt", "rossi", "tanaka", "jones", "lopez"];
const DOMAIN: &[&str] = &[
    "gmail.com",
    "yahoo.com",
    "example.com",
    "hotmail.com",
    "outlook.com",
    "acme.org",
    "yahoo.co.uk",
    "mail.example.net",
    "my-company.com",
    "university.edu",
    "web.de",
    "bluesky.io",
    "north-wind.co",
];

fn address(dice: &mut Dice) -> String {
    let (first, last) = (dice.pick(FIRST), dice.pick(LAST));
    let number = dice.pick(&["", "", "", "7", "92", "1984", "123", "007"]);
    let local = match dice.below(7) {
        0 => format!("{first}.{last}{number}"),
        1 => format!("{first}_{last}{number}"),
        2 => format!("{}{last}{number}", &first[..1]),
        3 => format!("{first}{number}"),
        4 => format!("{first}-{last}"),
        5 => format!("{first}.{}.{last}", dice.pick(&["b", "k", "m"])),
        _ => format!("{first}+news"),
    };
    format!("{local}@{}", dice.pick(DOMAIN))
}

const EMAIL: &[&str] = &[
    "my email is {}",
    "you can reach me at {}",
    "{}",
    "it's {}",
    "send it to {} please",
    "yeah my email address is {} thanks",
    "sure it's uh {}",
    "the address is {}",
    "please email {}",
    "my work email is {} and my name is on it",
    "Yes, {}.",
];

fn spoken_emails(dice: &mut Dice) -> Vec<Line> {
    (0..500)
        .map(|_| {
            let address = address(dice);
            let (local, domain) = address.split_once('@').expect("an address");
            let dash = dice.pick(&["dash", "hyphen", "dash"]);
            let mut left = voice::signs(dice, local, dash);
            let mut right = voice::signs(dice, domain, dash);
            match dice.below(8) {
                0 => left = spelled_first(&left, " "),
                1 => {
                    left = left
                        .split(' ')
                        .map(|w| if w.len() > 2 && w.chars().all(char::is_alphabetic) && !SIGNS.contains(&w) { voice::spell(w, " ") } else { w.to_owned() })
                        .collect::<Vec<_>>()
                        .join(" ")
                }
                2 => right = right.replace("gmail", "g mail").replace("hotmail", "hot mail").replace("bluesky", "blue sky"),
                3 => left = format!("{} {left}", voice::nato(&left[..1])).replacen(&format!(" {}", &left[..1]), " ", 1).replace("  ", " "),
                4 => right = right.replace("dot com", "dot c o m").replace("dot org", "dot o r g"),
                _ => {}
            }
            let at = if dice.chance(8) { " uh at " } else { " at " };
            Line::of(dice.pick(EMAIL), &format!("{left}{at}{right}"), "EMAIL_ADDRESS")
        })
        .collect()
}

const SIGNS: &[&str] = &["dot", "dash", "hyphen", "underscore", "plus"];

fn spelled_first(left: &str, between: &str) -> String {
    let (first, rest) = left.split_once(' ').unwrap_or((left, ""));
    format!("{} {rest}", voice::spell(first, between)).trim().to_owned()
}

fn written_emails(dice: &mut Dice) -> Vec<Line> {
    let templates = ["{}", "my email is {}.", "write to {}, please", "<{}>", "mailto:{}", "It's {} or so"];
    (0..150)
        .map(|_| {
            let value = address(dice);
            Line::of(dice.pick(&templates), &value, "EMAIL_ADDRESS")
        })
        .collect()
}

fn written_american(dice: &mut Dice) -> Vec<Line> {
    let templates = ["{}", "call me at {}", "My number is {}.", "phone: {}", "Reach me on {} any time", "it's {} thanks", "fax {}, please"];
    let forms = [
        "(N##) N##-####",
        "N##-N##-####",
        "N##.N##.####",
        "N## N## ####",
        "N##N######",
        "+1 N## N## ####",
        "1-N##-N##-####",
        "+1N##N######",
        "(N##)N##-####",
        "+1 (N##) N##-####",
        "1 (N##) N##-####",
        "N##-N##-#### x##",
        "(N##) N##-#### ext. ###",
        "+1-N##-N##-####",
        "001-N##-N##-####",
        "N##.N##.#### ext ##",
        "1N##N######",
        "N## N##-####",
        "(N##) N## ####",
    ];
    (0..400)
        .map(|_| {
            let form = dice.pick(&forms).to_owned();
            let value = dice.pattern(&form);
            Line::of(dice.pick(&templates), &value, "PHONE_NUMBER")
        })
        .collect()
}

fn written_world(dice: &mut Dice) -> Vec<Line> {
    let templates = ["{}", "call me at {}", "my number is {}", "Tel: {}", "you can reach us on {}.", "mobile {}", "Please ring {} tomorrow", "it's {}"];
    countries(dice, 0, &templates)
}

/// Numbers of every other country, in all their forms.
pub fn countries(dice: &mut Dice, from: usize, templates: &[&str]) -> Vec<Line> {
    let mut lines = Vec::new();
    for (code, national, rest) in world::COUNTRIES.iter().skip(from).step_by(2) {
        for form in *national {
            let value = dice.pattern(form);
            lines.push(Line::of(dice.pick(templates), &value, "PHONE_NUMBER"));
        }
        let abroad = dice.pattern(rest);
        let bare: String = abroad.chars().filter(char::is_ascii_digit).collect();
        for value in [format!("+{code} {abroad}"), format!("+{code}{bare}"), format!("00{code} {abroad}")] {
            lines.push(Line::of(dice.pick(templates), &value, "PHONE_NUMBER"));
        }
    }
    lines
}

/// Values that come in fewer forms.
fn others(dice: &mut Dice) -> Vec<Line> {
    let mut lines: Vec<Line> = include_str!("tune_others.txt").lines().filter(|l| !l.is_empty()).map(Line::marked).collect();
    for _ in 0..60 {
        let ssn = dice.pattern("N##-##-####").replace('N', "2");
        lines.push(Line::of(dice.pick(&["my social is {}", "{}", "SSN: {}", "it's {} okay"]), &ssn, "US_SSN"));
        let digits: String = ssn.chars().filter(char::is_ascii_digit).collect();
        let said = voice::say(dice, &PLAIN, &[&digits[..3], &digits[3..5], &digits[5..]]);
        lines.push(Line::of(dice.pick(&["my social security number is {}", "my ssn is {}", "social {}", "it's {} that's my social"]), &said, "US_SSN"));
        let ip = format!("{}.{}.{}.{}", dice.below(256), dice.below(256), dice.below(256), dice.below(256));
        lines.push(Line::of(dice.pick(&["the server is {}", "{}", "ping {} first"]), &ip, "IP_ADDRESS"));
        let digits = dice.digits(4);
        let pin = if dice.chance(50) { digits.clone() } else { voice::say(dice, &PLAIN, &[&digits]) };
        lines.push(Line::of(dice.pick(&["my pin is {}", "the security code is {}", "cvv {}", "pin number {} thanks"]), &pin, "PIN"));
        let length = 6 + dice.below(6);
        let digits = dice.digits(length);
        let account = if dice.chance(50) { digits.clone() } else { voice::say(dice, &PLAIN, &[&digits]) };
        lines.push(Line::of(
            dice.pick(&["my account number is {}", "account {}", "it's for account number {} please", "the routing number is {}"]),
            &account,
            "ACCOUNT_NUMBER",
        ));
        let (first, last) = (dice.pick(FIRST), dice.pick(LAST));
        lines.push(Line::of(
            dice.pick(&["my name is {}", "yes my name is {} and i have a question", "hi my name is {} i lost my card"]),
            &format!("{first} {last}"),
            "PERSON_NAME",
        ));
        let template = dice.pick(&["my last name is {}", "last name {}", "the surname is {} okay"]);
        lines.push(Line::of(template, &format!("{last} {}", voice::spell(last, " ")), "PERSON_NAME"));
    }
    lines
}

/// Everything for tuning.
pub fn sets() -> Vec<Set> {
    let mut dice = Dice::new(20_261_122);
    let dice = &mut dice;
    vec![
        ("tune-spoken-phones", phones(dice)),
        ("tune-spoken-cards", spoken_cards(dice)),
        ("tune-spoken-emails", spoken_emails(dice)),
        ("tune-written-phones-american", written_american(dice)),
        ("tune-written-phones-world", written_world(dice)),
        ("tune-written-cards", written_cards(dice)),
        ("tune-written-emails", written_emails(dice)),
        ("tune-others", others(dice)),
        ("tune-hostile", include_str!("tune_hostile.txt").lines().filter(|l| !l.is_empty()).map(Line::marked).collect()),
        ("tune-splits", splits(dice)),
        ("tune-calls", calls(include_str!("tune_calls.txt"))),
        ("tune-talk", tune_talk::lines(dice)),
    ]
}

/// Values in two or three turns.
fn splits(dice: &mut Dice) -> Vec<Line> {
    let phone = Splits {
        first: &["my number is {}", "it's {}", "yeah my phone is {}", "you can call me at {} uh"],
        between: &["okay", "mhm go on", "Got it.", "yes?", "Okay, and the rest?"],
        later: &["{}", "and then {}", "{} thanks", "uh {}", "then {}."],
    };
    let card = Splits { first: &["my card number is {}", "the card is {}", "okay visa {}"], ..phone };
    let email = Splits { first: &["my email is {}", "it's {}", "send it to {}"], later: &["{}", "uh {}", "{} okay"], ..phone };
    let mut lines = Vec::new();
    for n in 0..60 {
        let digits = dice.pattern("N##N######");
        let cut = dice.pick(&[&[3, 6][..], &[6], &[3]]);
        let parts = spoken_parts(dice, &digits, cut);
        lines.extend(split_call(dice, &phone, format!("phone-{n}"), &parts, "PHONE_NUMBER", n % 2 == 0));
        let number = with_check(&format!("4{}", dice.digits(14)), true);
        let cut = dice.pick(&[&[4, 8][..], &[8], &[4, 12], &[12]]);
        let parts = spoken_parts(dice, &number, cut);
        lines.extend(split_call(dice, &card, format!("card-{n}"), &parts, "CREDIT_CARD", n % 2 == 0));
        let local = format!("{} dot {}", dice.pick(FIRST), dice.pick(LAST));
        let domain = format!("at {} dot com", dice.pick(&["example", "gmail", "acme", "yahoo"]));
        lines.extend(split_call(dice, &email, format!("email-{n}"), &[local, domain], "EMAIL_ADDRESS", n % 2 == 0));
    }
    lines
}

fn spoken_parts(dice: &mut Dice, digits: &str, cuts: &[usize]) -> Vec<String> {
    let mut parts = Vec::new();
    let mut from = 0;
    for cut in cuts.iter().copied().chain([digits.len()]) {
        let part = &digits[from..cut];
        parts.push(if dice.chance(25) { part.to_owned() } else { voice::say(dice, &PLAIN, &[part]) });
        from = cut;
    }
    parts
}

/// Conversations: an empty line ends one, `a:` and `c:` say who spoke.
pub fn calls(text: &str) -> Vec<Line> {
    let mut lines = Vec::new();
    for (n, call) in text.split("\n\n").enumerate() {
        for said in call.lines().filter(|l| !l.is_empty()) {
            let (who, what) = said.split_once(": ").expect("a: or c:");
            lines.push(Line { call: Some(format!("call-{n}")), agent: who == "a", ..Line::marked(what) });
        }
    }
    lines
}
