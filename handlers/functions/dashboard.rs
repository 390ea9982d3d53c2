//! Dashboard: one page on how everything stands, for whoever is on call. `GET` answers the page, with `format=json` the figures
//! and with `format=live` what the page asks for every few seconds. `POST` with `call=TOKEN` answers it with what was said in one
//! call, masked; the audit log notes that first. Nothing is changed.

use axum::http::{HeaderName, HeaderValue, Method, StatusCode, header};
use axum::response::Response;
use serde_json::json;

use crate::app::App;
use crate::error::{Error, Result};
use crate::host::http::{Request, json_response, response};
use crate::steps::dashboard::{self, page};

/// How it is answered.
#[derive(Clone, Copy)]
enum Format {
    Page,
    Json,
    Live,
}

/// Answers one request.
pub async fn run(app: App, request: Request) -> Result<Response> {
    let format = match request.query("format")?.as_deref() {
        None => Format::Page,
        Some("json") => Format::Json,
        Some("live") => Format::Live,
        Some(_) => return Err(Error::input("format", "must be json or live, or left out for the page")),
    };
    let asked = if request.method == Method::POST { Some(asked_for(&request)?) } else { None };
    let said = match &asked {
        Some(name) => Some((name.as_str(), dashboard::said(&app, &dashboard::named(&app, name).await?).await?)),
        None => None,
    };
    let answer = match (format, &said) {
        (Format::Page, said) => {
            let data = dashboard::current(&app).await;
            let page = page::whole(&data, said.as_ref().map(|(call, turns)| (*call, turns.as_slice())));
            response(StatusCode::OK, "text/html; charset=utf-8", page.into())
        }
        (Format::Json, Some((call, turns))) => json_response(StatusCode::OK, &json!({ "call": call, "turns": turns })),
        (Format::Live, Some((call, turns))) => json_response(StatusCode::OK, &page::live_said(call, turns)),
        (Format::Json, None) => json_response(StatusCode::OK, &serde_json::to_value(&*dashboard::current(&app).await).map_err(Error::internal)?),
        (Format::Live, None) => json_response(StatusCode::OK, &page::live(&*dashboard::current(&app).await)),
    };
    guarded(answer)
}

/// What names the call in a form. A page of another site may not ask.
fn asked_for(request: &Request) -> Result<String> {
    let site = request.header(HeaderName::from_static("sec-fetch-site"));
    if site.is_some_and(|site| !matches!(site, "same-origin" | "none")) {
        return Err(Error::input("Sec-Fetch-Site", "must be same-origin: only the dashboard itself may ask what was said"));
    }
    let body = std::str::from_utf8(&request.body).unwrap_or_default();
    let mut calls = body.split('&').filter_map(|pair| pair.strip_prefix("call="));
    match (calls.next(), calls.next()) {
        (Some(call), None) => Ok(percent_encoding::percent_decode_str(call).decode_utf8_lossy().into_owned()),
        _ => Err(Error::input("call", "must stand once in the form")),
    }
}

/// Nothing of it is kept, framed, guessed at or told to others.
fn guarded(mut answer: Response) -> Result<Response> {
    let headers = answer.headers_mut();
    headers.insert(header::CONTENT_SECURITY_POLICY, HeaderValue::from_str(&page::POLICY).map_err(Error::internal)?);
    for (name, value) in [
        (header::CACHE_CONTROL, "no-store"),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::X_FRAME_OPTIONS, "DENY"),
        (header::REFERRER_POLICY, "no-referrer"),
        (HeaderName::from_static("cross-origin-opener-policy"), "same-origin"),
        (HeaderName::from_static("cross-origin-resource-policy"), "same-origin"),
    ] {
        headers.insert(name, HeaderValue::from_static(value));
    }
    Ok(answer)
}
