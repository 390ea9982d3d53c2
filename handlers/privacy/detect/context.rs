//! What the words near a number announce.
//!
//! In: tokens and the place of a number. Out: for each kind of cue how near the nearest one is, and whether only words
//! such as "number is" stand between. Never fails; looks at a bounded number of tokens.

mod paid;

use super::asked::Asked;
use super::things::{self, Whose};
use super::tokens::{Kind, Text};
use super::words::{self, Cue, Num};
use paid::paid;

/// How many tokens before a number are read.
const BEFORE: usize = 16;

/// How many tokens behind a number are read.
const AFTER: usize = 8;

/// How far away a cue is taken to be that was in the question before.
pub(super) const IN_QUESTION: usize = 40;

/// One kind of cue near a number.
#[derive(Debug, Clone, Copy)]
pub(super) struct Near {
    pub cue: Cue,
    /// Tokens between.
    pub distance: usize,
    /// Nothing but neutral words between.
    pub direct: bool,
}

/// The cues near a number, nearest first.
#[derive(Debug, Default)]
pub(super) struct Context {
    pub cues: Vec<Near>,
    /// Nothing but hesitation and politeness around the number.
    pub bare: bool,
    /// A quantity: "dollars" follows.
    pub unit: bool,
    /// "last four" stands between cue and number.
    pub last_digits: bool,
    /// "the number on the account": whose number that is, is not said.
    pub on_account: bool,
    /// Where the letters of a code begin right before it ("m thirty seven"), and whether it surely is one.
    pub code: Option<(usize, bool)>,
    /// A thing's number is named as such: "order number", "tracking id".
    pub named: bool,
    /// What stands right before it leads to a number that somebody says: "it's", "at", "try", a name; or nothing does.
    pub led_to: bool,
    /// Whose it is by the clause before it, or by letters right before it.
    pub whose: Whose,
}

impl Context {
    /// Reads around the tokens `first..=last`.
    pub fn read(&mut self, text: &Text<'_>, first: usize, last: usize, asked: Asked) {
        self.cues.clear();
        (self.last_digits, self.named, self.on_account) = (false, false, false);
        self.code = things::coded(text, first);
        let begin = self.code.map_or(first, |(begin, _)| begin);
        self.bare = bare(text, first, last);
        // "day or night"
        self.unit = text.has(last + 1, words::UNIT) && !text.word(last + 2, "or") || (text.sign(last + 1, b'%') || text.sign(last + 1, b'$'));
        self.before(text, begin, begin < first);
        (self.led_to, self.whose) = (true, Whose::Unsaid);
        if self.cues.iter().all(|near| near.cue == Cue::Number) {
            self.after(text, last);
        }
        if self.cues.is_empty() && asked.cue != Cue::None && asked.cue != Cue::Mail {
            let direct = (0..first).rev().take(BEFORE).all(|n| passes(text, n));
            self.cues.push(Near { cue: asked.cue, distance: IN_QUESTION, direct });
            self.named = asked.cue == Cue::Thing;
        }
    }

    /// Reads whose the number is by the clause before it.
    pub fn read_whose(&mut self, text: &Text<'_>, first: usize) {
        self.led_to = led_to(text, first);
        self.whose = things::whose(text, self.code.map_or(first, |(begin, _)| begin));
        // "y dash nine seven": a code, unless it is announced as somebody's.
        let announced = self.cues.iter().any(|near| near.direct && !matches!(near.cue, Cue::Number | Cue::Thing));
        if self.code.is_some_and(|(_, sure)| sure) && !announced {
            self.whose = Whose::Thing;
        }
    }

