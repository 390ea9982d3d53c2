//! The weekly report as Markdown and as a page. Pure. Nothing in it was written by a stranger: names of ours, numbers and days.

use std::fmt::Write as _;

use super::Content;

fn shown(value: Option<f64>) -> String {
    value.map_or_else(|| "–".to_owned(), |millis| format!("{millis:.1}"))
}

/// The columns of the alerts that fired.
const ALERTS: [&str; 6] = ["rule", "level", "times", "together", "longest", "the last one began (UTC)"];
/// Where there are none.
const NONE_FIRED: &str = "No alert fired.";

/// As Markdown. A String takes whatever is written to it.
pub(super) fn markdown(content: &Content) -> String {
    let Content { week, from, until, hours, sections, alerts, trend } = content;
    let mut text = format!("# rtvoice, week {week}\n\n{from} to {until}, {hours} of 168 hours with figures.\n");
    for (title, lines) in sections {
        let _ = write!(text, "\n## {title}\n\n| | this week | the week before |\n| --- | ---: | ---: |\n");
        for (name, this, before) in lines {
            let _ = writeln!(text, "| {name} | {this} | {before} |");
        }
    }
    text.push_str("\n## Alerts\n\n");
    if alerts.is_empty() {
        let _ = writeln!(text, "{NONE_FIRED}");
    } else {
        let _ = write!(text, "| {} |\n| --- | --- | ---: | ---: | ---: | --- |\n", ALERTS.join(" | "));
        alerts.iter().for_each(|row| {
            let _ = writeln!(text, "| {} |", row.join(" | "));
        });
    }
    let _ = write!(text, "\n## Day by day\n\n| day | turns | p50 ms | p95 ms | p99 ms |\n| --- | ---: | ---: | ---: | ---: |\n");
    for (day, turns, [p50, p95, p99]) in trend {
        let _ = writeln!(text, "| {day} | {turns} | {} | {} | {} |", shown(*p50), shown(*p95), shown(*p99));
    }
    text
}

/// As one page that needs nothing else.
pub(super) fn html(content: &Content) -> String {
    let Content { week, from, until, hours, sections, alerts, trend } = content;
    let style = "body{font:16px/1.5 system-ui,sans-serif;margin:2rem auto;max-width:48rem;padding:0 1rem;color-scheme:light dark}\
        table{border-collapse:collapse;width:100%}th,td{padding:.25rem .5rem;text-align:right;border-bottom:1px solid #8884}\
        th:first-child,td:first-child{text-align:left}";
    let mut page = format!(
        "<!doctype html><html lang=\"en\"><head><meta charset=\"utf-8\"><meta name=\"viewport\" content=\"width=device-width\">\
         <title>rtvoice, week {week}</title><style>{style}</style></head><body><h1>rtvoice, week {week}</h1>\
         <p>{from} to {until}, {hours} of 168 hours with figures.</p>"
    );
    for (title, lines) in sections {
        let _ = write!(page, "<h2>{title}</h2><table><thead><tr><th></th><th>this week</th><th>the week before</th></tr></thead><tbody>");
        for (name, this, before) in lines {
            let _ = write!(page, "<tr><td>{name}</td><td>{this}</td><td>{before}</td></tr>");
        }
        page.push_str("</tbody></table>");
    }
    page.push_str("<h2>Alerts</h2>");
    if alerts.is_empty() {
        let _ = write!(page, "<p>{NONE_FIRED}</p>");
    } else {
        let _ = write!(page, "<table><thead><tr><th>{}</th></tr></thead><tbody>", ALERTS.join("</th><th>"));
        // A rule's name may have come out of the record.
        alerts.iter().for_each(|row| {
            let _ = write!(page, "<tr><td>{}</td></tr>", row.each_ref().map(|cell| escaped(cell)).join("</td><td>"));
        });
        page.push_str("</tbody></table>");
    }
    page.push_str("<h2>Day by day</h2><table><thead><tr><th>day</th><th>turns</th><th>p50 ms</th><th>p95 ms</th><th>p99 ms</th></tr></thead><tbody>");
    for (day, turns, [p50, p95, p99]) in trend {
        let _ = write!(page, "<tr><td>{day}</td><td>{turns}</td><td>{}</td><td>{}</td><td>{}</td></tr>", shown(*p50), shown(*p95), shown(*p99));
    }
    page.push_str("</tbody></table></body></html>\n");
    page
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}
