//! The sets that are only scored: other templates, other habits, other values than those for tuning.

use super::tune::{calls, countries};
use super::voice::{self, Habits};
use super::{Dice, Line, Set, Splits, card, held_talk, split_call};

const SPEAKER: Habits = Habits {
    oh: 45,
    zeros: &["oh", "o", "nought", "zero"],
    double: 50,
    triple: "treble",
    pairs: 10,
    hyphen: true,
    filler: 20,
    fillers: &["er", "ehm uh", "okay", "yeah", "hmm", "and uh", "hold on", "so", "hyphen", "space", "you know", "mm"],
    correct: 0,
    corrections: &["oh sorry", "actually", "no no", "wait", "scratch that", "oops", "correction", "sorry i mean"],
    written: 0,
    comma: 0,
    commas: &[",", ".", ","],
    slip: 0,
};

fn speaker(dice: &mut Dice) -> Habits {
    let mut habits = SPEAKER;
    match dice.below(9) {
        0 => habits.correct = 100,
        1 => habits.written = 55,
        2 => habits.comma = 100,
        3 => habits.pairs = 100,
        4 => (habits.pairs, habits.hyphen, habits.filler) = (100, false, 0),
        5 => habits.slip = 40,
        6 => (habits.filler, habits.double) = (60, 80),
        _ => {}
    }
    habits
}

const PHONE: &[&str] = &[
    "well the number you want is {}",
    "try my wife's mobile {} she'll pick up",
    "you could ring me on {} tonight",
    "{} is where i can be reached",
    "i'm on {} at the moment",
    "let me give you my digits {}",
    "alright {}",
    "contact number {}",
    "my landline that's {} by the way",
    "can somebody phone me back on {}",
    "no it is {}",
    "right so it's {} got that",
    "leave a message at {}",
    "fax it to {} and mark it urgent",
];

fn phones(dice: &mut Dice) -> Vec<Line> {
    (0..500)
        .map(|_| {
            let habits = speaker(dice);
            let (digits, cuts): (String, &[usize]) = match dice.below(5) {
                0 => (dice.pattern("020N#######"), &[3, 7]),
                1 => (dice.pattern("07#########"), &[5, 8]),
                2 => (dice.pattern("N##N######"), &[3, 6, 8]),
                _ => (dice.pattern("N##N######"), &[3, 6]),
            };
            let mut groups = Vec::new();
            let mut from = 0;
            for cut in cuts.iter().copied().chain([digits.len()]) {
                groups.push(&digits[from..cut]);
                from = cut;
            }
            let mut said = voice::say(dice, &habits, &groups);
            if groups[0].len() == 3 && dice.chance(12) && !digits.starts_with('0') {
                said = format!("{} {said}", dice.pick(&["plus one", "one", "plus 1"]));
            }
            if dice.chance(6) {
                said.push_str(dice.pick(&[" extension nine", " extension two two one", ", ext 7"]));
            }
            Line::of(dice.pick(PHONE), &said, "PHONE_NUMBER")
        })
        .collect()
}

const CARD: &[&str] = &[
    "right the sixteen digits are {}",
    "charge it to {} would you",
    "take my credit card {} and go ahead",
    "on the front it says {}",
    "my debit card's number is {} okay",
    "{} and the name is the same",
    "here you go {}",
    "new card {}",
    "i want to use a different card which is {}",
];

fn spoken_cards(dice: &mut Dice) -> Vec<Line> {
    (0..350)
        .map(|n| {
            let number = loop {
                let number = card(dice, n % 3 != 0);
                if number.len() >= 15 {
                    break number;
                }
            };
            let cuts: &[usize] = if number.len() == 15 { &[4, 10] } else { &[4, 8, 12] };
            let mut groups = Vec::new();
            let mut from = 0;
            for cut in cuts.iter().copied().chain([number.len()]) {
                groups.push(&number[from..cut]);
                from = cut;
            }
            let habits = speaker(dice);
            Line::of(dice.pick(CARD), &voice::say(dice, &habits, &groups), "CREDIT_CARD")
        })
        .collect()
}

fn written_cards(dice: &mut Dice) -> Vec<Line> {
    let templates = ["the card {} was stolen", "CC {}", "number {} please", "{} is my card", "I used {} for that payment", "card no. {} exp 04/27"];
    (0..300)
        .map(|n| {
            let number = card(dice, true);
            let group = |sign: &str| number.as_bytes().chunks(4).map(|c| String::from_utf8_lossy(c).into_owned()).collect::<Vec<_>>().join(sign);
            let text = match n % 5 {
                0 => group(" "),
                1 => group("-"),
                2 => group("."),
                _ => number.clone(),
            };
            Line::of(dice.pick(&templates), &text, "CREDIT_CARD")
        })
        .collect()
}

