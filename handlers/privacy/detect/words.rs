//! The words that the detector knows: what they count, join, announce or end.
//!
//! One look-up per word of a text, without regard to case and apostrophes. The lists are English, as the recogniser's
//! language is; written values need no words. A word may carry several meanings; the detectors choose by its place.

use std::collections::HashMap;
use std::sync::LazyLock;

use super::name_words::{FAMILY_NAMES, GIVEN_NAMES, NO_NAMES, WORD_NAMES};

/// What a word counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) enum Num {
    /// Nothing.
    #[default]
    None,
    /// 0 to 9.
    Unit,
    /// 10 to 19.
    Teen,
    /// 20, 30 to 90.
    Tens,
    /// "hundred".
    Hundred,
    /// "thousand".
    Thousand,
    /// "million" and above: an amount, never part of a value.
    Scale,
    /// "double", "triple": how often the next digit stands.
    Repeat,
    /// A word that recognisers write for a digit ("for", "to", "ate"); a digit only between digits.
    Slip,
    /// "first" to "thirtieth"; the value is the day.
    Ordinal,
    /// "january" to "december"; the value is the month.
    Month,
}

/// What a word announces about the number near it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) enum Cue {
    /// Nothing.
    #[default]
    None,
    /// A telephone number for certain.
    Phone,
    /// Somebody is called, or "number" without saying which.
    Number,
    /// A payment card.
    Card,
    /// A social security number.
    Social,
    /// An account.
    Account,
    /// A secret of few digits.
    Pin,
    /// A birth.
    Birth,
    /// An e-mail address.
    Mail,
    /// A number that is nobody's: order, ticket, version, flight.
    Thing,
}

impl Cue {
    /// All of them.
    pub const ALL: [Self; 10] =
        [Self::None, Self::Phone, Self::Number, Self::Card, Self::Social, Self::Account, Self::Pin, Self::Birth, Self::Mail, Self::Thing];
}

/// Skipped between the parts of a value: hesitation.
pub(super) const FILLER: u32 = 1;
/// Skipped between the parts of a value, if few: small talk.
pub(super) const WEAK: u32 = 1 << 1;
/// A word that is in no name and no mailbox.
pub(super) const STOP: u32 = 1 << 2;
/// Stands between a cue and its value.
pub(super) const NEUTRAL: u32 = 1 << 3;
/// What was said before it was wrong.
pub(super) const CORRECT: u32 = 1 << 4;
/// Makes the number before it a quantity.
pub(super) const UNIT: u32 = 1 << 5;
/// Stands for its first letter.
pub(super) const NATO: u32 = 1 << 6;
/// The last label of a domain.
pub(super) const TLD: u32 = 1 << 7;
/// The last label of a domain, and too common a word to make one by itself.
pub(super) const TLD_WORD: u32 = 1 << 8;
/// A provider of mailboxes.
pub(super) const PROVIDER: u32 = 1 << 9;
/// Mister.
pub(super) const TITLE: u32 = 1 << 10;
/// Particle inside a name.
pub(super) const PARTICLE: u32 = 1 << 11;
/// What one does at a site or a place, so that no mailbox stands before its "at".
pub(super) const PLACE: u32 = 1 << 12;
/// "at".
pub(super) const AT: u32 = 1 << 13;
/// Spells what follows.
pub(super) const SPELL: u32 = 1 << 14;
/// "name" and its kin.
pub(super) const NAME: u32 = 1 << 15;
/// A given name that is known as such.
pub(super) const GIVEN: u32 = 1 << 16;
/// Stands near a name that nothing else announces.
pub(super) const INTRO: u32 = 1 << 18;
/// Said to keep the talk going: no answer to a question.
pub(super) const REMARK: u32 = 1 << 17;
/// In no name, though it may be in a mailbox.
pub(super) const NO_NAME: u32 = 1 << 19;
/// A family name that is known as such.
pub(super) const FAMILY: u32 = 1 << 20;
/// A family name that is a word as well.
pub(super) const WORD_NAME: u32 = 1 << 21;

/// Before "number": whose telephone it is, where it is, or which of several.
pub(super) const TELEPHONED: u32 = 1 << 22;

/// What is known of a word.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Info {
    /// The constants above, joined.
    pub flags: u32,
    /// What it counts.
    pub num: Num,
    /// How much.
    pub value: u8,
    /// What it announces.
    pub cue: Cue,
    /// The sign that it speaks ("dot"), or 0.
    pub sign: u8,
}

