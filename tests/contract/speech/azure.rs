//! Azure Speech: what is sent, what is taken, and each fault with its one retry.

use std::time::Duration;

use rtvoice::config::{EndpointConfig, Secret};
use rtvoice::error::{Error, Kind};
use rtvoice::model::phrase::{AudioFormat, Phrase};
use rtvoice::ports::http;
use rtvoice::ports::speech::Speech as _;
use rtvoice::ports::speech::azure::{AzureSpeech, service_url};
use tokio::time::Instant;

use super::{HOSTILE, check_wav, phrase};
use crate::harness::process::eventually;
use crate::harness::speech::{self, Fault, Spoken, parse_ssml};
use crate::harness::stand_in::{Credential, StandIn, fixed_identity};

const KEY: &str = "key-1";

fn start() -> (StandIn<Fault>, AzureSpeech) {
    let service = speech::start(Credential::Key(KEY));
    let config = EndpointConfig { endpoint: service.url(), key: Some(Secret::new(KEY)) };
    let voice = AzureSpeech::new(&config, http::client().unwrap(), None);
    (service, voice)
}

fn secret_phrase() -> Phrase {
    phrase("my PIN is 0000", AudioFormat::Riff16Khz)
}

fn is_discreet(error: &Error) {
    let all = format!("{error} {} {error:?}", error.chain());
    assert!(!all.contains("PIN") && !all.contains("0000") && !all.contains(KEY), "{all}");
}

fn spoken(service: &StandIn<Fault>) -> Spoken {
    parse_ssml(std::str::from_utf8(&service.seen().last().unwrap().body).unwrap()).unwrap()
}

#[tokio::test]
async fn speaks_in_every_format() {
    let (service, voice) = start();
    assert_eq!(voice.name(), "azure-speech");
    for format in AudioFormat::ALL {
        let file = voice.synthesise(&phrase("Hello there.", format)).await.unwrap();
        assert_eq!(check_wav(&file, format), (1200, Vec::new()));
        assert_eq!(voice.synthesise(&phrase("Hello there.", format)).await.unwrap(), file);
    }
    let seen = service.seen();
    assert_eq!((seen[0].header("user-agent"), seen[0].header("x-microsoft-outputformat")), ("rtvoice", "riff-8khz-16bit-mono-pcm"));
    assert_eq!(service.complaints(), Vec::<String>::new());
}

#[tokio::test]
async fn hostile_text_arrives_as_text() {
    let (service, voice) = start();
    for text in HOSTILE {
        let phrase = phrase(text, AudioFormat::Riff16Khz);
        voice.synthesise(&phrase).await.unwrap();
        let expected = Spoken { text: phrase.text().into(), voice: phrase.voice().into(), language: "en-US".into() };
        assert_eq!(spoken(&service), expected);
    }
    assert_eq!(service.complaints(), Vec::<String>::new());
}

#[tokio::test]
async fn takes_an_entra_token_where_there_is_no_key() {
    let service = speech::start(Credential::Bearer("token-1"));
    let config = EndpointConfig { endpoint: service.url(), key: None };
    let with = AzureSpeech::new(&config, http::client().unwrap(), Some(fixed_identity("token-1")));
    assert!(with.synthesise(&secret_phrase()).await.is_ok());
    let without = AzureSpeech::new(&config, http::client().unwrap(), None);
    assert_eq!(without.synthesise(&secret_phrase()).await.unwrap_err().kind, Kind::Denied);
    assert_eq!(service.seen().len(), 1, "nothing is sent without a proof of who we are");
}

