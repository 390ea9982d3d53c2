//! Ordinary talk without values, for tuning.

use super::{Dice, Line, voice};

const TALK: &[&str] = &[
    "i ordered {n} pairs of shoes on {day} and only {n} arrived",
    "can you tell me when the {clock} train leaves",
    "my order number is {long} and it has not arrived",
    "the confirmation number is {long}",
    "tracking number {long} says delivered",
    "ticket {long} was closed {n} days ago",
    "it was {price} last month and now it is {price}",
    "i was charged {price} twice on {day}",
    "we have been customers since {year}",
    "the flight is {flight} on {day} at {clock}",
    "i am in room {room} and the air conditioning is broken",
    "we need a table for {n} at {clock}",
    "the software is version {version} i think",
    "i tried {n} times and it failed {n} times",
    "there are about {big} people in our town",
    "the temperature was {n} degrees at {clock}",
    "my bill went up by {n} percent",
    "i've been waiting for {n} minutes",
    "it's between {n} and {n} kilometers from here",
    "the warranty ran out in {year}",
    "we moved here in {year} and then again in {year}",
    "i need {n} of the small ones and {n} of the large ones",
    "is it the {ordinal} or the {ordinal} of {month}",
    "the meeting is on {month} {ordinal} at {clock}",
    "okay one two three testing can you hear me",
    "let me count one two three four five six yeah six boxes",
    "error {small} keeps coming up when i log in",
    "the model is a {small} series from {year}",
    "that's {n} plus {n} plus {n} so {n} in total",
    "i live on the {ordinal} floor apartment {room}",
    "it says error code {small} on the display",
    "i paid {price} for {n} tickets",
    "the score was {n} to {n} in the second half",
    "we are open from {clock} to {clock}",
    "could you send it to me by email please",
    "i don't remember my password and i can't log in at all",
    "she works at the store at the corner",
    "i'll be at home at {clock}",
    "my name is on the lease but not on the bill",
    "what is the name of the manager",
    "this is the {ordinal} time i am calling about this",
    "i'm calling about the invoice from {month}",
    "the serial number is {long}",
    "my case number is {long} i believe",
    "can i change the date to {month} {ordinal}",
    "bus number {small} stops at {clock}",
    "i weigh about {big} pounds with the box",
    "the package weighs {decimal} kilos",
    "interest is {decimal} percent for {n} years",
    "it is {decimal} by {decimal} meters",
    "channel {small} at {clock} on {day}",
    "page {small} line {n} of the contract",
    "you charged me for {n} months instead of {n}",
    "i need it before {day} the {ordinal}",
    "our team won {n} to {n} in {year}",
    "zip code {zip} is where we are",
    "i am {age} years old and retired",
    "my daughter is {age} and my son is {age}",
    "it takes {n} to {n} business days",
    "the account was opened in {year}",
    "my card was declined {n} times today",
    "i got a new phone in {year} and it broke after {n} months",
    "call me back in {n} minutes please",
    "text me when you are {n} minutes away",
    "my phone battery is at {n} percent",
    "i have {n} missed calls from {day}",
    "i need to reset my pin because i forgot it",
    "the pin pad did not work at {clock}",
    "reference {long} please check it",
    "booking reference {long} for {n} people",
    "invoice number {long} for {price}",
    "i think the part number is {long}",
    "my reservation is for {n} nights from {month} {ordinal}",
    "turn left after {n} miles on highway {small}",
    "take exit {small} and then go {n} blocks",
    "he scored {n} points in {n} games",
    "half of {big} is still a lot",
    "we sold {big} units in {year}",
    "it costs {price} a month for {n} gigabytes",
    "um i guess like {n} or {n} times a week",
    "no wait it was {n} not {n}",
    "sorry i meant {day} at {clock} not {clock}",
    "oh one more thing i need {n} more",
    "so that is {n} apples {n} pears and {n} bananas",
    "the {year} model and the {year} model are the same",
    "dial one for sales and two for support",
    "press {n} then press {n} and hold",
    "go to step {n} and skip step {n}",
    "chapter {n} verse {n}",
    "i was on hold from {clock} until {clock}",
    "the balance is {price} and the minimum is {price}",
    "i deposited {price} into my account on {day}",
    "my account balance was {price} on {month} {ordinal}",
    "they said {n} working days but it's been {n}",
    "it's {n} dot {n} i think the version",
    "meet me at the gate {small} at {clock}",
    "flight {flight} was delayed by {n} hours",
    "i sat in seat {n} on flight {flight}",
    "lot {small} from {month} {year}",
    "we're about {n} people maybe {n}",
    "two thousand {n} dollars is too much",
    "the discount code gives {n} percent off",
    "let's say {n} hundred to be safe",
    "thanks that's all i needed bye",
    "yeah no that works for me",
    "hello can you hear me now",
    "sorry could you say that again please",
    "i like the one with the big screen",
    "at first i thought it was a scam",
    "look at the picture at the top of the page",
    "i was at work at the time",
    "that one is for you and this one is for me",
    "i want to speak to a person",
    "how much is it to fly to boston on {day}",
    "it was born out of a need for speed",
    "happy birthday to your son by the way",
    "is your number still the same",
    "what's the best number to reach you",
    "do you have my email on file",
    "i never got the email you sent on {day}",
    "the card reader at the store is broken",
    "social media is not for me i have {n} friends",
    "the order total was {price} for {n} items",
];