/// Longest word that is looked up, in bytes; with typographic apostrophes, that too is measured with them.
pub(super) const LONGEST: usize = 16;

const FLAGS: &[(u32, &str)] = &[
    (FILLER, "ehm ahem ooh uh um uhm umm uhh er erm ah eh hm hmm mm mmm mhm huh like"),
    (
        WEAK,
        "and then so okay ok yeah yes yep right thats its it you know let me see lets i think guess again next space hold just well \
         followed by comes a second sec moment minute the number is are rest last digits pause comma im also got that all ready bear with check give where was this back",
    ),
    (CORRECT, "no sorry wait actually correction oops scratch rather mean strike nope pardon excuse mistake whoops instead make bad fault apologies"),
    (
        NEUTRAL,
        "is was number numbers no num nr code id its it the my our his her their your a an of for to on and are be full complete long \
         digits digit please thats that here s uh um er erm hmm like so ok okay yeah yes sure new old current card bank credit debit security \
         reads as follows would should use this ending with secret personal main checking savings holder equals primary account file says set \
         changed reset i think guess believe just say again one time today still savings business joint me reading value count at us him them back give you actually well now sorry date were bill statement passbook chequebook checkbook",
    ),
    (
        UNIT,
        "dollars dollar bucks euros euro pounds pound cents cent percent people persons units unit pieces items boxes miles mile kilometers \
         kilometres km kg kilos kilograms grams meters metres feet foot inches minutes minute hours hour seconds days day weeks week months month \
         years year times degrees points votes copies pages customers users square gallons liters litres calories steps words lines rows \
         records residents inhabitants million billion pm am oclock megabytes gigabytes mb gb bytes watts volts hundredths yen rupees pesos \
         francs tons tonnes acres hectares employees members subscribers views likes followers orders calls requests",
    ),
    (
        NATO,
        "alpha alfa bravo charlie delta echo foxtrot golf hotel india juliet juliett kilo lima mike november oscar papa quebec romeo sierra \
         tango uniform victor whiskey whisky xray yankee zulu",
    ),
    (
        TLD,
        "com org net edu gov mil io co uk de fr es nl eu ca au nz jp cn ru br mx ch se dk fi pl cz ie pt gr tr za kr sg hk tw il ar cl pe ae sa \
         eg ng ke hu ro bg hr sk lt lv ee ua info biz dev app xyz online site tech cloud ai tv fm gg ly cc ws name mobi pro jobs travel museum int \
         example test invalid localhost local ltd inc health bank store shop blog club email agency digital group media network solutions \
         systems world academy law life live news company consulting th vn ph my id pk bd lk np ir iq lb jo kw qa om bh ma tn dz gh tz ug lu mt cy \
         cat page link work services finance support center city today zone family care space fun icu top vip website host press",
    ),
    (TLD_WORD, "me in it is be to at so no us am as my by do id la pm tv"),
    (
        PROVIDER,
        "gmail googlemail yahoo hotmail outlook icloud aol protonmail proton gmx msn live ymail comcast verizon fastmail zoho mac tutanota \
         rocketmail sbcglobal bellsouth btinternet orange free wanadoo",
    ),
    (TITLE, "mr mrs ms dr mister missus professor"),
    (PARTICLE, "de van der den von la le del della di da dos bin ibn al el mac mc st san ter ten du"),
    (
        PLACE,
        "look looking looked shop shopping shopped order ordered ordering buy buying bought work works working worked arrive arrived meet meeting \
         met find found see saw seen available located based registered account stay stayed stop stopped start started live lives lived site \
         website page online visit visited visiting check checked checking log logged logging sign signed login book booked store reading \
         sell sells selling sold deliver delivers delivered eat ate dine dined spend spent read went going go sale price listed posted free open opens closes opened today tomorrow now again later",
    ),
    (AT, "at"),
    (SPELL, "speaking called holder cardholder policyholder under spelled spelt spell spelling spells letters"),
    (
        REMARK,
        "hold hang alright perfect cool nice sweet lovely awesome wonderful understood agreed exactly cheers repeat pardon goodbye bye absolutely huh \
         rest listening next part ready sounds noted good ahead moment minute barking sec \
         continue half bear noise door pen pencil paper handy",
    ),
    (INTRO, "doctor nurse officer sergeant detective calling here reached calls from hi hello hey morning afternoon evening"),
    (
        TELEPHONED,
        "home flat cabin farm vet spare villa studio lodge church salon barber grandma nan aunt uncle cousin niece nephew roommate flatmate \
         colleague coworker assistant secretary receptionist nursery garden team landline best easiest quickest fastest nearest convenient reliable active shared babysitter nanny mechanic therapist employer tax caller wifes \
         husbands moms mums dads sons daughters brothers sisters partners mothers fathers girlfriends boyfriends friends neighbors neighbours bosses \
         managers doctors front box police station bank lobby concierge office work daytime evening direct business company store shop hotel restaurant clinic hospital desk reception emergency toll local \
         personal main head alternate alternative secondary primary correct wrong actual whole contact callback skype signal telegram zoom conference \
         helpline support customer service sales billing switchboard doctor dentist school plumber electrician lawyer agent landlord manager \
         neighbor neighbour driver courier pharmacy garage international national foreign overseas temporary permanent german french dutch swiss \
         greek american indian mexican unlisted blocked unknown burner voice voip sip twilio google vonage backup preferred usual existing previous \
         former given provided assigned listed following entire house dorm hostel reachable working valid prepaid dial dialed dialled husband wife \
         mom mum dad emergencies incoming outgoing ported another relay viber wechat text",
    ),
    (NAME, "name names surname lastname firstname nickname forename"),
];

