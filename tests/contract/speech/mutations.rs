//! The stand-in for Azure Speech is strict: a correct request passes, and no single change of it does.

use axum::http::Method;

use crate::harness::speech;
use crate::harness::stand_in::{Credential, Raw};

const SSML: &str = r#"<speak version="1.0" xmlns="http://www.w3.org/2001/10/synthesis" xml:lang="en-US"><voice name="en-US-AvaMultilingualNeural">Hi &amp; bye</voice></speak>"#;

fn correct() -> Raw {
    let headers = [
        ("ocp-apim-subscription-key", "key-1"),
        ("content-type", "application/ssml+xml"),
        ("x-microsoft-outputformat", "riff-16khz-16bit-mono-pcm"),
        ("user-agent", "rtvoice"),
    ];
    let headers = headers.map(|(name, value)| (name, value.to_owned())).to_vec();
    Raw { method: Method::POST, target: "/cognitiveservices/v1".into(), headers, body: SSML.into() }
}

#[tokio::test]
async fn no_single_change_of_a_correct_request_passes() {
    let service = speech::start(Credential::Key("key-1"));
    assert_eq!(correct().send(&service.url()).await, 200);
    let mutations = [
        (405, Raw { method: Method::PUT, ..correct() }),
        (404, correct().target("/tts/cognitiveservices/v1")),
        (404, correct().target("/cognitiveservices/v1?language=en-US")),
        (401, correct().header("ocp-apim-subscription-key", None)),
        (401, correct().header("ocp-apim-subscription-key", Some("key-2"))),
        (401, correct().header("authorization", Some("Bearer key-1"))),
        (415, correct().header("content-type", Some("text/xml"))),
        (400, correct().header("user-agent", None)),
        (400, correct().header("x-microsoft-outputformat", None)),
        (400, correct().header("x-microsoft-outputformat", Some("audio-16khz-128kbitrate-mono-mp3"))),
    ];
    let count = mutations.len();
    for (n, (status, request)) in mutations.into_iter().enumerate() {
        assert_eq!(request.send(&service.url()).await, status, "mutation {n}");
    }
    assert_eq!(service.complaints().len(), count);
}

#[tokio::test]
async fn no_single_change_of_correct_ssml_passes() {
    let service = speech::start(Credential::Key("key-1"));
    let changes = [
        (" version=\"1.0\"", ""),
        ("version=\"1.0\"", "version=\"2.0\""),
        (" xmlns=\"http://www.w3.org/2001/10/synthesis\"", ""),
        ("2001/10", "2001/11"),
        (" xml:lang=\"en-US\"", ""),
        ("xml:lang", "lang"),
        ("xml:lang=\"en-US\"", "xml:lang=\"\""),
        (" name=\"en-US-AvaMultilingualNeural\"", ""),
        ("name=\"en-US-AvaMultilingualNeural\"", "name=\"\""),
        ("name=", "gender=\"f\" name="),
        ("speak", "say"),
        ("voice", "p"),
        ("Hi &amp; bye", ""),
        ("&amp;", "&"),
        ("&amp;", "&unknown;"),
        ("&amp;", "<break time=\"10s\"/>"),
        ("&amp;", "</voice><voice name=\"x\">"),
        ("&amp;", "<!-- -->"),
        ("&amp;", "\u{1}"),
        ("</speak>", ""),
        ("</voice></speak>", "</speak></voice>"),
        ("</speak>", "</speak><speak/>"),
    ];
    for (old, new) in changes {
        let ssml = SSML.replace(old, new);
        assert_ne!(ssml, SSML);
        assert_eq!(correct().body(ssml.clone()).send(&service.url()).await, 400, "{ssml}");
    }
    let mut broken = SSML.as_bytes().to_vec();
    broken.push(0xff);
    assert_eq!(correct().body(broken).send(&service.url()).await, 400);
    assert_eq!(service.complaints().len(), changes.len() + 1);
}