const MONTHS: &[&str] = &["january", "february", "march", "april", "may", "june", "july", "august", "september", "october", "november", "december"];
const DAYS: &[&str] = &["monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday"];
const ORDINALS: &[&str] = &["first", "second", "third", "fourth", "fifth", "tenth", "twelfth", "fifteenth", "twenty first", "thirtieth", "3rd", "22nd"];

/// Fills the places of a sentence.
pub fn fill(dice: &mut Dice, template: &str, written: usize) -> String {
    let mut text = String::new();
    let mut rest = template;
    while let Some((before, tail)) = rest.split_once('{') {
        let (kind, after) = tail.split_once('}').expect("a place ends");
        text.push_str(before);
        text.push_str(&place(dice, kind, written));
        rest = after;
    }
    text + rest
}

fn words_of(dice: &mut Dice, value: usize, written: usize) -> String {
    if dice.chance(written) { value.to_string() } else { voice::number(value) }
}

fn place(dice: &mut Dice, kind: &str, written: usize) -> String {
    match kind {
        "n" => {
            let value = 2 + dice.below(60);
            words_of(dice, value, written)
        }
        "age" => {
            let value = 8 + dice.below(80);
            words_of(dice, value, written)
        }
        "small" | "room" => {
            let value = 101 + dice.below(800);
            if dice.chance(written) {
                value.to_string()
            } else if dice.chance(50) {
                format!("{} {}", voice::number(value / 100), voice::number(10 + value % 90))
            } else {
                voice::number(value)
            }
        }
        "big" => {
            let value = (1 + dice.below(90)) * 1000;
            if dice.chance(written) { value.to_string() } else { voice::number(value) }
        }
        "price" => price(dice, written),
        "clock" => {
            let (hour, minute) = (1 + dice.below(12), 5 * dice.below(12));
            match minute {
                _ if dice.chance(written) => format!("{hour}:{minute:02}"),
                0 => format!("{} o'clock", voice::number(hour)),
                5 => format!("{} oh five", voice::number(hour)),
                _ => format!("{} {}", voice::number(hour), voice::number(minute)),
            }
        }
        "year" => {
            let value = 1960 + dice.below(66);
            if dice.chance(written) { value.to_string() } else { voice::year(value) }
        }
        "long" => long(dice, written),
        "flight" => {
            let number = dice.pattern("N##");
            let line = dice.pick(&["ua", "ba", "delta", "lufthansa", "aa", "klm"]).to_owned();
            if dice.chance(written) { format!("{line} {number}") } else { format!("{line} {}", spaced(&number)) }
        }
        "version" => dice.pick(&["two point four", "10.2.1", "four point one point three", "3.11", "one dot nine dot two"]).to_owned(),
        "decimal" => dice.pick(&["three point five", "2.75", "zero point eight", "twelve point two five", "0.5"]).to_owned(),
        "zip" => {
            let zip = dice.pattern("N####");
            if dice.chance(written) { zip } else { spaced(&zip) }
        }
        "month" => dice.pick(MONTHS).to_owned(),
        "day" => dice.pick(DAYS).to_owned(),
        _ => dice.pick(ORDINALS).to_owned(),
    }
}

fn spaced(digits: &str) -> String {
    digits.bytes().map(|b| voice::number(usize::from(b - b'0'))).collect::<Vec<_>>().join(" ")
}

fn price(dice: &mut Dice, written: usize) -> String {
    let (whole, cents) = (10 + dice.below(900), dice.below(100));
    match dice.below(3) {
        _ if dice.chance(written) => format!("${whole}.{cents:02}"),
        0 => format!("{} dollars and {} cents", voice::number(whole), voice::number(cents)),
        1 => format!("{} dollars", voice::number(whole)),
        _ => format!("{} {}", voice::number(whole.min(99)), voice::number(cents.max(10))),
    }
}

fn long(dice: &mut Dice, written: usize) -> String {
    let length = 6 + dice.below(7);
    let digits = dice.digits(length);
    match dice.below(3) {
        _ if dice.chance(written) => digits,
        0 => format!("{} {digits}", dice.pick(&["a b", "x", "w m"])),
        1 => digits,
        _ => spaced(&digits),
    }
}

/// Twenty of each.
pub fn lines(dice: &mut Dice) -> Vec<Line> {
    let mut lines = Vec::new();
    for template in TALK {
        let count = if template.contains('{') { 20 } else { 1 };
        for _ in 0..count {
            lines.push(Line::plain(&fill(dice, template, 25)));
        }
    }
    lines.extend(include_str!("tune_talk.txt").lines().filter(|l| !l.is_empty()).map(Line::plain));
    lines
}
