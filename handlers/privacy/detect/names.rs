//! Names of people, where the words around them leave no doubt: "my name is ...", "last name ... s m i t h", "mr ...".
//!
//! In: tokens. Out: findings. A name is the words behind its announcement up to the first that is in no name; where the
//! text has capitals they decide. Letters that spell a name belong to it. Never fails.

mod company;
mod known;
mod oneself;

use super::asked::Asked;
use super::spelling::{few_letters, letters, spelled, spelled_after, spells_itself};
use super::tokens::{Kind, Text};
use super::words::{self, Cue, Num};
use super::{Found, Label};
use oneself::said_of_oneself;

/// Most words of a name in lower case.
const LOWER: usize = 3;

/// Most words of a name with capitals.
const UPPER: usize = 5;

/// Finds them all.
pub(super) fn find(text: &Text<'_>, asked: Asked, found: &mut Vec<Found>) {
    let shouted = !text.text.bytes().any(|b| b.is_ascii_lowercase());
    let mut at = 0;
    let mut announced = asked.any_name();
    while at < text.tokens.len() {
        announced |= text.has(at, words::NAME) && !names_a_thing(text, at);
        let begin = announcement(text, at).or_else(|| (at == 0 && asked.any_name()).then(|| answer(text, shouted)).flatten());
        let value = begin.and_then(|first| name(text, first, shouted)).filter(|(first, last, _)| somebody(text, *first, *last));
        let value = value.or_else(|| begin.and_then(|first| word_name(text, at, first, asked)));
        let value =
            value.or_else(|| said_of_oneself(text, at, shouted)).or_else(|| known::spoken_of(text, at, asked, shouted)).or_else(|| spells_itself(text, at));
        let value = value
            .map(|(first, last, score)| (first, instead(text, spelled_after(text, last), shouted), score))
            .or_else(|| spelled(text, at, announced))
            .or_else(|| if asked.any_name() { few_letters(text, at) } else { None });
        match value {
            Some((first, last, score)) => {
                found.extend(said_and_spelled(text, first, last).map(|(first, last)| Found { first, last, label: Label::PersonName, score }));
                announced = true;
                at = last + 1;
            }
            None => at += 1,
        }
    }
}

/// A name and the letters that spell it, without the words between: "keller spelled k e l l e r".
fn said_and_spelled(text: &Text<'_>, first: usize, last: usize) -> impl Iterator<Item = (usize, usize)> {
    let bridge = |n: usize| text.one_of(n, &["spelled", "spelt", "spelling", "thats"]);
    let small =
        |n: usize| bridge(n) || text.get(n).is_some_and(|t| matches!(t.kind, Kind::Sign(_))) || text.has(n, words::FILLER) || text.one_of(n, &["its", "is"]);
    let between = (first + 1..last).find(|n| bridge(*n));
    let ends = between.and_then(|n| (first..n).rev().find(|n| !small(*n)));
    let begins = between.and_then(|n| (n..=last).find(|n| !small(*n)));
    let parts = match ends.zip(begins) {
        Some((ends, begins)) => [Some((first, ends)), Some((begins, last))],
        None => [Some((first, last)), None],
    };
    parts.into_iter().flatten()
}

fn skip_fillers(text: &Text<'_>, mut at: usize) -> usize {
    while text.has(at, words::FILLER) || text.sign(at, b',') || text.sign(at, b'"') {
        at += 1;
    }
    // "the name you know is"
    if text.word(at, "you") && text.word(at + 1, "know") { at + 2 } else { at }
}