    fn before(&mut self, text: &Text<'_>, first: usize, coded: bool) {
        let mut direct = true;
        let mut crossed = false;
        // "about my order at ...": where somebody is reached, not what the order's number is.
        let mut place = false;
        let mut owned = false;
        // "one z two six six": a code that goes on, not another number.
        let coded = coded || first.checked_sub(1).and_then(|at| text.letter(at)).is_some_and(|letter| !matches!(letter, b'I' | b'A' | b'O'));
        for distance in 0..BEFORE {
            let Some(at) = first.checked_sub(distance + 1) else { break };
            let Some(token) = text.get(at) else { break };
            if token.kind == Kind::Mask {
                // "change the pin from 1234 to"
                if distance == 1 && text.word(at + 1, "to") && at > 1 && text.word(at - 1, "from") && cue(text, at - 2) == Cue::Pin {
                    self.cues.push(Near { cue: Cue::Pin, distance, direct: true });
                }
                break;
            }
            // "orders SO8200 and 4 6 2 3 5 0 8": a code is no number of its own.
            let code = token.kind == Kind::Digits && token.glued && text.before(at).is_some_and(|b| b.kind == Kind::Word);
            crossed |= token.kind == Kind::Digits && !code || matches!(token.info.num, Num::Unit | Num::Teen | Num::Tens);
            self.last_digits |= text.one_of(at, &["last", "final", "ends", "ending", "end"]);
            let mut found = cue(text, at);
            if found == Cue::Account {
                match on_account(text, at) {
                    // "the card on the account": the card's.
                    Cue::Card => found = Cue::None,
                    kind => self.on_account |= kind == Cue::Number,
                }
            }
            // What announces one number does not announce the next, except for telephone numbers.
            let reaches = !crossed || matches!(found, Cue::Phone | Cue::Number) || (coded && found == Cue::Thing);
            // "about my order, my number is": the number is not the order's.
            owned |= found == Cue::Number && at > 0 && text.one_of(at - 1, &["my", "his", "her", "our"]);
            if found != Cue::None && reaches && !self.cues.iter().any(|near| near.cue == found) {
                self.cues.push(Near { cue: found, distance, direct: direct && !((place || owned) && found == Cue::Thing) });
            }
            let tells = ["number", "numbers", "no", "nr", "num", "id", "code", "is", "was", "key"];
            self.named |= found == Cue::Thing && (text.one_of(at, &["code", "codes"]) || text.one_of(at + 1, &tells) || text.sign(at + 1, b'#'));
            place |= text.one_of(at, &["at", "us", "him", "them", "me"]) || text.word(at, "back") && !(at > 0 && text.word(at - 1, "the"));
            direct &= passes(text, at) || found != Cue::None || coded && crossed;
        }
    }

    /// "... is my phone number", "... for the order".
    fn after(&mut self, text: &Text<'_>, last: usize) {
        let links = ["is", "thats", "that", "was", "its", "as"];
        let whose = ["my", "on", "for", "the"];
        let (mut linked, mut weakly) = (false, false);
        // "it's january 5th 1943 my date of birth"
        let behind = last + 1 + usize::from(text.sign(last + 1, b','));
        let owned = |n: usize| text.one_of(n, &["my", "his", "her", "the"]);
        let whose_birth = behind + 1 + usize::from(owned(behind + 1));
        let dated = text.one_of(behind, &["for", "as"]) && text.one_of(whose_birth, &["date", "dob", "birthdate"]);
        let owned_birth = owned(behind) || dated;
        if self.cues.is_empty() && text.word(last + 1, "for") && owned(last + 2) && cue(text, last + 3) == Cue::Thing {
            self.cues.push(Near { cue: Cue::Thing, distance: 4, direct: true });
            return;
        }
        for distance in 0..AFTER {
            let at = last + 1 + distance;
            let Some(token) = text.get(at) else { break };
            if token.kind == Kind::Mask || token.kind == Kind::Digits || matches!(token.info.num, Num::Unit | Num::Teen | Num::Tens) {
                break;
            }
            // "is that right and is that a mobile"
            if text.word(at, "is")
                && text.one_of(at + 1, &["that", "it", "this"])
                && text.one_of(at + 2, &["right", "correct", "okay", "ok", "good", "true", "it", "fine", "clear"])
            {
                break;
            }
            linked |= distance < 2 && text.one_of(at, &links);
            weakly |= distance < 2 && text.one_of(at, &whose);
            let found = cue(text, at);
            // "from before 1960. It's my dad's birthday on Thursday."
            if found == Cue::Birth && (text.sign(last + 1, b'.') || text.sign(last + 1, b'?')) && text.word(last + 2, "its") {
                break;
            }
            if found != Cue::None
                && found != Cue::Number
                && (linked
                    || (weakly && distance < 4 && matches!(found, Cue::Phone | Cue::Social))
                    || (owned_birth && distance < 4 + usize::from(dated) && found == Cue::Birth))
                && !self.cues.iter().any(|near| near.cue == found)
            {
                self.cues.push(Near { cue: found, distance: distance + 4, direct: distance < 5 });
                break;
            }
        }
    }

