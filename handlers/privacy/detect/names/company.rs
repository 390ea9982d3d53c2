//! Names of companies where a person's is looked for: "this is acme logistics calling".
//!
//! In: tokens and what was taken for a name. Out: whether it is a company's. Never fails.

use super::super::tokens::Text;
use super::super::words;

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
pub(super) fn company(text: &Text<'_>, first: usize, last: usize) -> bool {
    let business = (first..=last + 1).any(|n| n > first && text.one_of(n, &BUSINESS)) || (first..=last).any(|n| text.one_of(n, &["saint", "san", "santa"]));
    let listed = CALLED_LIKE_PEOPLE.iter().any(|(one, other)| text.word(first, one) && text.word(first + 1, other));
    let several = text.word(last + 1, "and") && (text.has(last + 2, words::WORD_NAME | words::FAMILY) || text.one_of(last + 2, &["sons", "co", "jerrys", "company", "partners"]));
    business || listed || several
}