/// A family name that is a word as well, where a family name is announced or asked for and nothing else is said: "last name
/// young first name brenda".
fn word_name(text: &Text<'_>, at: usize, first: usize, asked: Asked) -> Option<(usize, usize, f32)> {
    let family = (at.saturating_sub(1)..first).any(|n| text.one_of(n, &["last", "surname", "family", "maiden", "lastname"]));
    let over =
        text.get(first + 1).is_none_or(|t| matches!(t.kind, Kind::Sign(_))) || text.one_of(first + 1, &["first", "please", "thanks", "and", "thank", "i"]);
    let plain =
        text.one_of(first, &["long", "short", "small", "rich", "french", "english", "welsh", "key", "strong", "wise", "sweet", "little", "love", "best"]);
    // "my name is will"
    let given = text.has(at, words::NAME) && at > 0 && text.one_of(at - 1, &["my", "first", "given", "his", "her"]) && text.one_of(first, &GIVEN_WORDS);
    let called = given && (over || text.has(first + 1, words::FAMILY | words::WORD_NAME));
    if called {
        let last = first + usize::from(!over);
        return Some((first, last, 0.6));
    }
    (text.has(first, words::WORD_NAME) && over && (family && !plain || asked.any_name())).then_some((first, first, 0.6))
}

/// Given names that are words as well.
const GIVEN_WORDS: [&str; 44] = [
    "will", "may", "rich", "precious", "hope", "faith", "joy", "art", "drew", "mark", "grace", "dawn", "summer", "august", "june", "april", "autumn", "chance",
    "chase", "angel", "blessing", "patience", "mercy", "sunny", "lucky", "gene", "pat", "sky", "rain", "river", "rose", "ivy", "holly", "ruby", "pearl",
    "jade", "crystal", "trinity", "harmony", "king", "prince", "sage", "robin", "jay",
];

/// Ends that words have and given names seldom.
const ENDS: [&str; 10] = ["ing", "ed", "ly", "tion", "able", "ible", "ness", "less", "ous", "ful"];

/// How words begin and given names seldom do.
const BEGINNINGS: [&str; 15] = ["mis", "dis", "irr", "ill", "imp", "unr", "uns", "unl", "unp", "unm", "unk", "unc", "und", "inac", "incor"];

/// Ends of given names among them.
const NAMES_END: [&str; 6] = ["fred", "dred", "eed", "med", "led", "red"];

/// True where one word in lower case behind "my name is" can be a name by its form and by what follows: "nowhere on that
/// form" and "being mispronounced" are none.
fn somebody(text: &Text<'_>, first: usize, last: usize) -> bool {
    let said = text.said(first);
    if text.has(first, words::GIVEN | words::FAMILY | words::PARTICLE) || capital(text, first) || text.letter(first).is_some() {
        return true;
    }
    let family = (first.saturating_sub(4)..first).any(|n| text.one_of(n, &["last", "surname", "family", "maiden", "lastname", "second"]));
    let ends = |list: &[&str]| list.iter().any(|end| said.ends_with(end));
    if !family && said.len() >= 6 && ends(&ENDS) && !ends(&NAMES_END) {
        return false;
    }
    let begins = |list: &[&str]| list.iter().any(|begin| said.starts_with(begin));
    if !family && said.len() >= 7 && begins(&BEGINNINGS) {
        return false;
    }
    let goes_on = text.one_of(last + 1, &["on", "in", "to", "at", "by", "than", "about", "of", "all", "as"]);
    let filed = text.one_of(last + 1, &["on", "in"]) && (last + 2..last + 5).any(|n| text.one_of(n, &["account", "file", "booking", "reservation", "profile"]));
    last > first || !goes_on || filed || text.word(last + 1, "as") && text.word(last + 2, "in")
}