/// Words that are in no name and no mailbox by themselves.
const STOPS: &str = "a about above account actually address after again all almost already also although always am an and another any anybody anyone \
    anything are around as ask asked asking associated at attached away back be because been before being below but by bye call called calling came can \
    cant cannot card change changed check come common confirm correct could day different difficult did didnt do does doesnt doing done dont down during \
    each easy either email emails emailed else ending english even ever every everything fine first for friend from full general gets get getting give go going \
    good got great had hard has have havent having he hello help her here hey hi him his how however i id if ill im important in inbox incorrect inside into is \
    isnt it its ive just keep know last later left let lets like line listed little ll long look looking lot mail mailed made make many may maybe me mean \
    misspelled missing more morning most much must my myself name named names need needs never new next no nobody none nope not nothing now number of off oh \
    ok okay on once only or order other our out over please possible pretty printed private pronounced put quite rare reach read ready really \
    registered right said same saw say says see send sent set she short should showing since so some something sorry speak speaking speakin \
    spelled spelling spell spells spelt still such supposed sure take tell text than thank thanks that thats the their them then there theres these \
    they theyre thing things think this those though through to today together told too took tomorrow tonight try trying two under unique unless \
    unknown until unusual up us use used user username using very via want wanted wants was wasnt way we weird well went were what whats when where \
    which while who whos whose why will with without wont word work would write written wrong yeah yep yes yesterday yet you your youre yours \
    afternoon evening sir madam maam contact reply message forward copy link type enter domain website site login password profile subject reach \
    hmm uh um er erm uhm ah eh linked capital lowercase uppercase changing calls having company business phone mobile cell fax tel telephone \
    visit available located based work works working arrive arrived meet meeting found find see seen shop shopping buying bought buy ordered stay \
    staying live lives lived living looked page online logged signed registering check checking checked born married single retired spouse wife husband \
    son daughter mother father brother sister boss manager agent customer client caller isnt one probably certainly definitely clearly usually sometimes basically obviously simply somewhere apparently hopefully \
    unfortunately currently basis field required empty swapped \
    hyphenated cut pronounced backwards outdated gone blank legally mentioned engraved appearing truncated optional mandatory deceased \
    responsible broken leather dead appointment appears hidden shown displayed visible shortened abbreviated capitalized legal similar longer \
    shorter hard easier simple different duplicated mixed switched removed deleted updated added entered stored saved attached crossed flagged \
    banned public private unavailable valid invalid verified unverified typed printed stamped comes goes matches whoever uses owns sends gets reads prefers shall cheers";

