//! The page: one document that needs nothing but itself, and what is said about it to the browser.
//!
//! Style and script stand in the page and are let in by their hashes alone; nothing else may be loaded, framed or run. The key
//! of the request is nowhere in it: forms and the script use the address that the page was asked for by.

use std::sync::LazyLock;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

use super::data::Data;
use super::html::{Html, Mood};
use super::{parts, runbook};

const STYLE: &str = include_str!("page.css");
const SCRIPT: &str = include_str!("page.js");

/// The headings over the parts, and how wide these are: whole rows, or beside others.
const SECTIONS: [(&str, &str, &[&str]); 7] = [
    ("Open calls", "row", &["calls"]),
    ("Health and dependencies", "two", &["checks"]),
    ("Circuits", "one", &["circuits"]),
    ("On the way to the record", "one", &["flow"]),
    ("Redis", "one", &["redis"]),
    ("Lives of keys", "rest", &["lives"]),
    ("Retention and erasure", "row", &["keeping"]),
];

/// What a browser may do with the page.
pub static POLICY: LazyLock<String> = LazyLock::new(|| {
    let hash = |text: &str| STANDARD.encode(Sha256::digest(text.as_bytes()));
    format!(
        "default-src 'none'; style-src 'sha256-{}'; script-src 'sha256-{}'; img-src data:; connect-src 'self'; form-action 'self'; base-uri 'none'; \
         frame-ancestors 'none'",
        hash(STYLE),
        hash(SCRIPT)
    )
});

/// What the script asks for: the parts as they are now.
pub fn live(data: &Data) -> Value {
    let written = |(id, write): &parts::Part| {
        let mut html = Html::default();
        write(&mut html, data);
        ((*id).to_owned(), Value::String(html.finish()))
    };
    let parts: serde_json::Map<String, Value> = parts::ALL.iter().map(written).collect();
    json!({ "at": data.at, "title": title(data), "spoken": parts::spoken(data), "parts": parts })
}

/// What was said in a call, as the script asks for it.
pub fn live_said(call: &str, turns: &[Value]) -> Value {
    let mut html = Html::default();
    parts::said(&mut html, call, turns);
    json!({ "html": html.finish() })
}

fn title(data: &Data) -> String {
    let firing = data.alerts.iter().filter(|standing| standing.episode.is_some()).count();
    let alerts = if firing > 0 { format!("{firing} firing · ") } else { String::new() };
    format!("{alerts}{} · {}", data.status, data.source)
}

/// The whole page, with what was said in a call where somebody has asked for that.
pub fn whole(data: &Data, said: Option<(&str, &[Value])>) -> String {
    let mut html = Html::default();
    html.raw(
        "<!doctype html><html lang=\"en\"><head><meta charset=\"utf-8\"><meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\
         <meta name=\"color-scheme\" content=\"light dark\"><meta name=\"robots\" content=\"noindex\"><title>",
    );
    html.text(&title(data)).raw("</title><link rel=\"icon\" href=\"data:image/svg+xml,%3Csvg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 16 16'%3E%3Crect width='16' height='16' rx='4' fill='%232f6fde'/%3E%3Cpath d='M3 8h2l1.5-4 3 8L11 8h2' fill='none' stroke='%23fff' stroke-width='1.5'/%3E%3C/svg%3E\"><style>");
    html.raw(STYLE).raw("</style></head><body><a class=\"skip\" href=\"#main\">Skip to the figures</a><header><div><h1>rtvoice</h1> <span class=\"where\">");
    html.text(&data.source).raw("</span></div><div class=\"state\">");
    part(&mut html, data, "status", "div");
    html.raw(
        "<span id=\"link\" class=\"dim\"><noscript>as of when the page was loaded; reload it for newer figures</noscript></span>\
         <button type=\"button\" id=\"pause\" class=\"js\" aria-pressed=\"false\" hidden>Pause</button></div>\
         <p id=\"spoken\" class=\"unseen\" role=\"status\" aria-live=\"polite\">",
    );
    html.text(&parts::spoken(data)).raw("</p></header><main id=\"main\" tabindex=\"-1\"><section id=\"said\" aria-label=\"What was said\" class=\"row\">");
    if let Some((call, turns)) = said {
        parts::said(&mut html, call, turns);
    }
    html.raw("</section><section id=\"alerts\" class=\"row\" aria-labelledby=\"h-alerts\"><h2 id=\"h-alerts\">Alerts</h2>");
    part(&mut html, data, "alerts", "div");
    html.raw("</section><section class=\"row\" aria-labelledby=\"h-now\"><h2 id=\"h-now\">Now</h2>");
    part(&mut html, data, "tiles", "div");
    html.raw(
        "</section><section id=\"trends\" class=\"row\" aria-labelledby=\"h-trends\"><div class=\"heading\"><h2 id=\"h-trends\">Over time</h2>\
         <fieldset><legend class=\"unseen\">Window</legend><input type=\"radio\" name=\"window\" id=\"w-t\" checked><label for=\"w-t\">10 min</label>\
         <input type=\"radio\" name=\"window\" id=\"w-h\"><label for=\"w-h\">6 hours</label></fieldset></div>",
    );
    part(&mut html, data, "ten-minutes", "div");
    part(&mut html, data, "six-hours", "div");
    html.raw("</section>");
    for (heading, width, ids) in SECTIONS {
        html.raw("<section class=\"").raw(width).raw("\"><h2>").raw(heading).raw("</h2>");
        ids.iter().for_each(|id| part(&mut html, data, id, "div"));
        html.raw("</section>");
    }
    html.raw("<section id=\"runbooks\" class=\"row\" aria-label=\"Runbooks\">");
    let mut page = html.finish();
    // Written by the same writer, once.
    page.push_str(&runbook::ALL);
    let mut html = Html::default();
    html.raw("</section></main><footer><p class=\"dim\">Read-only. Figures are of ");
    html.raw(if data.all_instances { "all instances" } else { "this instance" }).raw(" and hold nothing personal. ");
    html.badge(Mood::Plain, &data.at.to_string()).raw("</p></footer><script>").raw(SCRIPT).raw("</script></body></html>\n");
    page.push_str(&html.finish());
    page
}

fn part(html: &mut Html, data: &Data, id: &'static str, tag: &'static str) {
    html.raw("<").raw(tag).raw(" data-part=\"").raw(id).raw("\">");
    if let Some((_, write)) = parts::ALL.iter().find(|(name, _)| *name == id) {
        write(html, data);
    }
    html.raw("</").raw(tag).raw(">");
}