/// The first token behind an announcement at this place: "name is", "last name", "mr", "call me".
fn announcement(text: &Text<'_>, at: usize) -> Option<usize> {
    if text.has(at, words::TITLE) {
        // Doctor Pepper is a drink.
        if text.one_of(
            at + 1,
            &[
                "pepper", "coffee", "clean", "bean", "beer", "potato", "teams", "word", "office", "excel", "pac", "scholls", "martens", "robot", "phil",
                "fields", "fix", "right", "nice", "perfect", "universe", "speaker", "chairman", "grumpy",
            ],
        ) {
            return None;
        }
        let next = at + 1 + usize::from(text.sign(at + 1, b'.'));
        return text.get(next).is_some_and(|t| t.kind == Kind::Word && t.end - t.start > 1).then_some(next);
    }
    if text.one_of(at, &["names"]) && somebodys(text, at) && text.said(at).len() > 5
        || text.word(at, "names") && at > 0 && text.one_of(at - 1, &["my", "his", "her", "the", "last", "first", "full", "middle", "sons", "wifes"])
    {
        return Some(skip_fillers(text, at + 1));
    }
    // "the account holder is robert smith"
    if text.one_of(at, &["holder", "cardholder", "policyholder"]) && text.one_of(at + 1, &["is", "was"]) {
        return Some(skip_fillers(text, at + 2));
    }
    if text.word(at, "called") && at > 0 && text.one_of(at - 1, &["im", "am"]) {
        return Some(skip_fillers(text, at + 1));
    }
    if text.word(at, "under") && text.has(at + 1, words::GIVEN) {
        return Some(at + 1);
    }
    if !text.has(at, words::NAME) || !somebodys(text, at) {
        return None;
    }
    if text.has(at + 1, words::GIVEN | words::FAMILY) && !text.has(at + 2, words::NAME) {
        return Some(at + 1);
    }
    // "under the name of miller"
    if at > 1 && text.word(at - 1, "the") && text.one_of(at - 2, &["under", "by"]) && text.word(at, "name") {
        return Some(skip_fillers(text, at + 1 + usize::from(text.word(at + 1, "of"))));
    }
    let part = at > 0
        && text.one_of(
            at - 1,
            &[
                "last",
                "first",
                "middle",
                "family",
                "given",
                "maiden",
                "full",
                "second",
                "husbands",
                "wifes",
                "sons",
                "daughters",
                "mothers",
                "fathers",
                "partners",
            ],
        )
        || text.one_of(at, &["surname", "lastname", "firstname"]);
    let mut next = skip_fillers(text, at + 1);
    // "change the name to callum reed"
    if text.one_of(next, &["to", "as"]) && text.has(next + 1, words::GIVEN) {
        return Some(next + 1);
    }
    // "in the name of miller"
    if text.word(next, "of") && at > 1 && text.word(at - 1, "the") && text.word(at - 2, "in") {
        return Some(skip_fillers(text, next + 1)).filter(|first| !text.one_of(*first, &["god", "science", "love", "justice", "christ"]));
    }
    // "my name anna miller"
    if at > 0 && text.word(at - 1, "my") && next == at + 1 && next + 2 == text.tokens.len() && !text.one_of(next, &["is", "was", "s"]) {
        return Some(next);
    }
    // "name on the account is"
    let whose = text.one_of(next, &["on", "for", "associated", "as", "that", "listed", "printed", "shown", "under"]);
    if whose {
        let end = (next..next + 9).find(|n| {
            text.one_of(*n, &["is", "was"]) || text.word(*n, "be") && text.one_of(*n - 1, &["would", "should"]) || text.sign(*n, b':') || text.sign(*n, b'?')
        })?;
        next = end;
    }
    // "used to be"
    next += 2 * usize::from(text.word(next, "used") && text.word(next + 1, "to") && text.word(next + 2, "be"));
    next += usize::from(text.one_of(next, &["would", "should", "will"]) && text.word(next + 1, "be"));
    let is = text.one_of(next, &["is", "was", "s", "be"]) || text.sign(next, b':') || text.sign(next, b'=') || text.sign(next, b'-');
    // "Name on the card? Connor Reed."
    let is = is || whose && text.sign(next, b'?') && text.has(next + 1, words::GIVEN | words::FAMILY) && known::follows_name(text, next + 2);
    if is {
        next += 1;
        // "my name is not emily"
        next += usize::from(text.one_of(next, &["not", "actually", "really"]) && text.has(next + 1, words::GIVEN | words::FAMILY));
    } else if !part {
        return None;
    }
    Some(skip_fillers(text, next))
}

