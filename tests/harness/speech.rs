//! A strict stand-in for Azure Speech text to speech over REST: it reads the SSML as XML, checks every header, and
//! speaks each phrase as a WAV file whose length follows the text.

use axum::http::{Method, StatusCode};
use axum::response::{IntoResponse as _, Response};
use quick_xml::Reader;
use quick_xml::events::{BytesStart, Event};

use super::stand_in::{Credential, Seen, StandIn, Verdict};

/// How it can fail, one fault for one correct request.
#[derive(Debug, Clone)]
pub enum Fault {
    /// This status, with a body that quotes the text.
    Status(u16),
    /// 429 with `Retry-After` in seconds or `retry-after-ms`.
    Throttled(Option<u64>, Option<u64>),
    /// No answer at all.
    Hang,
    /// 200 with an HTML page.
    Html,
    /// 200 with audio that is shorter than its header says.
    TruncatedWav,
    /// 200 with a WAV file at another rate.
    OtherRate,
    /// 200 with a WAV file without samples.
    Silent,
    /// 200 with a WAV file whose sizes were unknown when its header was written.
    Streamed,
    /// 200 with audio of this many bytes.
    Huge(usize),
}

/// What an SSML document says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Spoken {
    pub text: String,
    pub voice: String,
    pub language: String,
}

/// Starts it.
pub fn start(credential: Credential) -> StandIn<Fault> {
    StandIn::start(move |seen| match check(seen, &credential) {
        Ok((spoken, rate)) => Verdict::Right(audio(wav(rate, spoken.text.chars().count() * 100, None)), fail),
        Err((status, complaint)) => Verdict::Wrong(complaint, StatusCode::from_u16(status).expect("a status").into_response()),
    })
}

fn check(seen: &Seen, credential: &Credential) -> Result<(Spoken, u32), (u16, String)> {
    let wrong = |status: u16, sound: bool, what: &str| if sound { Ok(()) } else { Err((status, what.to_owned())) };
    wrong(404, seen.uri.path() == "/cognitiveservices/v1" && seen.uri.query().is_none(), "path")?;
    wrong(405, seen.method == Method::POST, "method")?;
    credential.check(seen, "ocp-apim-subscription-key").map_err(|what| (401, what))?;
    wrong(415, seen.header("content-type") == "application/ssml+xml", "content-type")?;
    wrong(400, !seen.header("user-agent").is_empty() && seen.header("user-agent").len() < 255, "user-agent")?;
    let rate = match seen.header("x-microsoft-outputformat") {
        "riff-8khz-16bit-mono-pcm" => 8_000,
        "riff-16khz-16bit-mono-pcm" => 16_000,
        "riff-24khz-16bit-mono-pcm" => 24_000,
        _ => return Err((400, "output format".into())),
    };
    let text = std::str::from_utf8(&seen.body).map_err(|_| (400, "utf-8".to_owned()))?;
    Ok((parse_ssml(text).map_err(|what| (400, what))?, rate))
}