    /// The nearest cue of this kind.
    pub fn near(&self, cue: Cue) -> Option<Near> {
        self.cues.iter().copied().find(|near| near.cue == cue)
    }

    /// True where a kind of cue is there at all.
    pub fn has(&self, cue: Cue) -> bool {
        self.near(cue).is_some()
    }

    /// True where something else than a telephone number is announced: a card, or anything of fewer digits right before it.
    pub fn announces_other(&self) -> bool {
        self.has(Cue::Card) || self.cues.iter().any(|near| near.direct && !matches!(near.cue, Cue::Phone | Cue::Number | Cue::Mail))
    }

    /// True where the number is said to be that of a thing: an order, a flight.
    pub fn of_a_thing(&self) -> bool {
        self.whose == Whose::Thing || self.whose != Whose::Somebody && self.nearest_of_a_thing()
    }

    /// True where the words right before it announce a thing's.
    pub fn nearest_of_a_thing(&self) -> bool {
        let strongest = self.cues.iter().find(|near| near.cue != Cue::Number);
        strongest.is_some_and(|near| near.cue == Cue::Thing && near.direct)
    }

    /// True where that is said plainly, and no card is spoken of.
    pub fn plainly_of_a_thing(&self) -> bool {
        self.of_a_thing() && self.named && !self.has(Cue::Card)
    }
}

/// What the account at this place is said to hold: "the number on the account", "my card on the account".
fn on_account(text: &Text<'_>, at: usize) -> Cue {
    if text.one_of(at + 1, &["number", "numbers", "id", "is", "ending"]) && !text.word(at + 1, "is") {
        return Cue::None;
    }
    let mut before = at;
    while before > 0
        && at - before < 5
        && (text.one_of(before - 1, &["you", "know"])
            || text.has(before - 1, words::FILLER)
            || text.one_of(before - 1, &["the", "my", "our", "your", "this", "that", "his", "her"]))
    {
        before -= 1;
    }
    if before == 0 || !text.one_of(before - 1, &["on", "for", "under", "with", "in", "against", "to"]) {
        return Cue::None;
    }
    let held = (before.saturating_sub(5)..before - 1).rev().map(|n| cue(text, n));
    held.into_iter().find(|found| matches!(found, Cue::Number | Cue::Card | Cue::Account)).unwrap_or(Cue::None)
}

/// True where nothing stands right before this place, or what leads to a number that somebody says.
fn led_to(text: &Text<'_>, first: usize) -> bool {
    const LEADS: [&str; 23] = [
        "is", "its", "thats", "was", "at", "on", "from", "try", "dial", "use", "to", "or", "and", "me", "under", "called", "hi", "as", "be", "not", "us",
        "then", "number",
    ];
    let Some(before) = first.checked_sub(1) else { return true };
    let sign = text.get(before).is_none_or(|t| t.kind != Kind::Word);
    sign || text.one_of(before, &LEADS)
        || text.has(before, words::FILLER | words::CORRECT | words::WEAK | words::GIVEN | words::FAMILY | words::REMARK | words::TELEPHONED)
}