/// True for the name of what is no person: "the file name", "the domain's name".
pub(super) fn names_a_thing(text: &Text<'_>, at: usize) -> bool {
    const THINGS: [&str; 34] = [
        "app", "company", "shop", "store", "hotel", "town", "city", "game", "song", "movie", "file", "folder", "domain", "host", "server", "network", "wifi",
        "product", "brand", "street", "printer", "device", "drive", "document", "column", "table", "field", "project", "model", "screen", "computer",
        "machine", "wireless", "path",
    ];
    let of = text.one_of(at + 1, &["of", "for"]) && (at + 2..at + 4).any(|n| text.one_of(n, &THINGS));
    // "name the folder"
    let of = of || text.one_of(at + 1, &["the", "this", "that"]) && text.one_of(at + 2, &THINGS);
    of || at > 0 && (text.one_of(at - 1, &THINGS) || text.said(at - 1).strip_suffix("'s").is_some_and(|owner| THINGS.contains(&owner)))
}

/// A given name that stands alone in a text, or with one more word: its first and last token.
pub(super) fn alone(text: &Text<'_>) -> Option<(usize, usize)> {
    *text.facts().alone.get_or_init(|| alone_now(text))
}

fn alone_now(text: &Text<'_>) -> Option<(usize, usize)> {
    let small = |at: usize| text.has(at, words::FILLER) || text.get(at).is_some_and(|t| matches!(t.kind, Kind::Sign(_)));
    let mut first = 0;
    while small(first) || text.one_of(first, &["its", "yes", "yeah", "im", "sure"]) {
        first += 1;
    }
    // "spelled q u"
    let begin = first + usize::from(text.one_of(first, &["spelled", "spelt", "thats"]));
    if let Some(last) = letters(text, begin, 2).filter(|last| (last + 1..text.tokens.len()).all(small)) {
        return Some((begin, last));
    }
    if !text.has(first, words::GIVEN) {
        return None;
    }
    let (_, last, _) = name(text, first, !text.text.bytes().any(|b| b.is_ascii_lowercase()))?;
    (last + 1..text.tokens.len()).all(small).then_some((first, last))
}

/// True where a name is a person's: "my name", "his last name", "my husband's name", not "the hotel's name".
fn somebodys(text: &Text<'_>, at: usize) -> bool {
    const PEOPLE: [&str; 70] = [
        "my",
        "his",
        "her",
        "their",
        "our",
        "your",
        "the",
        "a",
        "full",
        "first",
        "last",
        "middle",
        "family",
        "given",
        "maiden",
        "legal",
        "real",
        "second",
        "husbands",
        "wifes",
        "sons",
        "daughters",
        "mothers",
        "fathers",
        "partners",
        "sisters",
        "brothers",
        "moms",
        "dads",
        "boss",
        "customers",
        "callers",
        "clients",
        "patients",
        "guests",
        "account",
        "contact",
        "cardholder",
        "holders",
        "customer",
        "patient",
        "guest",
        "passenger",
        "and",
        "is",
        "s",
        "complete",
        "preferred",
        "caller",
        "previous",
        "birth",
        "member",
        "managers",
        "agents",
        "nurses",
        "technicians",
        "colleagues",
        "drivers",
        "landlords",
        "reps",
        "tenants",
        "owners",
        "neighbors",
        "neighbours",
        "friends",
        "girlfriends",
        "boyfriends",
        "childs",
        "payees",
        "beneficiarys",
    ];
    let Some(before) = at.checked_sub(1) else { return true };
    text.get(before).is_some_and(|t| t.kind != Kind::Word) || text.has(before, words::FILLER | words::WEAK | words::NAME) || text.one_of(before, &PEOPLE)
}

