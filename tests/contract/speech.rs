//! The contract of the speech port, on the offline voices and on Azure Speech against a strict stand-in.

mod azure;
mod mutations;
mod offline;

use rtvoice::model::phrase::{AudioFormat, Phrase};

fn phrase(text: &str, format: AudioFormat) -> Phrase {
    Phrase::new(text, "en-US-AvaMultilingualNeural", "en-US", format).unwrap()
}

/// Texts that try to leave their place.
const HOSTILE: [&str; 8] = [
    "</voice><break time=\"10s\"/>&<>\"'",
    "]]><![CDATA[ <!-- -->",
    "&amp; &#0; &lt;speak&gt; &unknown;",
    "😀👩‍👩‍👧 emoji",
    "\u{202e}right to left\u{202c} שלום مرحبا",
    "<?xml version=\"1.0\"?><!DOCTYPE x [<!ENTITY e SYSTEM \"file:///etc/passwd\">]>&e;",
    "[[h@'loU]] $(reboot) `reboot` ; -v de --help",
    "-v",
];

/// What the contract asks of audio, read here by hand: a true RIFF header of 44 bytes, mono, 16 bits, the phrase's
/// rate, and samples. Returns the number of samples, and the bytes behind them.
fn check_wav(file: &[u8], format: AudioFormat) -> (usize, Vec<u8>) {
    let number = |at: usize| u32::from_le_bytes(file[at..at + 4].try_into().unwrap());
    assert_eq!((&file[..4], &file[8..16], number(16)), (&b"RIFF"[..], &b"WAVEfmt "[..], 16));
    assert_eq!(number(4) as usize, file.len() - 8, "size of the file");
    assert_eq!((&file[20..24], number(24)), (&[1, 0, 1, 0][..], format.sample_rate()), "PCM, mono, rate");
    assert_eq!((number(28), &file[32..36]), (format.sample_rate() * 2, &[2, 0, 16, 0][..]), "bytes per second and frame, bits");
    assert_eq!(&file[36..40], b"data");
    let size = number(40) as usize;
    assert!(size > 0 && size.is_multiple_of(2) && 44 + size <= file.len(), "size of the data");
    (size / 2, file[44 + size..].to_vec())
}