const NAMES: &[&str] = &[
    "alice", "bjorn", "chloe", "dmitri", "elena", "farid", "grace", "hugo", "imani", "jorge", "keiko", "luca", "marta", "noor", "otto", "paula", "quentin",
    "rosa",
];
const FAMILIES: &[&str] = &[
    "anderson",
    "becker",
    "chowdhury",
    "dubois",
    "eriksson",
    "fischer",
    "gupta",
    "hernandez",
    "ivanova",
    "jensen",
    "kim",
    "larsen",
    "moreau",
    "novak",
    "oliveira",
];
const HOSTS: &[&str] = &[
    "gmail.com",
    "icloud.com",
    "proton.me",
    "aol.com",
    "live.com",
    "contoso.com",
    "fabrikam.net",
    "tailspin-toys.org",
    "mail.litware.io",
    "orange.fr",
    "gmx.de",
    "adatum.com.au",
    "college.ac.uk",
    "state.gov",
    "msn.com",
];

fn address(dice: &mut Dice) -> String {
    let (first, family) = (dice.pick(NAMES), dice.pick(FAMILIES));
    let number = dice.pick(&["", "", "#", "##", "###", "19##"]).to_owned();
    let number = dice.pattern(&number);
    let local = match dice.below(7) {
        0 => format!("{first}.{family}"),
        1 => format!("{family}_{first}{number}"),
        2 => format!("{first}{number}"),
        3 => format!("{}.{family}{number}", &first[..1]),
        4 => format!("{first}-{family}"),
        5 => format!("{}{}{number}", &first[..1], &family[..1]),
        _ => format!("{family}+{}", dice.pick(&["shop", "work", "spam"])),
    };
    format!("{local}@{}", dice.pick(HOSTS))
}

const EMAIL: &[&str] = &[
    "the best way to write me is {}",
    "could you mail the receipt to {} thank you",
    "so that's {} right",
    "use {}",
    "okay it's {} all lower case",
    "i signed up with {} i think",
    "well {} should work",
    "my partner uses {} instead",
    "e-mail is {}",
    "for the invoice {}",
];

fn spoken_emails(dice: &mut Dice) -> Vec<Line> {
    (0..400)
        .map(|_| {
            let address = address(dice);
            let (local, domain) = address.split_once('@').expect("an address");
            let dash = dice.pick(&["dash", "hyphen", "minus"]);
            let mut left = voice::signs(dice, local, dash);
            let mut right = voice::signs(dice, domain, dash);
            match dice.below(9) {
                0 => {
                    left = left
                        .split(' ')
                        .map(|w| {
                            if w.len() > 3
                                && !["dash", "hyphen", "minus", "underscore", "plus", "zero", "four", "five", "three", "seven", "eight", "nine", "nineteen"]
                                    .contains(&w)
                                && !w.ends_with("ty")
                                && !w.ends_with("teen")
                            {
                                voice::spell(w, ", ")
                            } else {
                                w.to_owned()
                            }
                        })
                        .collect::<Vec<_>>()
                        .join(" ")
                }
                1 => left = left.replace(" dot ", " uh dot "),
                2 => right = right.replace("gmail", "g mail").replace("icloud", "i cloud").replace("contoso", "c o n t o s o"),
                3 => right = right.replace(" dot ", "."),
                4 => right = right.replace("dot com", "dot, uh, com"),
                5 => left = left.to_uppercase(),
                _ => {}
            }
            let at = dice.pick(&[" at ", " at ", " at ", "@", " um at "]);
            Line::of(dice.pick(EMAIL), &format!("{left}{at}{right}"), "EMAIL_ADDRESS")
        })
        .collect()
}

fn written_emails(dice: &mut Dice) -> Vec<Line> {
    let templates = ["Contact {} for details", "cc {} and me", "({})", "email={}", "forward it to {}; thanks"];
    (0..120)
        .map(|_| {
            let value = address(dice);
            Line::of(dice.pick(&templates), &value, "EMAIL_ADDRESS")
        })
        .collect()
}