/// Where the name begins in an answer to the question for it.
fn answer(text: &Text<'_>, shouted: bool) -> Option<usize> {
    let leads = [
        "yeah",
        "yes",
        "sure",
        "its",
        "it",
        "is",
        "okay",
        "ok",
        "of",
        "course",
        "so",
        "well",
        "the",
        "thats",
        "hi",
        "hello",
        "that",
        "would",
        "be",
        "im",
        "this",
        "certainly",
        "and",
        "then",
    ];
    let mut at = 0;
    while text.one_of(at, &leads) || text.has(at, words::FILLER) || text.sign(at, b',') || text.sign(at, b'.') {
        at += 1;
    }
    // "the homeowner" names nobody.
    let role = at > 0 && text.one_of(at - 1, &["the"]) && !text.has(at, words::GIVEN | words::FAMILY | words::TITLE) && !capital(text, at);
    if text.has(at, words::REMARK | words::CORRECT) || role {
        return None;
    }
    if text.has(at, words::WORD_NAME) && (text.get(at + 1).is_none() || text.one_of(at + 1, &["please", "thanks", "i"])) {
        return Some(at);
    }
    let (_, last, _) = name(text, at, shouted)?;
    let end = spelled_after(text, last);
    let polite = ["thanks", "thank", "you", "please", "okay", "ok", "right", "great", "spelled", "with", "thats", "and", "that's", "sir", "maam"];
    let offers = text.one_of(end + 1, &["i"]) && text.one_of(end + 2, &["can", "could", "will", "spell"]) || text.one_of(end + 1, &["ill"]);
    let offers = offers || text.word(end + 1, "in") && text.word(end + 2, "the") && text.word(end + 3, "middle");
    let over = text.get(end + 1).is_none_or(|t| t.kind == Kind::Sign(b'.') || t.kind == Kind::Sign(b',')) || text.one_of(end + 1, &polite);
    (over || offers).then_some(at)
}

/// True for a word that begins with a capital.
fn capital(text: &Text<'_>, at: usize) -> bool {
    text.get(at).is_some_and(|t| t.kind == Kind::Word) && text.said(at).starts_with(char::is_uppercase)
}

/// The name that begins here: first token, last token, how sure.
fn name(text: &Text<'_>, first: usize, shouted: bool) -> Option<(usize, usize, f32)> {
    // "the cardholder is mr tanaka": the title is no part of it.
    let first = if text.has(first, words::TITLE) { first + 1 + usize::from(text.sign(first + 1, b'.')) } else { first };
    let cased = capital(text, first) && !shouted;
    let most = if cased { UPPER } else { LOWER };
    let mut last = None;
    let mut at = first;
    let mut taken = 0;
    let more = |at: usize| text.has(at, words::FAMILY | words::GIVEN | words::PARTICLE) || text.has(at - 1, words::PARTICLE);
    while (taken < most || taken < UPPER && more(at)) && belongs(text, at, cased, taken == 0) {
        last = Some(at);
        taken += usize::from(!text.has(at, words::PARTICLE));
        at += 1;
        // "oliver um fitzgerald"
        let hesitation = (at..at + 2).take_while(|n| text.has(*n, words::FILLER) && !text.word(*n, "like")).count();
        if hesitation > 0 && belongs(text, at + hesitation, cased, false) && text.letter(at + hesitation).is_none() {
            at += hesitation;
        }
        // "Anne-Marie", "O'Neil" with its sign apart, "John F. Kennedy"
        if (text.sign(at, b'-') || text.sign(at, b'.') && text.letter(at - 1).is_some()) && text.get(at).is_some_and(|t| t.glued) {
            let joined = text.sign(at, b'-') && text.glued_after(at);
            if joined || (text.sign(at, b'.') && belongs(text, at + 1, cased, false)) {
                taken = taken.saturating_sub(usize::from(joined));
                at += 1;
            }
        }
    }
    let mut last = last?;
    // "garcia hyphen lopez"
    if last == at - 1 && text.one_of(at, &["hyphen", "dash"]) && belongs(text, at + 1, cased, false) {
        last = at + 1;
    }
    // A particle or an initial alone ends no name.
    while last > first && !cased && (text.has(last, words::PARTICLE) || text.letter(last).is_some()) {
        last -= 1;
    }
    let alone = last == first && text.get(first).is_some_and(|t| t.end - t.start < 2);
    let street = ["street", "boulevard", "avenue", "drive", "road", "lane", "way", "highway", "blvd", "hospital", "school", "park", "square", "station"];
    let place = text.one_of(last, &street) || text.one_of(last + 1, &street);
    // "kevin park"
    let family = last == first + 1 && text.has(first, words::GIVEN) && text.one_of(last, &["park", "lane", "street"]);
    (!alone && (!place || family)).then_some((first, last, 0.75))
}

