//! A phrase to be spoken, and the hash that names its audio.

use sha2::{Digest as _, Sha256};
use std::borrow::Cow;

use unicode_normalization::UnicodeNormalization as _;

use crate::error::{Error, Result};

/// Longest phrase, in characters; ACS takes as much as one text prompt.
pub const MAX_CHARS: usize = 4000;

/// Formats of audio, all WAV; named as Azure Speech names them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum AudioFormat {
    /// `riff-8khz-16bit-mono-pcm`: telephone band.
    Riff8Khz,
    /// `riff-16khz-16bit-mono-pcm`: what ACS plays, and the default.
    #[default]
    Riff16Khz,
    /// `riff-24khz-16bit-mono-pcm`.
    Riff24Khz,
}

impl AudioFormat {
    /// All formats.
    pub const ALL: [Self; 3] = [Self::Riff8Khz, Self::Riff16Khz, Self::Riff24Khz];

    /// The name that Azure Speech uses.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Riff8Khz => "riff-8khz-16bit-mono-pcm",
            Self::Riff16Khz => "riff-16khz-16bit-mono-pcm",
            Self::Riff24Khz => "riff-24khz-16bit-mono-pcm",
        }
    }

    /// Samples per second.
    pub const fn sample_rate(self) -> u32 {
        match self {
            Self::Riff8Khz => 8_000,
            Self::Riff16Khz => 16_000,
            Self::Riff24Khz => 24_000,
        }
    }

    /// The format of this name.
    pub fn parse(name: &str) -> Result<Self> {
        Self::ALL.into_iter().find(|f| f.name() == name).ok_or_else(|| {
            let names: Vec<_> = Self::ALL.iter().map(|f| f.name()).collect();
            Error::input("format", format!("must be one of {}", names.join(", ")))
        })
    }
}

/// Text with everything that decides how it sounds; built only by [`Phrase::new`], so always sound.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Phrase {
    text: String,
    voice: String,
    language: String,
    format: AudioFormat,
}

impl Phrase {
    /// Checks the parts: text of 1 to 4000 characters after folding white space, voice a name of letters, digits and
    /// `-_:.`, language a BCP 47 tag of letters, digits and `-`.
    pub fn new(text: &str, voice: &str, language: &str, format: AudioFormat) -> Result<Self> {
        let text = fold(text);
        if text.is_empty() || text.chars().count() > MAX_CHARS {
            return Err(Error::input("text", format!("must be 1 to {MAX_CHARS} characters that are not all white space")));
        }
        if let Some(bad) = text.chars().find(|c| c.is_control() || matches!(*c, '\u{fffe}' | '\u{ffff}')) {
            return Err(Error::input("text", format!("must not hold the control character U+{:04X}", u32::from(bad))));
        }
        name("voice", voice, 100, |b| matches!(b, b'-' | b'_' | b':' | b'.'))?;
        check_language("language", language)?;
        Ok(Self { text, voice: voice.to_owned(), language: language.to_owned(), format })
    }

    /// The folded, NFC-normalised text.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// Name of the voice.
    pub fn voice(&self) -> &str {
        &self.voice
    }

    /// BCP 47 tag.
    pub fn language(&self) -> &str {
        &self.language
    }

    /// Format of the audio.
    pub fn format(&self) -> AudioFormat {
        self.format
    }

    /// `phrase_hash`: lower-case hexadecimal SHA-256 over voice, language, format and text, each preceded by its
    /// length in bytes as eight big-endian bytes.
    pub fn hash(&self) -> String {
        let mut hasher = Sha256::new();
        for part in [self.voice.as_str(), &self.language, self.format.name(), &self.text] {
            hasher.update((part.len() as u64).to_be_bytes());
            hasher.update(part.as_bytes());
        }
        hex(&hasher.finalize())
    }
}

/// Checks a BCP 47 language tag loosely: 2 to 35 letters, digits and '-'.
pub fn check_language(field: &'static str, tag: &str) -> Result<()> {
    if tag.len() < 2 {
        return Err(Error::input(field, "must be a language tag, such as en-US"));
    }
    name(field, tag, 35, |b| b == b'-')
}

fn name(field: &'static str, value: &str, max: usize, extra: impl Fn(u8) -> bool) -> Result<()> {
    let sound = !value.is_empty() && value.len() <= max && value.bytes().all(|b| b.is_ascii_alphanumeric() || extra(b));
    if sound { Ok(()) } else { Err(Error::input(field, format!("must be 1 to {max} letters, digits and hyphens"))) }
}

/// Trims, folds inner white space to one space, and normalises to NFC.
fn fold(text: &str) -> String {
    if is_folded(text) { text.to_owned() } else { composed(text).split_whitespace().collect::<Vec<_>>().join(" ") }
}

/// Whether a text is surely in NFC, of printable characters, with single spaces inside and none at its ends: what most texts are.
pub fn is_folded(text: &str) -> bool {
    let mut before = b' ';
    let single = text.bytes().all(|b| {
        let fits = matches!(b, b' '..=b'~') && (b, before) != (b' ', b' ');
        before = b;
        fits
    });
    single && before != b' '
}

/// The text in NFC; ASCII is so already.
pub fn composed(text: &str) -> Cow<'_, str> {
    if text.is_ascii() { Cow::Borrowed(text) } else { Cow::Owned(text.nfc().collect()) }
}

/// Lower-case hexadecimal.
pub fn hex(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let digits = bytes.iter().flat_map(|byte| [byte >> 4, byte & 15]);
    let mut text = String::with_capacity(bytes.len() * 2);
    text.extend(digits.map(|digit| char::from(DIGITS[usize::from(digit)])));
    text
}
