//! Names of people, where the words around them leave no doubt: "my name is ...", "last name ... s m i t h", "mr ...".
//!
//! In: tokens. Out: findings. A name is the words behind its announcement up to the first that is in no name; where the
//! text has capitals they decide. Letters that spell a name belong to it. Never fails.

use super::asked::Asked;
use super::spelling::{few_letters, letters, spelled, spelled_after, spells_itself};
use super::tokens::{Kind, Text};
use super::words::{self, Cue, Num};
use super::{Found, Label};

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
        announced |= text.has(at, words::NAME);
        let begin = announcement(text, at).or_else(|| (at == 0 && asked.any_name()).then(|| answer(text, shouted)).flatten());
        let value = begin.and_then(|first| name(text, first, shouted)).filter(|(first, last, _)| somebody(text, *first, *last));
        let value = value.or_else(|| begin.and_then(|first| word_name(text, at, first, asked)));
        let value = value.or_else(|| said_of_oneself(text, at, shouted)).or_else(|| spells_itself(text, at));
        let value = value
            .map(|(first, last, score)| (first, instead(text, spelled_after(text, last), shouted), score))
            .or_else(|| spelled(text, at, announced))
            .or_else(|| if asked.any_name() { few_letters(text, at) } else { None });
        match value {
            Some((first, last, score)) => {
                found.push(Found { first, last, label: Label::PersonName, score });
                announced = true;
                at = last + 1;
            }
            None => at += 1,
        }
    }
}

fn skip_fillers(text: &Text<'_>, mut at: usize) -> usize {
    while text.has(at, words::FILLER) || text.sign(at, b',') || text.sign(at, b'"') {
        at += 1;
    }
    at
}

/// A family name that is a word as well, where a family name is announced or asked for and nothing else is said: "last name
/// young first name brenda".
fn word_name(text: &Text<'_>, at: usize, first: usize, asked: Asked) -> Option<(usize, usize, f32)> {
    let family = (at.saturating_sub(1)..first).any(|n| text.one_of(n, &["last", "surname", "family", "maiden", "lastname"]));
    let over = text.get(first + 1).is_none_or(|t| matches!(t.kind, Kind::Sign(_))) || text.one_of(first + 1, &["first", "please", "thanks", "and", "thank"]);
    let plain = text.one_of(first, &["long", "short", "small", "rich", "french", "english", "welsh", "key", "strong", "wise", "sweet", "little", "love", "best"]);
    (text.has(first, words::WORD_NAME) && over && (family && !plain || asked.any_name())).then_some((first, first, 0.6))
}

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
                "fields",
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
    if text.has(at + 1, words::GIVEN) {
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
    // "in the name of miller"
    if text.word(next, "of") && at > 1 && text.word(at - 1, "the") && text.word(at - 2, "in") {
        return Some(skip_fillers(text, next + 1));
    }
    // "my name anna miller"
    if at > 0 && text.word(at - 1, "my") && next == at + 1 && next + 2 == text.tokens.len() && !text.one_of(next, &["is", "was", "s"]) {
        return Some(next);
    }
    // "name on the account is"
    let whose = text.one_of(next, &["on", "for", "associated", "as", "that", "listed", "printed", "shown", "under"]);
    if whose {
        let end = (next..next + 9).find(|n| text.one_of(*n, &["is", "was"]) || text.sign(*n, b':'))?;
        next = end;
    }
    next += usize::from(text.one_of(next, &["would", "should", "will"]) && text.word(next + 1, "be"));
    let is = text.one_of(next, &["is", "was", "s", "be"]) || text.sign(next, b':') || text.sign(next, b'=') || text.sign(next, b'-');
    if is {
        next += 1;
    } else if !part {
        return None;
    }
    Some(skip_fillers(text, next))
}