/// True for what may stand between a cue and its value.
fn passes(text: &Text<'_>, at: usize) -> bool {
    match text.get(at).map(|t| t.kind) {
        Some(Kind::Word) => {
            text.letter(at).is_some()
                || text.has(at, words::NEUTRAL | words::FILLER | words::CORRECT)
                || text.get(at).is_some_and(|t| t.info.sign != 0)
                // "the number you have is wrong it's"
                || text.one_of(at, &["wrong", "incorrect", "have"])
                // "let me find it"
                || text.word(at, "let") && text.word(at + 1, "me")
                || at > 1 && text.word(at - 1, "me") && text.word(at - 2, "let")
                // "the reference i was given is", "your confirmation is going to be"
                // "change the pin from"
                || text.word(at, "from") && at > 0 && text.get(at - 1).is_some_and(|t| t.info.cue == Cue::Pin)
                || text.word(at, "know") && at > 0 && text.word(at - 1, "you")
                || text.word(at, "in") && at > 0 && text.one_of(at - 1, &["put", "type", "typed", "key", "keyed", "punch", "punched"])
                || text.one_of(at, &["going", "to", "be", "given", "gave", "got", "typed", "type", "enter", "put", "sent", "chose", "picked", "use", "entered", "keyed", "punched", "tried", "dialed", "dialled"])
        }
        Some(Kind::Sign(sign)) => matches!(sign, b':' | b'#' | b'-' | b'=' | b',' | b'.' | b'?' | b'"' | b'\'' | b'(' | b')' | b'+' | 0),
        _ => false,
    }
}

/// True where a text holds nothing but the tokens `first..=last` and small talk.
fn bare(text: &Text<'_>, first: usize, last: usize) -> bool {
    let polite = [
        "thanks",
        "thank",
        "please",
        "hi",
        "hello",
        "bye",
        "great",
        "perfect",
        "cool",
        "alright",
        "mine",
        "absolutely",
        "certainly",
        "of",
        "course",
        "read",
        "correct",
        "sir",
        "madam",
        "maam",
    ];
    let small = |at: usize| {
        passes(text, at)
            || text.has(at, words::WEAK | words::REMARK)
            || text.word(at, "go") && text.word(at + 1, "ahead")
            || text.one_of(at, &polite)
            || text.sign(at, b'!')
    };
    let (before, after) = (first, text.tokens.len().saturating_sub(last + 1));
    before <= 12 && after <= 12 && (0..first).all(small) && (last + 1..text.tokens.len()).all(small)
}

/// What is announced last before this token, as far as such words reach; what is no more than "number" announces nothing.
pub(super) fn announced_before(text: &Text<'_>, first: usize) -> Option<Cue> {
    let before = (first.saturating_sub(BEFORE)..first).rev().take_while(|at| text.get(*at).is_some_and(|t| t.kind != Kind::Mask));
    // "call me at"
    let reached = |at: usize, found: Cue| if found == Cue::Number && text.one_of(at + 1, &["me", "us", "him", "her", "them"]) { Cue::Phone } else { found };
    before.map(|at| reached(at, cue(text, at))).find(|found| !matches!(found, Cue::None | Cue::Number))
}