#[tokio::test]
async fn each_fault_leads_to_one_retry_and_then_to_its_error() {
    let faults = [
        (Fault::Throttled(None, Some(5)), Kind::Throttled),
        (Fault::Throttled(Some(0), None), Kind::Throttled),
        (Fault::Status(500), Kind::Unavailable),
        (Fault::Status(503), Kind::Unavailable),
        (Fault::Html, Kind::Internal),
        (Fault::TruncatedWav, Kind::Internal),
        (Fault::OtherRate, Kind::Internal),
        (Fault::Silent, Kind::Internal),
        (Fault::Huge(16 * 1024 * 1024), Kind::Internal),
    ];
    let (service, voice) = start();
    // A machine with much else to do needs more than 3 s for the largest answer.
    let voice = voice.with_deadline(Duration::from_secs(20));
    for (fault, kind) in faults {
        let before = service.seen().len();
        service.inject([fault.clone()]);
        let file = voice.synthesise(&secret_phrase()).await.unwrap();
        assert_eq!(check_wav(&file, AudioFormat::Riff16Khz).0, 1400, "{fault:?} once");
        assert_eq!(service.seen().len() - before, 2, "{fault:?} once");
        service.inject([fault.clone(), fault.clone()]);
        let error = voice.synthesise(&secret_phrase()).await.unwrap_err();
        assert_eq!((error.kind, service.seen().len() - before), (kind, 4), "{fault:?} twice: {error}");
        is_discreet(&error);
    }
}

#[tokio::test]
async fn what_another_attempt_cannot_mend_is_not_tried_again() {
    let faults = [
        (Fault::Status(400), Kind::BadInput),
        (Fault::Status(401), Kind::Denied),
        (Fault::Status(403), Kind::Denied),
        (Fault::Status(404), Kind::Internal),
        (Fault::Status(415), Kind::Internal),
        (Fault::Status(301), Kind::Internal),
        (Fault::Throttled(Some(60), None), Kind::Throttled),
    ];
    let (service, voice) = start();
    for (n, (fault, kind)) in faults.into_iter().enumerate() {
        service.inject([fault.clone()]);
        let error = voice.synthesise(&secret_phrase()).await.unwrap_err();
        assert_eq!((error.kind, service.seen().len()), (kind, n + 1), "{fault:?}");
        is_discreet(&error);
        assert_eq!(error.retry_after, (kind == Kind::Throttled).then_some(Duration::from_secs(60)));
    }
}

#[tokio::test]
async fn a_service_that_hangs_costs_the_deadline_and_no_more() {
    let (service, voice) = start();
    let deadline = Duration::from_secs(25);
    let voice = voice.with_deadline(deadline);
    service.inject([Fault::Hang]);
    let started = Instant::now();
    let synthesis = tokio::spawn(async move { voice.synthesise(&secret_phrase()).await });
    eventually("it hangs", String::new, async || (service.seen().len() == 1).then_some(())).await;
    // Nothing else comes: the rest of the time goes by at once, and no faster than it should.
    tokio::time::pause();
    let error = synthesis.await.unwrap().unwrap_err();
    assert_eq!((error.kind, service.seen().len()), (Kind::Deadline, 1));
    assert!(started.elapsed() >= deadline - Duration::from_millis(10) && started.elapsed() < deadline + Duration::from_millis(700), "{:?}", started.elapsed());
    is_discreet(&error);
}

#[tokio::test]
async fn a_service_that_is_away_is_unavailable() {
    let (service, voice) = start();
    drop(service);
    let error = voice.synthesise(&secret_phrase()).await.unwrap_err();
    assert_eq!(error.kind, Kind::Unavailable);
    is_discreet(&error);
}

#[tokio::test]
async fn a_header_written_before_its_sizes_were_known_is_made_true() {
    let (service, voice) = start();
    service.inject([Fault::Streamed]);
    let file = voice.synthesise(&secret_phrase()).await.unwrap();
    assert_eq!(check_wav(&file, AudioFormat::Riff16Khz), (800, Vec::new()));
    assert_eq!(service.seen().len(), 1);
}

#[test]
fn regional_hosts_and_own_domains_have_paths_of_their_own() {
    let cases = [
        ("https://westeurope.tts.speech.microsoft.com", "/cognitiveservices/v1"),
        ("https://WestEurope.TTS.speech.microsoft.com/", "/cognitiveservices/v1"),
        ("https://usgovvirginia.tts.speech.azure.us", "/cognitiveservices/v1"),
        ("https://contoso.cognitiveservices.azure.com", "/tts/cognitiveservices/v1"),
        ("http://127.0.0.1:8080", "/cognitiveservices/v1"),
        ("http://[::1]:8080", "/cognitiveservices/v1"),
        ("http://localhost:8080", "/cognitiveservices/v1"),
    ];
    for (endpoint, path) in cases {
        assert_eq!(service_url(endpoint), format!("{}{path}", endpoint.trim_end_matches('/')));
    }
}