const CUES: &[(Cue, &str)] = &[
    (Cue::Phone, "phone phones telephone tel mobile cell cellphone cellular fax landline whatsapp sms dial callback hotline handset telefon ph"),
    (Cue::Number, "number numbers call calling text ring rang phoned dialed dialled texted reach contact digits voicemail"),
    (Cue::Card, "card cards visa mastercard amex discover maestro jcb diners credit debit unionpay cardholder"),
    (Cue::Social, "ssn social socials"),
    (Cue::Account, "account accounts acct acc routing member membership customer bban giro aba"),
    (Cue::Pin, "pin pins cvv cvc cvvs cvn passcode pincode otp pincodes passcodes"),
    (Cue::Birth, "born birth birthday birthdate dob birthdays bday dobs"),
    (Cue::Mail, "email emails mail gmail inbox mailbox emailed"),
    (
        Cue::Thing,
        "order orders serial tracking ticket confirmation reference ref invoice case booking reservation claim part model version item sku po quote \
         receipt transaction shipment package parcel awb vin imei isbn upc barcode meter lot batch flight build error zip postal postcode zipcode \
         promo coupon voucher guid uuid room gate seat bus train route product purchase incident bug issue release firmware revision batches \
         authorization conf confirmations job article catalogue catalog channel chapter page section paragraph patent ean asin \
         container plate docket session lottery tag asset hash commit checksum population timestamp epoch balance total \
         policy device activation license licence modem router warranty survey rma prescription rx raffle lotto odometer employee badge permit registration suite apartment apt building floor avenue highway exit terminal platform locker row lane dock \
         pallet shelf warehouse aisle sum amount price cost costs paid invoices tickets locator waybill pnr chassis vehicle engine certificate campaign lane mileage chip vessel truck trailer stock pole display gauge thermometer winning lucky \
         id ids reading box note items label sticker barcode wristband gasket valve transformer cylinder carton crate drum requisition citation summons itinerary \
         folio mpan mprn iccid sku memo manifest accession referral prescriptions consignment petition",
    ),
];

const SIGNS: &[(&str, u8)] = &[
    ("dot", b'.'),
    ("period", b'.'),
    ("point", b'.'),
    ("underscore", b'_'),
    ("underline", b'_'),
    ("dash", b'-'),
    ("hyphen", b'-'),
    ("minus", b'-'),
    ("plus", b'+'),
    ("slash", b'/'),
    ("colon", b':'),
];

const UNITS: &[(&str, u8)] = &[
    ("zero", 0),
    ("oh", 0),
    ("o", 0),
    ("nought", 0),
    ("naught", 0),
    ("nil", 0),
    ("ought", 0),
    ("zeros", 0),
    ("one", 1),
    ("two", 2),
    ("three", 3),
    ("four", 4),
    ("five", 5),
    ("six", 6),
    ("seven", 7),
    ("eight", 8),
    ("nine", 9),
    ("niner", 9),
    ("ones", 1),
    ("fives", 5),
];

const TEENS: &str = "ten eleven twelve thirteen fourteen fifteen sixteen seventeen eighteen nineteen";
const TENS: &str = "twenty thirty forty fifty sixty seventy eighty ninety";
const ORDINALS: &str = "first second third fourth fifth sixth seventh eighth ninth tenth eleventh twelfth thirteenth fourteenth fifteenth sixteenth \
    seventeenth eighteenth nineteenth twentieth";
const MONTHS: &str = "january february march april may june july august september october november december";
const SHORT_MONTHS: &str = "jan feb mar apr may jun jul aug sep oct nov dec";
const SLIPS: &[(&str, u8)] =
    &[("for", 4), ("fore", 4), ("to", 2), ("too", 2), ("ate", 8), ("won", 1), ("tree", 3), ("tu", 2), ("sicks", 6), ("sex", 6), ("fife", 5), ("nein", 9)];

/// A word as it is looked up: its letters in lower case, without apostrophes, sixteen at most.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Key {
    /// The letters, eight to a half, the first in the lowest byte.
    halves: [u64; 2],
    /// How many there are, those too many included.
    length: usize,
}

impl Key {
    /// Adds an ASCII letter of either case.
    #[inline]
    pub fn push(&mut self, letter: u8) {
        if let Some(half) = self.halves.get_mut(self.length / 8) {
            *half |= u64::from(letter | 0x20) << (8 * (self.length % 8));
        }
        self.length += 1;
    }

    /// Where its search in a table of `1 << bits` places begins.
    #[inline]
    fn place(self, bits: u32) -> usize {
        let mixed = self.halves[0].wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ self.halves[1].wrapping_mul(0xc2b2_ae3d_27d4_eb4f);
        // The highest bits are those that all letters change.
        usize::try_from(mixed.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> (64 - bits)).unwrap_or_default()
    }
}

/// Binary logarithm of the number of places, of which about one in four is taken.
const BITS: u32 = 14;

/// All words, found by their letters: open addressing, the next place where one is taken.
struct Words {
    /// One more than the place in `known`; 0 where there is none.
    places: Vec<u16>,
    known: Vec<(Key, Info)>,
}

