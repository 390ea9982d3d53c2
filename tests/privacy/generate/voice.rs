//! How speakers say digits and addresses, and how a recogniser writes what they said.

use super::Dice;

const UNITS: [&str; 10] = ["zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine"];
const TEENS: [&str; 10] = ["ten", "eleven", "twelve", "thirteen", "fourteen", "fifteen", "sixteen", "seventeen", "eighteen", "nineteen"];
const TENS: [&str; 10] = ["", "", "twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety"];
const NATO: [&str; 26] = [
    "alpha", "bravo", "charlie", "delta", "echo", "foxtrot", "golf", "hotel", "india", "juliet", "kilo", "lima", "mike", "november", "oscar", "papa", "quebec",
    "romeo", "sierra", "tango", "uniform", "victor", "whiskey", "x-ray", "yankee", "zulu",
];

/// A speaker's habits, each in percent, and his words.
#[derive(Clone)]
pub struct Habits {
    /// "oh" for zero.
    pub oh: usize,
    /// Other words for zero.
    pub zeros: &'static [&'static str],
    /// "double", "triple" where digits repeat.
    pub double: usize,
    pub triple: &'static str,
    /// Two digits as one number.
    pub pairs: usize,
    pub hyphen: bool,
    /// Hesitation between groups.
    pub filler: usize,
    pub fillers: &'static [&'static str],
    /// One digit taken back.
    pub correct: usize,
    pub corrections: &'static [&'static str],
    /// A group written in digits.
    pub written: usize,
    /// A comma or full stop between groups.
    pub comma: usize,
    pub commas: &'static [&'static str],
    /// A digit heard as another word.
    pub slip: usize,
}

/// Digits in groups, as somebody says them.
pub fn say(dice: &mut Dice, habits: &Habits, groups: &[&str]) -> String {
    let mut said: Vec<String> = Vec::new();
    for (n, group) in groups.iter().enumerate() {
        if n > 0
            && dice.chance(habits.comma)
            && let Some(last) = said.last_mut()
        {
            last.push_str(dice.pick(habits.commas));
        }
        if n > 0 && dice.chance(habits.filler) {
            said.push(dice.pick(habits.fillers).to_owned());
        }
        if dice.chance(habits.written) {
            said.push((*group).to_owned());
        } else {
            said.extend(say_group(dice, habits, group));
        }
    }
    if dice.chance(habits.correct) && said.len() > 4 {
        correct(dice, habits, &mut said);
    }
    said.join(" ")
}

/// Takes a digit back: "... six no sorry five ...".
fn correct(dice: &mut Dice, habits: &Habits, said: &mut Vec<String>) {
    let at = 2 + dice.below(said.len() - 3);
    if UNITS.contains(&said[at].as_str()) {
        let wrong = dice.pick(&UNITS).to_owned();
        said.insert(at, dice.pick(habits.corrections).to_owned());
        said.insert(at, wrong);
    }
}

fn say_group(dice: &mut Dice, habits: &Habits, group: &str) -> Vec<String> {
    let digits: Vec<usize> = group.bytes().map(|b| usize::from(b - b'0')).collect();
    let mut said = Vec::new();
    let mut at = 0;
    let paired = dice.chance(habits.pairs);
    while at < digits.len() {
        let same = digits[at..].iter().take_while(|d| **d == digits[at]).count();
        if same >= 2 && dice.chance(habits.double) {
            let times = if same >= 3 { 3 } else { 2 };
            said.push(if times == 3 { habits.triple.to_owned() } else { "double".to_owned() });
            said.push(unit(dice, habits, digits[at]));
            at += times;
            continue;
        }
        let left = digits.len() - at;
        if paired && left >= 2 && digits[at] != 0 && left.is_multiple_of(2) {
            said.push(pair(habits, digits[at], digits[at + 1]));
            at += 2;
            continue;
        }
        said.push(unit(dice, habits, digits[at]));
        at += 1;
    }
    if habits.slip > 0 {
        for n in 2..said.len().saturating_sub(1) {
            let slip = match said[n].as_str() {
                "four" => "for",
                "two" => "to",
                "eight" => "ate",
                _ => continue,
            };
            if UNITS.contains(&said[n - 1].as_str())
                && UNITS.contains(&said[n - 2].as_str())
                && UNITS.contains(&said[n + 1].as_str())
                && dice.chance(habits.slip)
            {
                said[n] = slip.to_owned();
            }
        }
    }
    said
}

