//! The voice in production: Azure Speech REST over the shared HTTP client.
//!
//! In: a phrase, sent as SSML in which every value is escaped. Out: the WAV file that the service answers, checked to
//! be one in the phrase's format. 429, 5xx, a broken answer or connection lead to one retry within the deadline.
//! Paths and headers after <https://learn.microsoft.com/azure/ai-services/speech-service/rest-text-to-speech>.

use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use quick_xml::escape::escape;
use reqwest::StatusCode;
use reqwest::header::{CONTENT_TYPE, HeaderMap, USER_AGENT};

use super::{Speech, wav};
use crate::config::EndpointConfig;
use crate::error::{Error, Result};
use crate::model::phrase::Phrase;
use crate::ports::exchange::{Access, Attempt, Failure, Limits};
use crate::ports::identity::Identity;

/// The voice.
#[derive(Debug)]
pub struct AzureSpeech {
    http: reqwest::Client,
    url: String,
    access: Access,
    limits: Limits,
}

impl AzureSpeech {
    /// A voice at a regional endpoint (`https://westeurope.tts.speech.microsoft.com`, with a key) or at a resource's
    /// own domain (`https://contoso.cognitiveservices.azure.com`, with a key or tokens of `identity`).
    pub fn new(config: &EndpointConfig, http: reqwest::Client, identity: Option<Identity>) -> Self {
        let access = Access { key_header: "ocp-apim-subscription-key", key: config.key.clone(), identity };
        // Five minutes, the longest that 4000 characters take, are 14 MB at 24 kHz.
        let limits = Limits { service: "Azure Speech", deadline: Duration::ZERO, attempt: Duration::ZERO, body: 16 * 1024 * 1024 };
        Self { http, url: service_url(&config.endpoint), access, limits }.with_deadline(Duration::from_secs(3))
    }

    /// Another deadline than 3 s in all.
    #[must_use]
    pub fn with_deadline(mut self, deadline: Duration) -> Self {
        self.limits.deadline = deadline;
        // A slow service gets the whole time: half of it would be too little for a long phrase.
        self.limits.attempt = deadline;
        self
    }

    async fn attempt(&self, phrase: &Phrase, ssml: Bytes) -> Attempt<Bytes> {
        let request = self
            .http
            .post(&self.url)
            .header(CONTENT_TYPE, "application/ssml+xml")
            .header("X-Microsoft-OutputFormat", phrase.format().name())
            .header(USER_AGENT, "rtvoice")
            .body(ssml);
        let response = self.limits.send(self.access.sign(&self.limits, request).await?).await?;
        match response.status() {
            StatusCode::OK => {}
            StatusCode::BAD_REQUEST => return Err(Failure::last(Error::input("text", "is not something that Azure Speech can say with this voice"))),
            status => return Err(self.limits.refusal(status, response.headers())),
        }
        if !is_audio(response.headers()) {
            return Err(self.limits.broken("with something other than audio"));
        }
        let file = self.limits.body(response).await?;
        sound(file, phrase).map_err(|how| self.limits.broken(how))
    }
}

#[async_trait]
impl Speech for AzureSpeech {
    async fn synthesise(&self, phrase: &Phrase) -> Result<Bytes> {
        let ssml = Bytes::from(ssml(phrase));
        self.limits.twice(|| self.attempt(phrase, ssml.clone())).await
    }

    fn name(&self) -> &'static str {
        "azure-speech"
    }
}

/// Where an endpoint takes text to speak. Regional hosts (and a stand-in on loopback) serve at `/cognitiveservices/v1`;
/// a resource's own domain serves all its services, this one below `/tts`.
pub fn service_url(endpoint: &str) -> String {
    let endpoint = endpoint.trim_end_matches('/');
    let host = reqwest::Url::parse(endpoint).ok().and_then(|url| url.host_str().map(str::to_ascii_lowercase)).unwrap_or_default();
    let bare = host.trim_matches(['[', ']']);
    let loopback = bare == "localhost" || bare.parse::<std::net::IpAddr>().is_ok_and(|ip| ip.is_loopback());
    let service = if loopback || host.contains(".tts.speech.") { "" } else { "/tts" };
    format!("{endpoint}{service}/cognitiveservices/v1")
}

/// `<speak>` with one `<voice>`; every value is escaped, and what XML 1.0 cannot hold is dropped.
fn ssml(phrase: &Phrase) -> String {
    let [text, voice, language] = [phrase.text(), phrase.voice(), phrase.language()].map(xml_chars);
    format!(
        r#"<speak version="1.0" xmlns="http://www.w3.org/2001/10/synthesis" xml:lang="{}"><voice name="{}">{}</voice></speak>"#,
        escape(&language),
        escape(&voice),
        escape(&text)
    )
}

/// The characters of production `Char` in XML 1.0.
fn xml_chars(text: &str) -> String {
    text.chars().filter(|c| matches!(c, '\t' | '\n' | '\r' | '\u{20}'..='\u{d7ff}' | '\u{e000}'..='\u{fffd}' | '\u{10000}'..)).collect()
}

fn is_audio(headers: &HeaderMap) -> bool {
    headers.get(CONTENT_TYPE).and_then(|v| v.to_str().ok()).is_some_and(|v| v.to_ascii_lowercase().starts_with("audio/"))
}

/// The file, with a true header, where it is mono 16-bit PCM at the phrase's rate and not empty.
fn sound(file: Bytes, phrase: &Phrase) -> std::result::Result<Bytes, &'static str> {
    let parts = wav::parse(&file).map_err(|_| "with a broken WAV file")?;
    if (parts.sample_rate, parts.channels, parts.bits) != (phrase.format().sample_rate(), 1, 16) {
        return Err("with audio in another format");
    }
    if parts.data.len() < 2 {
        return Err("with no audio in the file");
    }
    Ok(if parts.exact { file } else { wav::write(parts.sample_rate, &wav::samples(&file[parts.data]), None) })
}
