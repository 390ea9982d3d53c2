//! Names that people give without saying "name": "this is anna smith calling", "may i speak to anna".
//!
//! In: tokens and a place. Out: the name that is said from there. It takes evidence: a given name or a family name that is
//! known, or capitals. Never fails.

use super::super::tokens::{Kind, Text};
use super::super::words;
use super::company::company;
use super::{ENDS, capital, name, skip_fillers, somebody};

/// "this is anna smith calling", "i'm anna", "anna speaking".
pub(super) fn said_of_oneself(text: &Text<'_>, at: usize, shouted: bool) -> Option<(usize, usize, f32)> {
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
        // "the cheque's made out to ashwin washington"
        () if text.word(at, "to")
            && at > 1
            && (text.word(at - 1, "payable")
                || text.word(at - 1, "out") && (at.saturating_sub(6)..at - 1).any(|n| text.one_of(n, &["made", "make", "making", "write", "written"]))) =>
        {
            return reached(text, at, at + 1, shouted);
        }
        () if text.word(at, "is") && text.one_of(at + 1, &["this", "that"]) && asks(text, at) => return reached(text, at, at + 2, shouted),
        () if at == 0 && text.has(at, words::GIVEN) => at,
        () if (at == 0
            || (0..at).all(|n| {
                text.has(n, words::FILLER | words::WEAK) || text.sign(n, b',') || text.one_of(n, &["hi", "hello", "good", "morning", "afternoon", "evening"])
            }))
            && at < 5 =>
        {
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
    let from =
        text.one_of(last + 1, &["from", "and", "in", "with", "over"]) || text.word(last + 1, "by") && text.word(last + 2, "the") && text.word(last + 3, "way");
    let from = from || text.word(last + 1, "how") && text.one_of(last + 2, &["can", "may", "are", "could"]);
    let from = from || text.word(at, "speaking") && text.one_of(last + 1, &["today", "now"]);
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
            || (capitals && !text.word(at, "this") && (ends || from || greeted))
    };
    sure.then_some((first, last, 0.6))
}

/// True where a question begins: at the beginning, behind a greeting or the end of a sentence.
fn asks(text: &Text<'_>, at: usize) -> bool {
    let Some(before) = at.checked_sub(1) else { return true };
    text.get(before).is_some_and(|t| matches!(t.kind, Kind::Sign(b'.' | b',' | b'?' | b'!')))
        || text.one_of(before, &["hi", "hello", "hey", "morning", "sorry"])
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
    let known = text.has(first, words::GIVEN) || last > first && text.has(last, words::FAMILY);
    // "this is dairy queen speaking"
    let told = known || !(at > 0 && text.word(at - 1, "is"));
    let speaks = text.word(last + 1, "speaking") && over(last + 2) && named && told && !company(text, first, last);
    let here = text.word(last + 1, "here") && over(last + 2) && !shouted && last > first && capital(text, first) && capital(text, last);
    // "hi fergus here from dispatch"
    let greeted = at > 0 && text.one_of(at - 1, &["hi", "hello", "hey", "morning", "afternoon", "evening"]);
    let from = text.word(last + 2, "from") || text.get(last + 2).is_none_or(|t| matches!(t.kind, Kind::Sign(b'.' | b',' | b'!')));
    let here = here || greeted && known && text.word(last + 1, "here") && from && !company(text, first, last);
    // "tanaka is my last name"
    let mine = text.word(last + 1, "is") && text.one_of(last + 2, &["my", "the"]) && (last + 3..last + 5).any(|n| text.has(n, words::NAME));
    ((speaks || here || mine) && text.letter(first).is_none()).then_some((first, last, 0.6))
}

/// Who is spoken to or asked for: "may i speak to kevin hargrove", "you're through to ivan in billing", "is this anna".
fn reached(text: &Text<'_>, at: usize, first: usize, shouted: bool) -> Option<(usize, usize, f32)> {
    let (first, last, _) = name(text, first, shouted)?;
    let known = text.has(first, words::GIVEN) || last > first && text.has(last, words::FAMILY);
    if !known || company(text, first, last) {
        return None;
    }
    let whole = text.get(last + 1).is_none_or(|t| matches!(t.kind, Kind::Sign(_))) || text.one_of(last + 1, &["please", "speaking", "calling", "im"]);
    let followed = whole || text.one_of(last + 1, &["in", "from", "at", "about", "again", "today", "yesterday", "on", "now", "who", "and"]);
    // One given name may be a place or a thing: it takes more.
    let sure = if text.word(at, "is") { whole } else { followed };
    let answered = text.word(at, "through") || text.one_of(at, &["speak", "talk"]) && whole;
    (sure && (last > first || answered)).then_some((first, last, 0.6))
}
