//! TtsCache: spoken phrases. `POST` speaks a phrase and caches it; `GET` serves cached audio by its hash.

use axum::http::{HeaderName, HeaderValue, Method, StatusCode, header};
use axum::response::Response;
use bytes::Bytes;

use crate::app::App;
use crate::error::{Error, Kind, Result};
use crate::host::http::{Request, method_not_allowed, response};
use crate::model::phrase::AudioFormat;
use crate::steps::{masking, speech};

/// Answers one request.
pub async fn run(app: App, request: Request) -> Result<Response> {
    let hash = request.param("hash");
    match (request.method == Method::POST, hash.is_empty()) {
        (true, true) => speak(&app, &request).await,
        (false, false) => serve(&app, &request, hash).await,
        // One function serves two resources: what is spoken has no hash yet, and a hash can only be read.
        (true, false) => Ok(method_not_allowed(&[Method::GET])),
        (false, true) => Ok(method_not_allowed(&[Method::POST])),
    }
}

async fn speak(app: &App, request: &Request) -> Result<Response> {
    let mut body = request.object()?;
    let text = body.text("text")?;
    let (voice, language, format) = (body.optional_text("voice")?, body.optional_text("language")?, body.optional_text("format")?);
    body.finish()?;
    let format = format.as_deref().map_or(Ok(AudioFormat::default()), AudioFormat::parse)?;
    let phrase = app.phrase(&text, voice.as_deref(), language.as_deref(), format)?;
    let hash = speech::hash(app, &phrase, None).await?;
    // What holds something personal is spoken and kept nowhere.
    let (audio, hit) = if app.config.privacy && masking::masked(&text) != text {
        (app.speech.synthesise(&phrase).await?, false)
    } else {
        speech::audio(app, &phrase, &hash).await?
    };
    let mut answer = wav(audio, &hash);
    answer.headers_mut().insert(HeaderName::from_static("x-cache"), HeaderValue::from_static(if hit { "HIT" } else { "MISS" }));
    Ok(answer)
}

async fn serve(app: &App, request: &Request, hash: &str) -> Result<Response> {
    if hash.len() != 64 || !hash.bytes().all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b)) {
        return Err(Error::input("hash", "must be 64 lower-case hexadecimal characters"));
    }
    let audio = speech::fetch(app, hash).await?.ok_or_else(|| Error::new(Kind::NotFound, "no audio of this hash is cached"))?;
    let known = request
        .header(header::IF_NONE_MATCH)
        .is_some_and(|tags| tags.split(',').any(|tag| tag.trim() == "*" || tag.trim().trim_start_matches("W/").trim_matches('"') == hash));
    let mut answer = wav(if known { Bytes::new() } else { audio }, hash);
    if known {
        *answer.status_mut() = StatusCode::NOT_MODIFIED;
        answer.headers_mut().remove(header::CONTENT_TYPE);
    } else {
        answer.headers_mut().insert(HeaderName::from_static("x-cache"), HeaderValue::from_static("HIT"));
    }
    Ok(answer)
}

fn wav(audio: Bytes, hash: &str) -> Response {
    let mut answer = response(StatusCode::OK, "audio/wav", audio);
    let headers = answer.headers_mut();
    // A hash is hexadecimal, so both are sound header values.
    for (name, value) in [("x-phrase-hash", hash.to_owned()), ("etag", format!("\"{hash}\""))] {
        if let Ok(value) = HeaderValue::try_from(value) {
            headers.insert(HeaderName::from_static(name), value);
        }
    }
    answer
}