/// What letters right before "number" stand for: "p o number", "r m a number". Most are a thing's.
fn abbreviation(text: &Text<'_>, at: usize) -> Option<Cue> {
    let numbered = text.one_of(at, &["number", "numbers", "num", "no"]) || text.letter(at) == Some(b'O') && text.sign(at + 1, b'#');
    let from = if text.letter(at).is_some() { at + 1 } else { at };
    if !numbered || from < 2 {
        return None;
    }
    let mut first = from;
    let mut letters = String::new();
    while let Some(before) = first.checked_sub(1).filter(|_| from - first < 8) {
        match text.letter(before) {
            Some(letter) => letters.insert(0, char::from(letter.to_ascii_lowercase())),
            None if text.sign(before, b'.') && text.get(before).is_some_and(|t| t.glued) => {}
            None => break,
        }
        first = before;
    }
    match letters.as_str() {
        "id" | "cc" | "ph" | "ac" | "tel" | "dl" => None,
        letters if letters.len() < 2 => None,
        letters => Some(words::look_up(letters).cue).map(|cue| if cue == Cue::None { Cue::Thing } else { cue }),
    }
}

/// Whose lines are telephones.
const LINES: [&str; 16] = [
    "office",
    "direct",
    "home",
    "work",
    "main",
    "land",
    "private",
    "business",
    "phone",
    "support",
    "help",
    "customer",
    "desk",
    "reception",
    "mobile",
    "second",
];

/// Whose births nobody asks for.
const ANIMALS: [&str; 19] = [
    "company", "firm", "band", "brand", "idea", "nation", "club", "puppies", "puppy", "kittens", "kitten", "dog", "dogs", "cat", "cats", "calf", "calves",
    "litter", "foal",
];

/// True where anything in the text announces this.
pub(super) fn speaks_of(text: &Text<'_>, wanted: impl Fn(Cue) -> bool) -> bool {
    let cues = text.facts().cues.get_or_init(|| (0..text.tokens.len()).fold(0, |all, at| all | 1 << cue(text, at) as u16));
    Cue::ALL.into_iter().any(|cue| cues & 1 << cue as u16 != 0 && wanted(cue))
}