/// A given name that stands alone in a text, or with one more word: its first and last token.
pub(super) fn alone(text: &Text<'_>) -> Option<(usize, usize)> {
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
    const PEOPLE: [&str; 52] = [
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
    if text.has(at, words::REMARK | words::CORRECT) {
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

/// "this is anna smith calling", "i'm anna", "anna speaking".
fn said_of_oneself(text: &Text<'_>, at: usize, shouted: bool) -> Option<(usize, usize, f32)> {
    let begins = match () {
        () if text.word(at, "this") && text.word(at + 1, "is") => at + 2,
        () if text.one_of(at, &["im", "its"]) => at + 1,
        () if text.word(at, "i") && text.word(at + 1, "am") => at + 2,
        () if text.one_of(at, &["call", "calls"]) && text.word(at + 1, "me") => at + 2,
        () if text.word(at, "under")
            && at > 0
            && text.one_of(at - 1, &["its", "is", "be", "was", "booked", "registered", "filed", "reservation", "account"]) =>
        {
            at + 1
        }
        () if text.one_of(at, &["speaking", "talking"]) && text.one_of(at + 1, &["with", "to"]) => at + 2,
        () if text.one_of(at, &["speak", "talk", "spoke", "talked", "through", "transferred"]) && text.one_of(at + 1, &["with", "to"]) => {
            return reached(text, at, at + 2, shouted);
        }
        () if text.word(at, "is") && text.word(at + 1, "this") && at == 0 => return reached(text, at, at + 2, shouted),
        () if at == 0 && text.has(at, words::GIVEN) => at,
        () if (at == 0 || (0..at).all(|n| text.has(n, words::FILLER | words::WEAK) || text.sign(n, b',') || text.one_of(n, &["hi", "hello"]))) && at < 5 => {
            return answers_the_phone(text, at, shouted);
        }
        () => return None,
    };
    let begins = skip_fillers(text, begins);
    let (first, last, _) = name(text, begins, shouted)?;
    if company(text, first, last) {
        return None;
    }
    let given = text.has(first, words::GIVEN);
    let known = given || last > first && text.has(last, words::FAMILY);
    let calls = text.one_of(last + 1, &["speaking", "calling", "here"]) || (text.sign(last + 1, b',') && text.one_of(last + 2, &["speaking", "calling"]));
    let called = text.word(last + 1, "calling") && text.one_of(at, &["im"]) && last == first + 1;
    let speaks = called || text.word(last + 1, "speaking") && (known || !text.word(at, "this") && (last > first || capital(text, first) && !shouted));
    let introduced = text.one_of(at, &["speaking"]) && at > 0 && text.one_of(at - 1, &["youre", "are"]);
    let calls = calls || (text.word(last + 1, "is") && text.word(last + 2, "my") && text.has(last + 3, words::NAME));
    let from = text.one_of(last + 1, &["from", "and", "in", "with"]) || text.word(last + 1, "by") && text.word(last + 2, "the") && text.word(last + 3, "way");
    // "it's under keiko miller that's my name"
    let mine = text.one_of(last + 1, &["thats", "is"]) && text.word(last + 2, "my") && (last + 3..last + 5).any(|n| text.has(n, words::NAME));
    if text.word(at, "under") {
        return (mine || given).then_some((first, last, 0.6));
    }
    let ends = text.get(last + 1).is_none_or(|t| matches!(t.kind, Kind::Sign(b'.' | b',' | b'!' | b'?')));
    let ends = ends || text.word(last + 1, "but") && text.one_of(at, &["call", "calls"]);
    let capitals = !shouted && capital(text, first) && first + 1 < last + 1 && last > first && capital(text, last);
    let greeted = text.word(at, "this")
        && (at == 0 || text.one_of(at - 1, &["hi", "hello", "hey", "yes", "yeah", "morning", "afternoon", "evening"]) || text.sign(at - 1, b','));
    let two = last == first + 1 && (known || !text.word(at, "this")) && somebody(text, first, last) && (mine || both_names(text, at, last));
    let sure = if two || speaks && text.one_of(at, &["its", "im", "this", "i"]) || introduced && ends {
        true
    } else if text.one_of(at, &["its"]) && !calls {
        let whole = at <= 1 && last + 2 >= text.tokens.len();
        given && last > first && ends && (capitals || whole && last == first + 1)
    } else if begins == at || text.one_of(at, &["its"]) {
        given && calls
    } else {
        (calls && known)
            || (known && last > first && (ends || from || greeted))
            || (given && (last > first || ends || from || greeted))
            || (capitals && (ends || from || greeted))
    };
    sure.then_some((first, last, 0.6))
}

/// Who is spoken to or asked for: "may i speak to kevin hargrove", "you're through to ivan in billing", "is this anna".
fn reached(text: &Text<'_>, at: usize, first: usize, shouted: bool) -> Option<(usize, usize, f32)> {
    let (first, last, _) = name(text, first, shouted)?;
    let known = text.has(first, words::GIVEN) || last > first && text.has(last, words::FAMILY);
    if !known || company(text, first, last) {
        return None;
    }
    let whole = text.get(last + 1).is_none_or(|t| matches!(t.kind, Kind::Sign(_))) || text.one_of(last + 1, &["please", "speaking", "calling"]);
    let followed = whole || text.one_of(last + 1, &["in", "from", "at", "about", "again", "today", "yesterday", "on", "now", "who", "and"]);
    // One given name may be a place or a thing: it takes more.
    let sure = if text.word(at, "is") { whole } else { followed };
    let answered = text.word(at, "through") || text.one_of(at, &["speak", "talk"]) && whole;
    (sure && (last > first || answered)).then_some((first, last, 0.6))
}

/// Words of which companies' names are made, and a person's seldom.
const BUSINESS: [&str; 151] = [
    "energy", "logistics", "farm", "farms", "insurance", "motors", "motor", "airlines", "airways", "air", "holdings", "group", "solutions", "systems", "media",
    "foods", "food", "electric", "electrical", "electronics", "gas", "telecom", "wireless", "mobile", "express", "freight", "couriers", "courier", "properties",
    "property", "realty", "estates", "dental", "dentistry", "medical", "clinic", "plumbing", "heating", "windows", "roofing", "partners", "associates", "labs",
    "lab", "technologies", "technology", "industries", "international", "global", "enterprises", "company", "corporation", "corp", "inc", "limited", "ltd",
    "llc", "bank", "banking", "financial", "finance", "capital", "credit", "union", "savings", "trust", "securities", "investments", "mutual", "life",
    "health", "healthcare", "care", "pharmacy", "optical", "vision", "hospital", "university", "college", "school", "academy", "institute", "council",
    "airport", "hotel", "hotels", "inn", "resort", "suites", "rentals", "rental", "cars", "auto", "autos", "tires", "tyres", "garage", "hardware",
    "furniture", "kitchens", "pizza", "burger", "burgers", "coffee", "cafe", "bakery", "grill", "restaurant", "brewery", "wines", "books", "records", "games",
    "sports", "fitness", "gym", "travel", "tours", "cruises", "shipping", "transport", "transit", "rail", "railways", "water", "utilities", "networks",
    "network", "broadband", "cable", "communications", "digital", "software", "data", "cloud", "online", "depot", "supply", "supplies", "services", "service",
    "security", "cleaning", "construction", "builders", "interiors", "design", "studio", "studios", "agency", "fargo",
];

/// Companies and things that are called like people: the first word and the second.
const CALLED_LIKE_PEOPLE: [(&str, &str); 64] = [
    ("john", "lewis"),
    ("john", "deere"),
    ("charles", "schwab"),
    ("ralph", "lauren"),
    ("calvin", "klein"),
    ("tommy", "hilfiger"),
    ("jack", "daniels"),
    ("papa", "johns"),
    ("mary", "kay"),
    ("edward", "jones"),
    ("raymond", "james"),
    ("morgan", "stanley"),
    ("merrill", "lynch"),
    ("philip", "morris"),
    ("harry", "winston"),
    ("michael", "kors"),
    ("marc", "jacobs"),
    ("kate", "spade"),
    ("steve", "madden"),
    ("eddie", "bauer"),
    ("tim", "hortons"),
    ("jimmy", "johns"),
    ("jimmy", "dean"),
    ("jimmy", "choo"),
    ("sam", "adams"),
    ("betty", "crocker"),
    ("saint", "james"),
    ("james", "bond"),
    ("oscar", "mayer"),
    ("max", "factor"),
    ("estee", "lauder"),
    ("elizabeth", "arden"),
    ("hugo", "boss"),
    ("louis", "vuitton"),
    ("christian", "dior"),
    ("thomas", "cook"),
    ("harvey", "norman"),
    ("harvey", "nichols"),
    ("marie", "callender"),
    ("bob", "evans"),
    ("jenny", "craig"),
    ("paul", "smith"),
    ("ted", "baker"),
    ("ted", "lasso"),
    ("fred", "meyer"),
    ("fred", "perry"),
    ("sara", "lee"),
    ("duncan", "hines"),
    ("ethan", "allen"),
    ("george", "foreman"),
    ("russell", "hobbs"),
    ("kenneth", "cole"),
    ("allen", "edmonds"),
    ("martin", "luther"),
    ("veronica", "mars"),
    ("harry", "potter"),
    ("bed", "bath"),
    ("wells", "fargo"),
    ("jp", "morgan"),
    ("goldman", "sachs"),
    ("sherwin", "williams"),
    ("johnson", "johnson"),
    ("virgin", "atlantic"),
    ("vera", "wang"),
];

/// True for the name of a company: by one of its words, or because it is known to be called like a person.
fn company(text: &Text<'_>, first: usize, last: usize) -> bool {
    let business = (first..=last + 1).any(|n| n > first && text.one_of(n, &BUSINESS)) || (first..=last).any(|n| text.one_of(n, &["saint", "san", "santa"]));
    let listed = CALLED_LIKE_PEOPLE.iter().any(|(one, other)| text.word(first, one) && text.word(first + 1, other));
    let several = text.word(last + 1, "and") && (text.has(last + 2, words::WORD_NAME | words::FAMILY) || text.one_of(last + 2, &["sons", "co", "jerrys", "company", "partners"]));
    business || listed || several
}

/// True where what stands around two words behind "this is", "i'm" or "it's" tells that they are a name, though neither is
/// known as one: a greeting before and where one calls from or what one wants behind, or "calling".
fn both_names(text: &Text<'_>, at: usize, last: usize) -> bool {
    let greets = ["hi", "hello", "hey", "morning", "afternoon", "evening", "there", "yeah", "yes"];
    let greeted = at > 0 && (text.one_of(at - 1, &greets) || text.sign(at - 1, b',') && at > 1 && text.one_of(at - 2, &greets));
    let firm = |n: usize| {
        text.get(n).is_some_and(|t| t.kind == Kind::Word) && !text.one_of(n, &["you", "your", "my", "me", "the", "this", "that", "last", "a", "what"])
    };
    // "hi there i'm rosa griffiths and i'm calling ...", "good morning this is zainab haugen from accounting"
    let goes_on = text.word(last + 1, "from") && firm(last + 2) || text.word(last + 1, "and") && text.one_of(last + 2, &["im", "id", "ive", "i"]);
    // "hi this is tremaine jackson", and no more
    let whole = text.word(at, "this") && last + 2 >= text.tokens.len() && !ENDS.iter().any(|end| text.said(last).ends_with(end));
    let after = ["about", "from", "for", "back", "again", "and"];
    let calls = text.word(at, "its")
        && text.word(last + 1, "calling")
        && (text.get(last + 2).is_none_or(|t| matches!(t.kind, Kind::Sign(_))) || text.one_of(last + 2, &after));
    calls || greeted && (goes_on || whole)
}

/// "helen schneider speaking", how one answers the phone.
fn answers_the_phone(text: &Text<'_>, at: usize, shouted: bool) -> Option<(usize, usize, f32)> {
    let (first, last, _) = name(text, at, shouted)?;
    let over = |n: usize| text.get(n).is_none_or(|t| matches!(t.kind, Kind::Sign(_))) || text.one_of(n, &["how", "here", "and", "from", "good", "what"]);
    let named = text.has(first, words::GIVEN) || last > first || capital(text, first) && !shouted;
    let speaks = text.word(last + 1, "speaking") && over(last + 2) && named;
    let here = text.word(last + 1, "here") && over(last + 2) && !shouted && last > first && capital(text, first) && capital(text, last);
    // "tanaka is my last name"
    let mine = text.word(last + 1, "is") && text.one_of(last + 2, &["my", "the"]) && (last + 3..last + 5).any(|n| text.has(n, words::NAME));
    ((speaks || here || mine) && text.letter(first).is_none()).then_some((first, last, 0.6))
}

/// True for a word that begins with a capital.
fn capital(text: &Text<'_>, at: usize) -> bool {
    text.get(at).is_some_and(|t| t.kind == Kind::Word) && text.said(at).starts_with(char::is_uppercase)
}

/// The name that begins here: first token, last token, how sure.
fn name(text: &Text<'_>, first: usize, shouted: bool) -> Option<(usize, usize, f32)> {
    let cased = capital(text, first) && !shouted;
    let most = if cased { UPPER } else { LOWER };
    let mut last = None;
    let mut at = first;
    let mut taken = 0;
    while taken < most && belongs(text, at, cased, taken == 0) {
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
                taken -= usize::from(joined);
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
    (!alone && !place).then_some((first, last, 0.75))
}

/// True where a word belongs to a name.
fn belongs(text: &Text<'_>, at: usize, cased: bool, begins: bool) -> bool {
    let Some(token) = text.get(at).filter(|t| t.kind == Kind::Word) else { return false };
    let info = token.info;
    if text.letter(at).is_some() {
        // An initial: a word of the name follows, not another letter.
        let initial = text.get(at + 1 + usize::from(text.sign(at + 1, b'.'))).is_some_and(|t| t.kind == Kind::Word && t.end - t.start > 1);
        return !begins && initial && !text.one_of(at, &["i", "a"]) && (!cased || capital(text, at));
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
    let ends = |end: usize| text.get(end + 1).is_none_or(|t| matches!(t.kind, Kind::Sign(_))) || text.one_of(end + 1, &["and", "please", "thanks", "okay", "now"]);
    let other = if corrected { name(text, at, shouted) } else { None };
    other.map(|(_, end, _)| end).filter(|end| ends(*end)).unwrap_or(last)
}