fn written_american(dice: &mut Dice) -> Vec<Line> {
    let templates = [
        "You may dial {} for help",
        "{} - ask for Sam",
        "my cell's {}",
        "home {} work same",
        "Ph. {}",
        "number on file is {}",
        "txt {}",
        "I'll be at {} until five",
    ];
    let forms = [
        "(N##) N##-####",
        "N##-N##-####",
        "N##.N##.####",
        "N## N## ####",
        "N##N######",
        "+1 N##-N##-####",
        "1-N##-N##-####",
        "+1 (N##) N##-####",
        "(N##)N##-####x###",
        "N##-N##-#### ext ##",
        "+1.N##.N##.####",
        "001-N##-N##-####x####",
        "1 N## N## ####",
        "(N##) N##-#### extension ####",
        "N##/N##-####",
    ];
    (0..350)
        .map(|_| {
            let form = dice.pick(&forms).to_owned();
            let value = dice.pattern(&form);
            Line::of(dice.pick(&templates), &value, "PHONE_NUMBER")
        })
        .collect()
}

fn written_world(dice: &mut Dice) -> Vec<Line> {
    let templates = ["{}", "dial {} from abroad", "the phone there is {}", "Contact: {}", "text him on {} maybe", "her number, {}, is new", "WhatsApp {}"];
    let mut lines = countries(dice, 1, &templates);
    lines.extend(countries(dice, 1, &templates));
    lines
}

/// Values in two or three turns.
fn splits(dice: &mut Dice) -> Vec<Line> {
    let phone = Splits {
        first: &["the best number is {}", "call my mobile {}", "sure {} hang on", "well, {}"],
        between: &["Right.", "I have that.", "uh huh", "please continue", "Thank you, what comes next?"],
        later: &["it goes on {}", "{} that's all", "er {}", "{}", "the rest is {}"],
    };
    let card = Splits { first: &["credit card {}", "the number on my card begins {}", "put it on mastercard {}"], ..phone };
    let email = Splits { first: &["mail me on {}", "email is {}", "you can write to {}"], later: &["{}", "{} that's it", "so {}"], ..phone };
    let mut lines = Vec::new();
    for n in 0..60 {
        let digits = dice.pattern("N##N######");
        let cut = dice.pick(&[&[3, 6][..], &[6], &[5]]);
        let parts = spoken_parts(dice, &digits, cut);
        lines.extend(split_call(dice, &phone, format!("phone-{n}"), &parts, "PHONE_NUMBER", n % 2 == 0));
        let number = format!("5{}", dice.digits(15));
        let cut = dice.pick(&[&[4, 8][..], &[8], &[4, 8, 12]]);
        let parts = spoken_parts(dice, &number, cut);
        lines.extend(split_call(dice, &card, format!("card-{n}"), &parts, "CREDIT_CARD", n % 2 == 0));
        let local = format!("{} {} {}", dice.pick(NAMES), dice.pick(&["dot", "underscore"]), dice.pick(FAMILIES));
        let domain = format!("at {} dot {}", dice.pick(&["contoso", "icloud", "fabrikam"]), dice.pick(&["com", "net"]));
        lines.extend(split_call(dice, &email, format!("email-{n}"), &[local, domain], "EMAIL_ADDRESS", n % 2 == 0));
    }
    lines
}

fn spoken_parts(dice: &mut Dice, digits: &str, cuts: &[usize]) -> Vec<String> {
    let mut parts = Vec::new();
    let mut from = 0;
    for cut in cuts.iter().copied().chain([digits.len()]) {
        let part = &digits[from..cut];
        parts.push(if dice.chance(30) { part.to_owned() } else { voice::say(dice, &SPEAKER, &[part]) });
        from = cut;
    }
    parts
}

/// Everything that is only scored.
pub fn sets() -> Vec<Set> {
    let mut dice = Dice::new(777_001);
    let dice = &mut dice;
    vec![
        ("held-spoken-phones", phones(dice)),
        ("held-spoken-cards", spoken_cards(dice)),
        ("held-spoken-emails", spoken_emails(dice)),
        ("held-written-phones-american", written_american(dice)),
        ("held-written-phones-world", written_world(dice)),
        ("held-written-cards", written_cards(dice)),
        ("held-written-emails", written_emails(dice)),
        ("held-others", include_str!("held_others.txt").lines().filter(|l| !l.is_empty()).map(Line::marked).collect()),
        ("held-splits", splits(dice)),
        ("held-calls", calls(include_str!("held_calls.txt"))),
        ("held-talk", held_talk::lines(dice)),
    ]
}