/// What the token announces; two words may announce more than each.
pub(super) fn cue(text: &Text<'_>, at: usize) -> Cue {
    let Some(token) = text.get(at).filter(|t| t.kind == Kind::Word) else { return Cue::None };
    let before = |list: &[&str]| at > 0 && text.one_of(at - 1, list);
    if text.one_of(at, &["code", "codes"]) {
        // "card ... and the code is 123"
        let behind_value = before(&["the"]) && (at.saturating_sub(10)..at).any(|n| text.get(n).is_some_and(|t| t.kind == Kind::Mask));
        return match () {
            () if before(&["area", "country", "dialling", "dialing", "dial"]) => Cue::Phone,
            () if before(&["sort", "bank", "branch"]) => Cue::Account,
            () if before(&["security", "verification", "access", "pass", "passcode", "secret", "cvv", "cvc", "entry", "door", "alarm", "time", "login"]) => {
                Cue::Pin
            }
            () if before(&["zip", "post", "postal", "promo", "product", "error", "discount", "booking", "tracking", "confirmation", "reference", "status"]) => {
                Cue::Thing
            }
            () if behind_value => Cue::Pin,
            // "gift code", "redemption code": whatever it opens, it is a thing's.
            () if at > 0
                && text
                    .get(at - 1)
                    .is_some_and(|t| t.kind == Kind::Word && t.info.cue == Cue::None && t.info.flags & (words::STOP | words::NEUTRAL | words::WEAK) == 0) =>
            {
                Cue::Thing
            }
            () => Cue::None,
        };
    }
    if let Some(cue) = abbreviation(text, at) {
        return cue;
    }
    match token.info.cue {
        Cue::Number if things::numbered(text, at) => Cue::Thing,
        // "the gate man's number"
        Cue::Thing if things::is_somebody(text, at + 1) => Cue::None,
        // "they valued the ring at"
        Cue::Number if text.word(at, "ring") && before(&["the", "a", "my", "her", "his", "engagement", "wedding", "diamond", "gold"]) => Cue::None,
        // "site id", "my last reading was", "p o box", "the credit note": by themselves these announce nothing.
        Cue::Thing if text.one_of(at, &["id", "ids", "reading", "box", "note"]) => {
            let thing = match () {
                () if text.word(at, "reading") => before(&["the", "my", "old", "new", "last", "first", "meter", "current", "previous"]),
                () if text.word(at, "box") => before(&["po", "o"]),
                () if text.word(at, "note") => before(&["credit", "debit", "delivery", "dispatch", "consignment", "advice"]),
                () => things::numbered(text, at),
            };
            if thing { Cue::Thing } else { Cue::None }
        }
        // "send ten pounds credit to"
        Cue::Card if text.word(at, "credit") && text.one_of(at + 1, &["to", "onto"]) => Cue::None,
        // "my social security card says"
        Cue::Card if text.word(at, "card") && before(&["security"]) && (at.saturating_sub(5)..at).any(|n| text.word(n, "social")) => Cue::Social,
        Cue::Social if text.word(at, "social") && text.one_of(at + 1, &["media", "network", "networks", "event"]) => Cue::None,
        // "call 4 of 5", "text", "order" as verbs keep what they are; "express" belongs to American Express.
        Cue::Birth
            if text.one_of(at + 1, &["party", "gift", "present", "cake", "dinner", "trip", "card", "wishes", "week", "lunch", "discount", "song", "bonus"]) =>
        {
            Cue::None
        }
        // "her sixtieth birthday", "the puppies were born"
        Cue::Birth
            if text.word(at, "birthday")
                && at > 0
                && (text.said(at - 1).ends_with("tieth") || text.get(at - 1).is_some_and(|t| t.info.num == Num::Ordinal)) =>
        {
            Cue::None
        }
        // "everyone born after two thousand eight"
        Cue::Birth
            if text.word(at, "born")
                && text.one_of(at + 1 + usize::from(text.has(at + 1, words::FILLER)), &["after", "before", "since", "between", "prior"]) =>
        {
            Cue::None
        }
        Cue::Birth if text.word(at, "born") && (at.saturating_sub(3)..at).any(|n| text.one_of(n, &ANIMALS)) => Cue::None,
        Cue::None if text.word(at, "b") && at > 3 && text.sign(at - 1, b'.') && text.word(at - 2, "o") && text.word(at - 4, "d") => Cue::Birth,
        // "the office line is"
        Cue::None if text.word(at, "line") && before(&LINES) => Cue::Phone,
        Cue::None if text.one_of(at, &["with", "using", "on"]) && paid(text, at) => Cue::Card,
        Cue::None if text.word(at, "charge") => Cue::Card,
        // "the three digits on the back", "back of the card"
        Cue::None if text.word(at, "back") && (before(&["the"]) || text.word(at + 1, "of")) => {
            let thing = (at.saturating_sub(5)..at).any(|n| text.get(n).is_some_and(|t| t.info.cue == Cue::Thing));
            if thing { Cue::None } else { Cue::Pin }
        }
        Cue::None if text.word(at, "express") && before(&["american"]) => Cue::Card,
        Cue::None if text.word(at, "b") && before(&["o"]) && at > 1 && text.word(at - 2, "d") => Cue::Birth,
        Cue::None if text.word(at, "v") && before(&["v"]) && at > 1 && text.word(at - 2, "c") => Cue::Pin,
        Cue::None if text.word(at, "c") && before(&["v"]) && at > 1 && text.word(at - 2, "c") => Cue::Pin,
        Cue::None if text.word(at, "sec") && before(&["soc", "social"]) => Cue::Social,
        Cue::None if text.word(at, "n") && before(&["s"]) && at > 1 && text.word(at - 2, "s") => Cue::Social,
        // A number that is somebody's is named after what it is of.
        Cue::Thing
            if text.one_of(at, &["order", "case"])
                && (before(&["in", "to"]) || text.word(at, "case") && (at.saturating_sub(3)..at).any(|n| text.word(n, "just"))) =>
        {
            Cue::None
        }
        // The card's number may be a case of its own: "gift card order".
        cue => cue,
    }
}