/// True where a word belongs to a name.
fn belongs(text: &Text<'_>, at: usize, cased: bool, begins: bool) -> bool {
    let Some(token) = text.get(at).filter(|t| t.kind == Kind::Word) else { return false };
    let info = token.info;
    // "family name kim given name minjun"
    if text.one_of(at, &["given", "married", "middle", "maiden", "christian", "family", "nick", "legal"]) && text.has(at + 1, words::NAME) {
        return false;
    }
    // "my name is marcus delgado date of birth", "... badge number"
    let other = text.one_of(at, &["date", "place", "year"]) && text.word(at + 1, "of") || text.one_of(at + 1, &["number", "numbers", "code"]);
    if !begins && other {
        return false;
    }
    // "my wife's name is chloe dubois she's the account holder"
    if text.one_of(at, &["shes", "hes", "theyre", "youve", "youre", "weve", "theyve", "according", "relation"]) {
        return false;
    }
    if text.letter(at).is_some() {
        // An initial: a word of the name follows, not another letter.
        let initial = text.get(at + 1 + usize::from(text.sign(at + 1, b'.'))).is_some_and(|t| t.kind == Kind::Word && t.end - t.start > 1);
        return !begins
            && initial
            && (!text.one_of(at, &["i", "a"]) || text.has(at - 1, words::GIVEN) && text.has(at + 1, words::FAMILY))
            && (!cased || capital(text, at));
    }
    if cased {
        let particle = info.flags & words::PARTICLE != 0 && !begins && capital(text, at + 1);
        let stop =
            info.flags & words::STOP != 0 && (text.one_of(at, &["i'm", "i"]) || begins && !text.one_of(at, &["will", "may", "mark", "grace", "hope", "joy"]));
        let heading = !begins && info.cue != Cue::None && info.flags & words::GIVEN == 0;
        return particle || (capital(text, at) && !stop && !heading);
    }
    if info.flags & words::PARTICLE != 0 && text.get(at + 1).is_some_and(|t| t.kind == Kind::Word && t.info.flags & words::STOP == 0) {
        return true;
    }
    let counts = !matches!(info.num, Num::None | Num::Month | Num::Slip);
    let word_name = !begins && info.flags & words::WORD_NAME != 0 && info.flags & words::STOP == 0 && text.has(at - 1, words::GIVEN);
    let announces = info.cue != Cue::None && info.flags & (words::GIVEN | words::FAMILY) == 0 && !word_name;
    // "brian young"
    let behind_given = !begins && text.has(at - 1, words::GIVEN) && text.get(at + 1).is_none_or(|t| matches!(t.kind, Kind::Sign(_)));
    if info.flags & words::NO_NAME != 0 && info.flags & (words::GIVEN | words::FAMILY) == 0 && !behind_given && !word_name {
        return false;
    }
    info.flags & (words::STOP | words::FILLER | words::NAME | words::SPELL) == 0 && !counts && !announces && info.sign == 0
}

/// The last token of the name that is said instead of the one that ends here: "kwame no sorry kwesi tanaka".
fn instead(text: &Text<'_>, last: usize, shouted: bool) -> usize {
    let mut at = last + 1;
    while text.has(at, words::CORRECT | words::FILLER) || text.sign(at, b',') || text.one_of(at, &["i", "its"]) {
        at += 1;
    }
    let corrected = (last + 1..at).any(|n| text.has(n, words::CORRECT));
    let ends =
        |end: usize| text.get(end + 1).is_none_or(|t| matches!(t.kind, Kind::Sign(_))) || text.one_of(end + 1, &["and", "please", "thanks", "okay", "now"]);
    let other = if corrected { name(text, at, shouted) } else { None };
    other.map(|(_, end, _)| end).filter(|end| ends(*end)).unwrap_or(last)
}
