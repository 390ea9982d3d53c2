//! The tables below: checks, circuits, what is on its way, Redis, lives of keys, retention and erasure.

use serde_json::Value;

use super::chart;
use super::data::Data;
use super::html::{Html, Mood};
use super::words::{NONE, ago, clock, count, maybe, number, percent, size, span, spelt};
use crate::model::time::Timestamp;

/// Opens a table that may be wider than a telephone. Its caption is for the ear: a heading says the same to the eye.
fn table(html: &mut Html, label: &'static str, head: &'static str) {
    html.raw("<div class=\"scroll\" tabindex=\"0\" role=\"region\" aria-label=\"").raw(label).raw("\"><table class=\"card\"><caption><span class=\"unseen\">");
    html.raw(label).raw("</span></caption>").raw(head).raw("<tbody>");
}

fn end(html: &mut Html) {
    html.raw("</tbody></table></div>");
}

/// Two columns: what, and how much.
fn facts(html: &mut Html, facts: &[(&'static str, String)]) {
    html.raw("<dl class=\"card facts\">");
    for (name, value) in facts {
        html.raw("<div><dt>").raw(name).raw("</dt><dd>").text(value).raw("</dd></div>");
    }
    html.raw("</dl>");
}

/// The members of a measured value in words: `round trip 0.3 ms`.
fn measured(value: &Value) -> String {
    let one = |(name, value): (&String, &Value)| {
        let (name, shown) = match (name.strip_suffix("Ms"), name.strip_suffix("Bytes"), value) {
            (_, _, Value::Null) => return None,
            (Some(name), _, value) => (name, value.as_f64().map_or_else(|| value.to_string(), |ms| maybe(Some(ms), "ms"))),
            (_, Some(name), value) => (name, value.as_f64().map_or_else(|| value.to_string(), size)),
            (_, _, value) if name == "share" || name == "warnsAt" => (name.as_str(), percent(value.as_f64())),
            (_, _, Value::Number(value)) => (name.as_str(), value.as_f64().map_or_else(|| value.to_string(), number)),
            (_, _, Value::Bool(true)) => return Some(spelt(name)),
            (_, _, Value::Bool(false)) => return Some(format!("not {}", spelt(name))),
            (_, _, Value::Array(items)) if items.is_empty() => return Some(format!("no {}", spelt(name))),
            (_, _, Value::String(value)) => (name.as_str(), value.clone()),
            (_, _, Value::Object(_)) => (name.as_str(), measured(value)),
            (_, _, Value::Array(items)) => {
                (name.as_str(), items.iter().map(|item| item.as_str().map_or_else(|| item.to_string(), spelt)).collect::<Vec<_>>().join(", "))
            }
        };
        Some(format!("{} {shown}", spelt(name)))
    };
    match value {
        Value::Object(members) => members.iter().filter_map(one).collect::<Vec<_>>().join(" · "),
        Value::Null => NONE.to_owned(),
        other => other.as_str().map_or_else(|| other.to_string(), str::to_owned),
    }
}

/// The value of admission has rooms.
fn seats(check: &Value) -> String {
    let room = |name: &str| {
        let number = |member: &str| count(check["value"][name][member].as_u64().unwrap_or_default());
        format!("{name}: {} of {} run, {} wait, {} refused", number("inFlight"), number("maxInFlight"), number("waiting"), number("refused"))
    };
    ["interactive", "background"].map(room).join(" · ")
}

pub(super) fn checks(html: &mut Html, data: &Data) {
    html.raw("<div class=\"checks\">");
    table(
        html,
        "Checks of health and dependencies",
        "<thead><tr><th scope=\"col\">check</th><th scope=\"col\">state</th><th scope=\"col\">since</th><th scope=\"col\">measured</th>\
         <th scope=\"col\">held to</th></tr></thead>",
    );
    for (name, check) in data.health.as_object().into_iter().flatten() {
        let text = |member: &str| check[member].as_str().unwrap_or_default();
        let mood = match (Mood::of_status(text("status")), check["informsOnly"] == true) {
            (Mood::Good, _) => Mood::Good,
            (_, true) => Mood::Plain,
            (mood, false) => mood,
        };
        html.raw("<tr><th scope=\"row\">").text(&spelt(name)).raw("<span class=\"dim\"> ").text(text("backend")).raw("</span></th><td>");
        html.badge(mood, text("status")).raw("</td>");
        html.cell(&Timestamp::parse(text("since")).map_or_else(|| NONE.to_owned(), |since| ago(since, data.at))).raw("<td>");
        html.text(&if name == "admission" { seats(check) } else { measured(&check["value"]) });
        if let Some(reason) = check["reason"].as_str() {
            html.raw("<br>").text(reason);
        }
        if let Some(hint) = check["hint"].as_str() {
            html.raw("<br><span class=\"hint\">").text(hint).raw("</span>");
        }
        html.raw("</td>").cell(&measured(&check["limit"])).raw("</tr>");
    }
    end(html);
    html.raw("</div>");
}

/// The checks that make the whole less than healthy.
pub(super) fn amiss(data: &Data) -> Vec<(&str, &Value)> {
    let checks = data.health.as_object().into_iter().flatten();
    checks.map(|(name, check)| (name.as_str(), check)).filter(|(_, check)| check["status"] != "healthy" && check["informsOnly"] != true).collect()
}

/// One of them, where it is seen first.
pub(super) fn one_amiss(html: &mut Html, name: &str, check: &Value, data: &Data) {
    let text = |member: &str| check[member].as_str().unwrap_or_default();
    let mood = Mood::of_status(text("status"));
    html.raw("<li class=\"card ").raw(mood.class()).raw("\"><p>").badge(mood, text("status")).raw(" <b>").text(&spelt(name)).raw("</b>");
    if let Some(since) = Timestamp::parse(text("since")) {
        html.raw(" <span class=\"dim\">for ").text(&ago(since, data.at)).raw("</span>");
    }
    html.raw("</p><p>");
    html.text(&if name == "admission" { seats(check) } else { measured(&check["value"]) });
    if let Some(reason) = check["reason"].as_str() {
        html.raw(" ").text(reason);
    }
    html.raw("</p><p class=\"dim\">").text(text("hint")).raw("</p></li>");
}

pub(super) fn circuits(html: &mut Html, data: &Data) {
    table(
        html,
        "Circuits before dependencies",
        "<thead><tr><th scope=\"col\">dependency</th><th scope=\"col\">here</th><th scope=\"col\" class=\"n\">opened in 10 min</th>\
         <th scope=\"col\" class=\"n\">in 6 h</th></tr></thead>",
    );
    for circuit in &data.circuits {
        let (mood, word) = if circuit.open { (Mood::Bad, "open") } else { (Mood::Good, "closed") };
        html.raw("<tr><th scope=\"row\">").text(&spelt(circuit.dependency)).raw("</th><td>").badge(mood, word).raw("</td>");
        html.number(&count(circuit.opened_10m)).number(&count(circuit.opened_6h)).raw("</tr>");
    }
    end(html);
}

pub(super) fn flow(html: &mut Html, data: &Data) {
    let flow = &data.flow;
    let seconds = |value: Option<f64>| value.map_or_else(|| NONE.to_owned(), span);
    facts(
        html,
        &[
            ("In outboxes", flow.outbox_depth.map_or_else(|| NONE.to_owned(), count)),
            ("The oldest waits for", seconds(flow.outbox_age_s)),
            ("Counted", if flow.exact { "now".to_owned() } else { "by the relay, each minute".to_owned() }),
            ("Queue to writer, p50", seconds(flow.queue_lag_p50_s)),
            ("Queue to writer, p95", seconds(flow.queue_lag_p95_s)),
            ("Put off in 6 h", count(flow.deferred)),
            ("Dead letters in 6 h", count(flow.dead_letters)),
            ("Events parked in 6 h", count(flow.events_parked)),
        ],
    );
}

pub(super) fn redis(html: &mut Html, data: &Data) {
    let now = &data.now;
    let whole = |value: Option<f64>| value.map_or_else(|| NONE.to_owned(), |value| count(value as u64));
    let of = |value: Option<f64>, most: Option<f64>| match (value, most.filter(|most| *most > 0.0)) {
        (Some(value), Some(most)) => format!("{} of {}", count(value as u64), count(most as u64)),
        (value, _) => whole(value),
    };
    let memory = now.memory_bytes.map_or_else(|| NONE.to_owned(), |bytes| format!("{} ({})", size(bytes), percent(now.memory_share)));
    facts(
        html,
        &[
            ("Memory, fullest node", memory),
            ("Connections, busiest node", of(now.clients, now.clients_most)),
            ("Keys", whole(now.keys)),
            ("Keys without a TTL", whole(now.keys_unexpiring)),
            ("Keys that come in a minute", whole(now.keys_per_minute)),
            ("Operations in 5 min", count(now.redis_samples)),
            ("Of these failed", percent(now.failed_operations)),
        ],
    );
}

pub(super) fn lives(html: &mut Html, data: &Data) {
    if data.lives.is_empty() {
        html.raw("<p class=\"card quiet\">No key was written in six hours.</p>");
        return;
    }
    table(
        html,
        "TTLs written in six hours, by policy",
        "<thead><tr><th scope=\"col\">policy</th><th scope=\"col\" class=\"n\">written</th><th scope=\"col\" class=\"n\">p5</th><th scope=\"col\" class=\"n\">p50</th>\
         <th scope=\"col\" class=\"n\">p95</th><th scope=\"col\">1 s to 30 d</th></tr></thead>",
    );
    for life in &data.lives {
        html.raw("<tr><th scope=\"row\">").text(life.policy).raw("</th>").number(&count(life.written));
        html.number(&span(life.p05_s)).number(&span(life.p50_s)).number(&span(life.p95_s)).raw("<td class=\"wide\">");
        chart::lives(html, (life.p05_s, life.p50_s, life.p95_s));
        html.raw("</td></tr>");
    }
    end(html);
}

pub(super) fn keeping(html: &mut Html, data: &Data) {
    let (keeping, counted) = (&data.keeping, &data.counted);
    if let Some(reason) = &keeping.failed {
        html.raw("<p class=\"card quiet\"><span class=\"badge warn\">not known</span> ").text(reason).raw("</p>");
    }
    let known = |text: String| if keeping.reported_at.is_some() { text } else { NONE.to_owned() };
    let reported = keeping.reported_at.map(|at| format!("{} {} UTC{}", at.day(), clock(at), if keeping.complete { "" } else { ", not complete" }));
    let purged = keeping.purge_complete.map(|complete| format!("{}{}", count(keeping.purge_removed), if complete { "" } else { ", not at the end yet" }));
    facts(
        html,
        &[
            ("Compliance report", reported.unwrap_or_else(|| "none of today or yesterday".to_owned())),
            ("Rules broken", known(count(keeping.violations))),
            ("Erasures open, then", known(count(keeping.erasures_open))),
            ("Of these late", known(count(keeping.erasures_late))),
            ("Erasures done, then", known(count(keeping.erasures_closed))),
            ("Asked for, done, refused in 6 h", format!("{} / {} / {}", counted.erasures_requested, counted.erasures_completed, counted.erasures_refused)),
            ("Removed by retention today", purged.unwrap_or_else(|| "no purge yet".to_owned())),
            ("Personal values masked in 6 h", count(counted.findings)),
        ],
    );
    table(
        html,
        "Retention by container",
        "<thead><tr><th scope=\"col\">container</th><th scope=\"col\" class=\"n\">days</th><th scope=\"col\" class=\"n\">documents</th>\
         <th scope=\"col\" class=\"n\">past their time</th></tr></thead>",
    );
    for kept in &keeping.rules {
        let maybe = |value: Option<u64>| value.map_or_else(|| NONE.to_owned(), count);
        html.raw("<tr><th scope=\"row\">").raw(kept.container).raw("</th>").number(&kept.days.to_string()).number(&maybe(kept.documents));
        html.number(&maybe(kept.overdue)).raw("</tr>");
    }
    end(html);
}
