//! The offline voices: the tone on every machine, espeak-ng where it is installed.

use std::time::Duration;

use proptest::prelude::*;
use rtvoice::error::Kind;
use rtvoice::model::phrase::{AudioFormat, Phrase};
use rtvoice::ports::speech::Speech as _;
use rtvoice::ports::speech::offline::OfflineSpeech;
use rtvoice::ports::speech::wav;

use super::{HOSTILE, check_wav, phrase};

/// Both voices; the second is espeak-ng where it is installed.
fn voices() -> [OfflineSpeech; 2] {
    [OfflineSpeech::tone(), OfflineSpeech::detect()]
}

fn espeak() -> Option<OfflineSpeech> {
    Some(OfflineSpeech::detect()).filter(|voice| voice.name() == "espeak-ng")
}

#[tokio::test]
async fn speaks_in_every_format_and_says_what_it_is() {
    for voice in voices() {
        let comment = match voice.name() {
            "tone" => "rtvoice offline tone, not speech",
            "espeak-ng" => "rtvoice offline voice, spoken by espeak-ng",
            other => panic!("unknown voice {other}"),
        };
        for format in AudioFormat::ALL {
            let file = voice.synthesise(&phrase("Hello there.", format)).await.unwrap();
            let (samples, behind) = check_wav(&file, format);
            let seconds = samples as f64 / f64::from(format.sample_rate());
            assert!((0.3..3.0).contains(&seconds), "{} took {seconds} s", voice.name());
            assert!(file[44..44 + samples * 2].chunks(2).any(|s| i16::from_le_bytes([s[0], s[1]]).abs() > 500), "audible");
            assert_eq!(&behind[8..12], b"INFO");
            assert!(behind.windows(comment.len()).any(|w| w == comment.as_bytes()), "labelled");
        }
    }
}

#[tokio::test]
async fn the_same_phrase_sounds_the_same() {
    for voice in voices() {
        for text in HOSTILE {
            let phrase = phrase(text, AudioFormat::Riff16Khz);
            let (one, two) = tokio::join!(voice.synthesise(&phrase), voice.synthesise(&phrase));
            let one = one.unwrap();
            assert_eq!(one, two.unwrap(), "{text}");
            check_wav(&one, AudioFormat::Riff16Khz);
        }
        let other = phrase("Something else entirely.", AudioFormat::Riff16Khz);
        assert_ne!(voice.synthesise(&other).await.unwrap(), voice.synthesise(&phrase("-v", AudioFormat::Riff16Khz)).await.unwrap());
    }
}

#[tokio::test]
async fn a_tone_grows_with_its_text_up_to_ten_seconds() {
    let voice = OfflineSpeech::tone();
    let mut lengths = Vec::new();
    for chars in [1, 10, 100, 1000, 4000] {
        let file = voice.synthesise(&phrase(&"x".repeat(chars), AudioFormat::Riff8Khz)).await.unwrap();
        lengths.push(check_wav(&file, AudioFormat::Riff8Khz).0);
    }
    assert_eq!(lengths, [2400, 6720, 49_920, 80_000, 80_000]);
}

#[tokio::test]
async fn languages_choose_the_voice_and_unknown_ones_are_spoken_too() {
    let Some(voice) = espeak() else { return };
    let mut files = Vec::new();
    for language in ["en-US", "de-DE", "zh-CN", "xx-YY", "EN"] {
        let phrase = Phrase::new("Station 12", "any", language, AudioFormat::Riff16Khz).unwrap();
        files.push(voice.synthesise(&phrase).await.unwrap());
    }
    assert_ne!(files[0], files[1], "English and German differ");
    assert_eq!(files[3], files[4], "an unknown language is read as English");
}

#[tokio::test]
async fn the_longest_phrase_is_spoken_within_the_deadline_and_a_short_deadline_is_kept() {
    let Some(voice) = espeak() else { return };
    let long = phrase(&"word ".repeat(800), AudioFormat::Riff16Khz);
    assert!(check_wav(&voice.synthesise(&long).await.unwrap(), AudioFormat::Riff16Khz).0 > 1_000_000);
    let error = voice.with_deadline(Duration::from_millis(1)).synthesise(&long).await.unwrap_err();
    assert_eq!(error.kind, Kind::Deadline);
}

#[test]
fn broken_files_are_refused() {
    let sound = wav::write(16_000, &[1, 2, 3, 4], None);
    assert_eq!(wav::parse(&sound).unwrap(), wav::Wav { sample_rate: 16_000, channels: 1, bits: 16, data: 44..52, exact: true });
    for length in 0..sound.len() {
        assert!(wav::parse(&sound[..length]).is_err(), "{length} bytes");
    }
}

proptest! {
    #[test]
    fn any_bytes_are_parsed_or_refused_without_a_panic(head in proptest::sample::select(vec![&b"RIFF\0\0\0\0WAVE"[..], b"RIFF\0\0\0\0WAVEfmt \x10\0\0\0\x01\0\x01\0\x80\x3e\0\0\0\x7d\0\0\x02\0\x10\0", b""]), tail in proptest::collection::vec(any::<u8>(), 0..80)) {
        let file = [head, &tail].concat();
        if let Ok(parts) = wav::parse(&file) {
            prop_assert!(parts.data.end <= file.len());
        }
    }

    #[test]
    fn what_is_written_is_read_again(samples in proptest::collection::vec(any::<i16>(), 1..200), comment in proptest::option::of("[a-z]{1,9}")) {
        let file = wav::write(24_000, &samples, comment.as_deref());
        let parts = wav::parse(&file).unwrap();
        prop_assert!(parts.exact);
        prop_assert_eq!(wav::samples(&file[parts.data]), samples);
    }

    #[test]
    fn resampling_keeps_length_in_time_and_range(samples in proptest::collection::vec(any::<i16>(), 1..500), to in proptest::sample::select(vec![8_000_u32, 16_000, 24_000])) {
        let result = wav::resample(&samples, 22_050, to);
        prop_assert_eq!(result.len() as u64, samples.len() as u64 * u64::from(to) / 22_050);
        let (low, high) = (samples.iter().min().unwrap(), samples.iter().max().unwrap());
        prop_assert!(result.iter().all(|s| s >= low && s <= high));
    }
}