fn unit(dice: &mut Dice, habits: &Habits, digit: usize) -> String {
    if digit == 0 && dice.chance(habits.oh) { dice.pick(habits.zeros).to_owned() } else { UNITS[digit].to_owned() }
}

fn pair(habits: &Habits, tens: usize, units: usize) -> String {
    match (tens, units) {
        (1, _) => TEENS[units].to_owned(),
        (_, 0) => TENS[tens].to_owned(),
        _ => format!("{}{}{}", TENS[tens], if habits.hyphen { "-" } else { " " }, UNITS[units]),
    }
}

/// A small number in words.
pub fn number(value: usize) -> String {
    match value {
        0..=9 => UNITS[value].to_owned(),
        10..=19 => TEENS[value - 10].to_owned(),
        20..=99 if value.is_multiple_of(10) => TENS[value / 10].to_owned(),
        20..=99 => format!("{} {}", TENS[value / 10], UNITS[value % 10]),
        100..=999 if value.is_multiple_of(100) => format!("{} hundred", UNITS[value / 100]),
        100..=999 => format!("{} hundred {}", UNITS[value / 100], number(value % 100)),
        _ => format!("{} thousand", number(value / 1000)),
    }
}

/// A year as people say it.
pub fn year(value: usize) -> String {
    match value {
        2000..=2009 => format!("two thousand{}", if value == 2000 { String::new() } else { format!(" {}", UNITS[value - 2000]) }),
        _ if value % 100 < 10 => format!("{} oh {}", number(value / 100), UNITS[value % 100]),
        _ => format!("{} {}", number(value / 100), number(value % 100)),
    }
}

/// Letter by letter.
pub fn spell(word: &str, between: &str) -> String {
    word.chars().map(|c| c.to_string()).collect::<Vec<_>>().join(between)
}

/// By the phonetic alphabet.
pub fn nato(word: &str) -> String {
    word.bytes().map(|b| NATO[usize::from(b.to_ascii_lowercase() - b'a')]).collect::<Vec<_>>().join(" ")
}

/// The signs of an address, in words.
pub fn signs(dice: &mut Dice, text: &str, dash: &str) -> String {
    let mut said = String::new();
    let mut digits = String::new();
    for c in text.chars() {
        if c.is_ascii_digit() {
            digits.push(c);
            continue;
        }
        flush(dice, &mut said, &mut digits);
        match c {
            '.' => said.push_str(" dot "),
            '_' => said.push_str(" underscore "),
            '-' => said.push_str(&format!(" {dash} ")),
            '+' => said.push_str(" plus "),
            '@' => said.push_str(" at "),
            c => said.push(c),
        }
    }
    flush(dice, &mut said, &mut digits);
    said.split_whitespace().collect::<Vec<_>>().join(" ")
}

fn flush(dice: &mut Dice, said: &mut String, digits: &mut String) {
    if digits.is_empty() {
        return;
    }
    let whole: usize = digits.parse().unwrap_or(100);
    let words = match digits.len() {
        2 if whole >= 10 && dice.chance(50) => number(whole),
        4 if (1950..2000).contains(&whole) => year(whole),
        _ => digits.bytes().map(|b| UNITS[usize::from(b - b'0')]).collect::<Vec<_>>().join(" "),
    };
    said.push_str(&format!(" {words} "));
    digits.clear();
}