impl Words {
    fn of(words: HashMap<&'static str, Info>) -> Self {
        let mut this = Self { places: vec![0; 1 << BITS], known: Vec::with_capacity(words.len()) };
        for (word, info) in words {
            let mut key = Key::default();
            word.bytes().for_each(|letter| key.push(letter));
            let mut at = key.place(BITS);
            while this.places[at] != 0 {
                at = (at + 1) % this.places.len();
            }
            this.known.push((key, info));
            this.places[at] = u16::try_from(this.known.len()).unwrap_or_default();
        }
        this
    }

    #[inline]
    fn get(&self, key: Key) -> Info {
        let mut at = key.place(BITS);
        while let Some((known, info)) = usize::from(self.places[at % self.places.len()]).checked_sub(1).and_then(|at| self.known.get(at)) {
            if *known == key {
                return *info;
            }
            at += 1;
        }
        Info::default()
    }
}

static WORDS: LazyLock<Words> = LazyLock::new(|| Words::of(build()));

fn build() -> HashMap<&'static str, Info> {
    let mut words: HashMap<&'static str, Info> = HashMap::with_capacity(8192);
    for (flag, list) in FLAGS {
        list.split_ascii_whitespace().for_each(|word| words.entry(word).or_default().flags |= flag);
    }
    STOPS.split_ascii_whitespace().for_each(|word| words.entry(word).or_default().flags |= STOP);
    NO_NAMES.split_ascii_whitespace().for_each(|word| words.entry(word).or_default().flags |= NO_NAME);
    GIVEN_NAMES.split_ascii_whitespace().for_each(|word| words.entry(word).or_default().flags |= GIVEN);
    FAMILY_NAMES.split_ascii_whitespace().for_each(|word| words.entry(word).or_default().flags |= FAMILY);
    WORD_NAMES.split_ascii_whitespace().for_each(|word| words.entry(word).or_default().flags |= WORD_NAME);
    for (cue, list) in CUES {
        list.split_ascii_whitespace().for_each(|word| words.entry(word).or_default().cue = *cue);
    }
    SIGNS.iter().for_each(|(word, sign)| words.entry(word).or_default().sign = *sign);
    let mut count = |word: &'static str, num: Num, value: usize| {
        let info = words.entry(word).or_default();
        (info.num, info.value) = (num, u8::try_from(value).unwrap_or_default());
    };
    SLIPS.iter().for_each(|(word, value)| count(word, Num::Slip, usize::from(*value)));
    MONTHS.split_ascii_whitespace().enumerate().for_each(|(n, word)| count(word, Num::Month, n + 1));
    SHORT_MONTHS.split_ascii_whitespace().enumerate().for_each(|(n, word)| count(word, Num::Month, n + 1));
    ORDINALS.split_ascii_whitespace().enumerate().for_each(|(n, word)| count(word, Num::Ordinal, n + 1));
    count("thirtieth", Num::Ordinal, 30);
    count("sept", Num::Month, 9);
    UNITS.iter().for_each(|(word, value)| count(word, Num::Unit, usize::from(*value)));
    TEENS.split_ascii_whitespace().enumerate().for_each(|(n, word)| count(word, Num::Teen, n + 10));
    TENS.split_ascii_whitespace().enumerate().for_each(|(n, word)| count(word, Num::Tens, (n + 2) * 10));
    count("fourty", Num::Tens, 40);
    count("hundred", Num::Hundred, 0);
    count("thousand", Num::Thousand, 0);
    ["million", "billion", "trillion", "millions", "thousands", "hundreds"].into_iter().for_each(|word| count(word, Num::Scale, 0));
    for (word, times) in [("double", 2), ("triple", 3), ("treble", 3), ("quadruple", 4), ("quad", 4)] {
        count(word, Num::Repeat, times);
    }
    words
}

/// What is known of the word with these letters; nothing for most.
#[inline]
pub(super) fn known(key: Key) -> Info {
    if (1..=LONGEST).contains(&key.length) { WORDS.get(key) } else { Info::default() }
}

/// What is known of a word of ASCII letters and apostrophes; nothing for most.
pub(super) fn look_up(word: &str) -> Info {
    let mut key = Key::default();
    for byte in word.bytes().filter(|byte| *byte != b'\'') {
        if !byte.is_ascii_alphabetic() {
            return Info::default();
        }
        key.push(byte);
    }
    known(key)
}