/// Reads `<speak version xmlns xml:lang><voice name>text</voice></speak>` and nothing else.
pub fn parse_ssml(ssml: &str) -> Result<Spoken, String> {
    let mut reader = Reader::from_str(ssml);
    let mut spoken = Spoken { text: String::new(), voice: String::new(), language: String::new() };
    let (mut depth, mut voices) = (0, 0);
    loop {
        match reader.read_event().map_err(|e| e.to_string())? {
            Event::Start(tag) if depth == 0 && voices == 0 && tag.name().as_ref() == b"speak" => {
                let [version, namespace, language] = attributes(&tag, ["version", "xmlns", "xml:lang"])?;
                if version != "1.0" || namespace != "http://www.w3.org/2001/10/synthesis" || language.len() < 2 {
                    return Err("version, namespace or language of speak".into());
                }
                (spoken.language, depth) = (language, 1);
            }
            Event::Start(tag) if depth == 1 && voices == 0 && tag.name().as_ref() == b"voice" => {
                [spoken.voice] = attributes(&tag, ["name"])?;
                (depth, voices) = (2, 1);
            }
            Event::Text(text) if depth == 2 => spoken.text.push_str(&text.decode().map_err(|e| e.to_string())?),
            Event::GeneralRef(reference) if depth == 2 => {
                let name = reference.decode().map_err(|e| e.to_string())?;
                let text = quick_xml::escape::unescape(&format!("&{name};")).map_err(|e| e.to_string())?.into_owned();
                spoken.text.push_str(&text);
            }
            Event::End(_) => depth -= 1,
            Event::Eof if depth == 0 && voices == 1 => break,
            other => return Err(format!("unexpected {other:?}")),
        }
    }
    let xml = |c: char| matches!(c, '\t' | '\n' | '\r' | ' '..='\u{d7ff}' | '\u{e000}'..='\u{fffd}' | '\u{10000}'..);
    if spoken.text.trim().is_empty() || spoken.voice.is_empty() || !spoken.text.chars().all(xml) {
        return Err("empty or invalid text or voice".into());
    }
    Ok(spoken)
}

/// Exactly these attributes, unescaped.
fn attributes<const N: usize>(tag: &BytesStart<'_>, names: [&str; N]) -> Result<[String; N], String> {
    let mut values = names.map(|_| String::new());
    let mut count = 0;
    for attribute in tag.attributes() {
        let attribute = attribute.map_err(|e| e.to_string())?;
        let at = names.iter().position(|n| n.as_bytes() == attribute.key.as_ref()).ok_or("an unknown attribute")?;
        values[at] = attribute.unescape_value().map_err(|e| e.to_string())?.into_owned();
        count += 1;
    }
    if count == N { Ok(values) } else { Err("a missing attribute".into()) }
}

fn fail(fault: Fault) -> Option<Response> {
    let quoting = "could not say: my PIN is 0000";
    Some(match fault {
        Fault::Hang => return None,
        Fault::Status(status) => (StatusCode::from_u16(status).expect("a status"), quoting).into_response(),
        Fault::Throttled(seconds, millis) => {
            let mut response = (StatusCode::TOO_MANY_REQUESTS, quoting).into_response();
            let headers = [("retry-after", seconds), ("retry-after-ms", millis)];
            for (name, value) in headers.into_iter().filter_map(|(name, value)| Some((name, value?))) {
                response.headers_mut().insert(name, value.into());
            }
            response
        }
        Fault::Html => ([("content-type", "text/html")], "<html>my PIN is 0000</html>").into_response(),
        Fault::TruncatedWav => audio(wav(16_000, 800, None)[..700].to_vec()),
        Fault::OtherRate => audio(wav(22_050, 800, None)),
        Fault::Silent => audio(wav(16_000, 0, None)),
        Fault::Streamed => audio(wav(16_000, 800, Some(u32::MAX))),
        Fault::Huge(bytes) => audio(wav(16_000, bytes / 2, None)),
    })
}

fn audio(file: Vec<u8>) -> Response {
    ([("content-type", "audio/x-wav")], file).into_response()
}

/// A mono 16-bit file, written here by hand so that it owes nothing to the code under test.
fn wav(rate: u32, samples: usize, data_size: Option<u32>) -> Vec<u8> {
    let real = u32::try_from(samples * 2).expect("a small file");
    let size = data_size.unwrap_or(real);
    let mut file = b"RIFF".to_vec();
    file.extend(size.saturating_add(36).to_le_bytes());
    file.extend(b"WAVEfmt \x10\0\0\0\x01\0\x01\0");
    file.extend(rate.to_le_bytes());
    file.extend((rate * 2).to_le_bytes());
    file.extend(b"\x02\0\x10\0data");
    file.extend(size.to_le_bytes());
    file.extend((0..samples).flat_map(|n| i16::try_from(n % 2000).expect("small").to_le_bytes()));
    file
}
