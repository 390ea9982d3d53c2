//! The parts of the page that change: each is replaced as a whole while the page lives.

use serde_json::Value;

use super::calls::Shown;
use super::data::Data;
use super::html::{Html, Mood};
use super::trends::Chart;
use super::words::{ago, clock, count, number};
use super::{chart, stores, tiles};
use crate::steps::alerts::{Level, Standing};

/// A part: its id and how it is written.
pub type Part = (&'static str, fn(&mut Html, &Data));

/// All of them, in the order of the page.
pub const ALL: [Part; 12] = [
    ("status", status),
    ("alerts", alerts),
    ("tiles", tiles::write),
    ("ten-minutes", |html, data| charts(html, &data.ten_minutes, "t")),
    ("six-hours", |html, data| charts(html, &data.six_hours, "h")),
    ("calls", calls),
    ("checks", stores::checks),
    ("circuits", stores::circuits),
    ("flow", stores::flow),
    ("redis", stores::redis),
    ("lives", stores::lives),
    ("keeping", stores::keeping),
];

fn status(html: &mut Html, data: &Data) {
    html.badge(Mood::of_status(data.status), data.status).raw(" <span class=\"at\">at <time datetime=\"").text(&data.at.to_string()).raw("\">");
    html.text(&clock(data.at)).raw("</time> UTC</span>");
    if !data.all_instances {
        html.raw(" <span class=\"badge warn\">this instance alone</span>");
    }
}

/// What a screen reader is told when it changes.
pub fn spoken(data: &Data) -> String {
    let firing: Vec<&str> = data.alerts.iter().filter(|standing| standing.episode.is_some()).map(|standing| standing.rule.name.as_str()).collect();
    match firing.as_slice() {
        [] => format!("{}; no alert fires", data.status),
        firing => format!("{}; alerts: {}", data.status, firing.join(", ")),
    }
}

fn alerts(html: &mut Html, data: &Data) {
    let firing: Vec<&Standing> = data.alerts.iter().filter(|standing| standing.episode.is_some()).collect();
    if firing.is_empty() {
        html.raw("<p class=\"card quiet\"><span class=\"badge good\">quiet</span> No alert fires.</p>");
    } else {
        html.raw("<ul class=\"firing\">");
        for standing in firing {
            one_alert(html, standing, data);
        }
        html.raw("</ul>");
    }
    let amiss = stores::amiss(data);
    if !amiss.is_empty() {
        html.raw("<h3 class=\"amiss\">Health is not as it should be</h3><ul class=\"firing\">");
        amiss.into_iter().for_each(|(name, check)| stores::one_amiss(html, name, check, data));
        html.raw("</ul>");
    }
    html.raw("<details id=\"rules\"><summary>All ").text(&data.alerts.len().to_string()).raw(
        " rules</summary><div class=\"scroll\" tabindex=\"0\" role=\"region\" aria-label=\"All rules\"><table class=\"card\"><caption>Rules, their signals now, and \
         above what they fire</caption><thead><tr><th scope=\"col\">rule</th><th scope=\"col\">level</th><th scope=\"col\" class=\"n\">now</th>\
         <th scope=\"col\" class=\"n\">fires above</th><th scope=\"col\">state</th><th scope=\"col\">runbook</th></tr></thead><tbody>",
    );
    for standing in &data.alerts {
        let rule = standing.rule;
        html.raw("<tr><th scope=\"row\">").text(&rule.name).raw("</th>").cell(rule.level.name());
        html.number(&format!("{} {}", number(standing.value), rule.unit)).number(&format!("{} {}", number(rule.threshold), rule.unit)).raw("<td>");
        match (&standing.episode, standing.silent_until) {
            (Some(_), _) => html.badge(Mood::Bad, "fires"),
            (None, Some(until)) => html.badge(Mood::Warn, &format!("silent until {}", clock(until))),
            (None, None) => html.badge(Mood::Good, "quiet"),
        };
        if let Some((from, until)) = standing.silent_later {
            html.raw(" <span class=\"dim\">").text(&format!("silent from {} {} to {} {}", from.day(), clock(from), until.day(), clock(until))).raw("</span>");
        }
        html.raw("</td><td>");
        runbook(html, &rule.runbook);
        html.raw("</td></tr>");
    }
    html.raw("</tbody></table></div></details>");
}

fn one_alert(html: &mut Html, standing: &Standing, data: &Data) {
    let (rule, episode) = (standing.rule, standing.episode.as_ref());
    let mood = if rule.level == Level::P0 { Mood::Bad } else { Mood::Warn };
    html.raw("<li class=\"card ").raw(mood.class()).raw("\"><p>").badge(mood, rule.level.name()).raw(" <b>").text(&rule.name).raw("</b>");
    if let Some(episode) = episode {
        html.raw(" <span class=\"dim\">for ").text(&ago(episode.since, data.at)).raw("</span>");
    }
    html.raw("</p><p>").text(&rule.meaning).raw("</p><p class=\"dim\">").text(&format!(
        "{} {} now, fires above {} {}. ",
        number(standing.value),
        rule.unit,
        number(rule.threshold),
        rule.unit
    ));
    if standing.silent_until.is_some() {
        html.raw("Silenced. ");
    }
    runbook(html, &rule.runbook);
    html.raw("</p></li>");
}

fn runbook(html: &mut Html, anchor: &str) {
    html.raw("<a href=\"#runbook-").text(anchor).raw("\">Runbook ").text(anchor).raw("</a>");
}

fn charts(html: &mut Html, charts: &[Chart], key: &'static str) {
    charts.iter().for_each(|drawn| chart::draw(html, drawn, key));
}

fn calls(html: &mut Html, data: &Data) {
    let calls = &data.calls;
    if calls.failed.is_none() && calls.looked == 0 {
        html.raw("<p class=\"card quiet\">No call is open.</p>");
        return;
    }
    html.raw("<div class=\"scroll\" tabindex=\"0\" role=\"region\" aria-label=\"Open calls\"><table class=\"card\"><caption>");
    match (&calls.failed, calls.shown.len()) {
        (Some(reason), _) => html.raw("<span class=\"badge warn\">not known</span> ").text(reason),
        (None, shown) if calls.more => html.text(&format!(
            "{shown} of more than {} open calls: of these, what waits in an outbox first. More are open than are looked at here; rtvoice calls list has them all.",
            calls.looked
        )),
        (None, shown) => html.text(&format!("{shown} of {} open calls, what waits in an outbox first, then the last active", calls.looked)),
    };
    if calls.unreadable > 0 {
        html.text(&format!(" {} cannot be read.", calls.unreadable));
    }
    html.raw(
        "</caption><thead><tr><th scope=\"col\">call</th><th scope=\"col\">state</th><th scope=\"col\" class=\"n\">age</th><th scope=\"col\" class=\"n\">silent for</th>\
         <th scope=\"col\" class=\"n\">turns</th><th scope=\"col\" class=\"n\">in outbox</th><th scope=\"col\">what was said</th></tr></thead><tbody>",
    );
    calls.shown.iter().for_each(|call| row(html, call, data));
    html.raw("</tbody></table></div>");
}

fn row(html: &mut Html, call: &Shown, data: &Data) {
    let id = call.call.as_str();
    let mood = match call.status {
        "connected" => Mood::Good,
        "lost" => Mood::Bad,
        "provisional" => Mood::Warn,
        _ => Mood::Plain,
    };
    html.raw("<tr><th scope=\"row\" class=\"id\">").text(id).raw("</th><td>").badge(mood, call.status).raw("</td>");
    html.number(&call.started_at.map_or_else(|| super::words::NONE.to_owned(), |at| ago(at, data.at))).number(&ago(call.last_activity, data.at));
    html.number(&count(call.turns)).number(&count(call.waiting)).raw("<td>");
    if call.turns > 0 {
        // Without an action a form goes to the address of the page, with the key in it: the key is never written.
        html.raw("<form method=\"post\"><input type=\"hidden\" name=\"call\" value=\"").text(id).raw("\"><button id=\"show-").text(id);
        html.raw("\" aria-label=\"Show what was said in call ").text(id).raw("; the audit log notes it\">Show</button></form>");
    }
    html.raw("</td></tr>");
}

/// What was said in a call, once somebody has asked for it.
pub fn said(html: &mut Html, call: &str, turns: &[Value]) {
    html.raw("<div class=\"card\"><h2 id=\"said-heading\" tabindex=\"-1\">What was said in call <span class=\"id\">").text(call);
    html.raw("</span></h2><p class=\"dim\">Masked. The audit log has noted that it was read. The last ").text(&turns.len().to_string());
    html.raw(" turns. <button type=\"button\" id=\"close-said\" class=\"js\" hidden>Close</button></p><ol class=\"said\">");
    let text = |turn: &Value, name: &str| turn[name].as_str().unwrap_or(super::words::NONE).to_owned();
    for turn in turns {
        html.raw("<li value=\"").text(&turn["seq"].to_string()).raw("\"><p class=\"dim\">").text(&text(turn, "at")).raw(" · turn ").text(&text(turn, "turnId"));
        html.raw(" · ").text(&text(turn, "source")).raw("</p><p><b>caller</b> ").text(&text(turn, "user")).raw("</p><p><b>agent</b> ");
        html.text(&text(turn, "assistant")).raw("</p></li>");
    }
    html.raw("</ol></div>");
}
