//! The report as one page: a table, and charts drawn as SVG. It loads nothing and runs nothing.

use std::fmt::Write as _;

use super::LoadArgs;
use super::gauge::{Second, Stage};
use super::report::Report;

/// Size of a chart.
const SIZE: (f64, f64) = (900.0, 220.0);
/// Room for the scale at its left, and for the one below.
const ROOM: (f64, f64) = (56.0, 24.0);
/// Most points of a line: more than the eye can tell apart.
const POINTS: usize = 450;

const STYLE: &str = "\
:root{color-scheme:light dark;--ink:#1b1f24;--page:#fff;--soft:#667;--line:#d5d9e0;--a:#0b63ce;--b:#b25c00;--c:#b3123f}\
@media(prefers-color-scheme:dark){:root{--ink:#e8eaee;--page:#14171c;--soft:#9aa3b2;--line:#333a45;--a:#6cb0ff;--b:#ffb454;--c:#ff7a9c}}\
body{font:16px/1.5 system-ui,sans-serif;max-width:60rem;margin:2rem auto;padding:0 1rem;color:var(--ink);background:var(--page)}\
table{border-collapse:collapse;width:100%;font-variant-numeric:tabular-nums}td,th{padding:.3rem .6rem;text-align:right;border-bottom:1px solid var(--line)}\
td:first-child,th:first-child{text-align:left}svg{width:100%;height:auto}svg text{fill:var(--soft);font-size:12px}.bad{color:var(--c);font-weight:600}\
.key{color:var(--soft);font-size:.9rem}.key b{font-weight:600}";

/// One line of a chart.
struct Line {
    name: &'static str,
    colour: &'static str,
    value: fn(&Second) -> f64,
}

/// The page of a run.
pub fn html(report: &Report, arguments: &LoadArgs) -> String {
    let mut page = String::new();
    let (counts, verified) = (&report.counts, &report.verified);
    let how = arguments.rate.map_or_else(|| format!("{} callers", arguments.concurrency), |rate| format!("{rate} calls a second, open loop"));
    // Writing to a String cannot fail.
    let _ = write!(
        page,
        "<!doctype html><html lang=\"en\"><head><meta charset=\"utf-8\"><meta name=\"viewport\" content=\"width=device-width,initial-scale=1\">\
         <title>rtvoice load</title><style>{STYLE}</style></head><body><h1>rtvoice load</h1>\
         <p>{how}, {} turns a call, seed {}; {:.1} s.</p>",
        arguments.turns, arguments.seed, report.seconds
    );
    let verdict = if report.ok { "<p>Every answered turn is in the record, once and in order.</p>" } else { "<p class=\"bad\">Something does not hold.</p>" };
    page.push_str(verdict);
    let rows = [
        ("calls", counts.calls),
        ("calls ended", counts.ended),
        ("calls begun late", counts.late),
        ("turns", counts.turns),
        ("answered", counts.answered),
        ("degraded", counts.degraded),
        ("with the fallback line", counts.fallbacks),
        ("without audio", counts.silent),
        ("errors", counts.errors),
        ("in the record", verified.archived),
        ("missing", verified.missing),
        ("doubled", verified.doubled),
        ("foreign", verified.foreign),
        ("misplaced", verified.misplaced),
        ("calls without an archive", verified.unarchived),
    ];
    page.push_str("<h2>Counts</h2><table><tbody>");
    for (name, count) in rows {
        let _ = write!(page, "<tr><td>{name}</td><td>{count}</td></tr>");
    }
    let waits = [
        ("longest wait of a request, ms", Some(format!("{:.0}", report.waits.longest_wait_ms))),
        ("requests that waited longer than they may", Some(report.waits.overdue.to_string())),
        ("most memory of the handler, MiB", report.memory()),
    ];
    for (name, value) in waits.into_iter().filter_map(|(name, value)| Some((name, value?))) {
        let _ = write!(page, "<tr><td>{name}</td><td>{value}</td></tr>");
    }
    page.push_str("</tbody></table><h2>Times</h2><table><thead><tr><th>stage</th><th>count</th><th>p50 ms</th><th>p95 ms</th><th>p99 ms</th><th>max ms</th></tr></thead><tbody>");
    for stage in Stage::ALL {
        if let Some(times) = report.stages.get(stage.name()) {
            let _ = write!(
                page,
                "<tr><td>{}</td><td>{}</td><td>{:.2}</td><td>{:.2}</td><td>{:.2}</td><td>{:.2}</td></tr>",
                stage.name(),
                times.count,
                times.p50,
                times.p95,
                times.p99,
                times.max
            );
        }
    }
    page.push_str("</tbody></table>");
    let line = |name, colour, value| Line { name, colour, value };
    let rates = [line("turns", "--a", |s: &Second| s.turns as f64), line("calls", "--b", |s| s.calls as f64)];
    chart(&mut page, "Answered turns and begun calls a second", &report.timeline, &rates);
    let times = [line("p50", "--a", |s: &Second| s.turn.p50), line("p95", "--b", |s| s.turn.p95), line("p99", "--c", |s| s.turn.p99)];
    chart(&mut page, "Milliseconds of a turn, each second", &report.timeline, &times);
    let failures = [line("errors", "--c", |s: &Second| s.errors as f64), line("degraded", "--b", |s| s.degraded as f64)];
    chart(&mut page, "Errors and degraded turns a second", &report.timeline, &failures);
    if !verified.problems.is_empty() {
        page.push_str("<h2>What does not hold</h2><ul>");
        for problem in &verified.problems {
            let _ = write!(page, "<li>{}</li>", escaped(problem));
        }
        page.push_str("</ul>");
    }
    page.push_str("</body></html>\n");
    page
}

/// A chart over the seconds of the run; of many seconds in one point the worst is drawn.
fn chart(page: &mut String, title: &str, seconds: &[Second], lines: &[Line]) {
    let group = seconds.len().div_ceil(POINTS).max(1);
    let points = |line: &Line| seconds.chunks(group).map(|chunk| chunk.iter().map(line.value).fold(0.0, f64::max)).collect::<Vec<_>>();
    let top = lines.iter().flat_map(points).fold(1.0, f64::max);
    let (width, height) = (SIZE.0 - ROOM.0, SIZE.1 - ROOM.1);
    // Writing to a String cannot fail.
    let _ = write!(page, "<h2>{title}</h2><p class=\"key\">");
    for line in lines {
        let peak = points(line).into_iter().fold(0.0, f64::max);
        let _ = write!(page, "<b style=\"color:var({})\">{}</b> (at most {peak:.1}) ", line.colour, line.name);
    }
    let _ = write!(page, "</p><svg viewBox=\"0 0 {} {}\" role=\"img\" aria-label=\"{title}\">", SIZE.0, SIZE.1);
    for part in 0..=4 {
        let y = height * (1.0 - f64::from(part) / 4.0);
        let value = top * f64::from(part) / 4.0;
        let _ = write!(
            page,
            "<line x1=\"{}\" x2=\"{}\" y1=\"{y:.1}\" y2=\"{y:.1}\" stroke=\"var(--line)\"/><text x=\"{}\" y=\"{:.1}\" text-anchor=\"end\">{value:.1}</text>",
            ROOM.0,
            SIZE.0,
            ROOM.0 - 6.0,
            (y + 4.0).max(11.0)
        );
    }
    let _ = write!(
        page,
        "<text x=\"{}\" y=\"{}\">0 s</text><text x=\"{}\" y=\"{}\" text-anchor=\"end\">{} s</text>",
        ROOM.0,
        SIZE.1 - 6.0,
        SIZE.0,
        SIZE.1 - 6.0,
        seconds.len()
    );
    for line in lines {
        let values = points(line);
        let step = width / (values.len().max(2) - 1) as f64;
        let path = values.iter().enumerate().map(|(n, value)| format!("{:.1},{:.1}", ROOM.0 + step * n as f64, height * (1.0 - value / top)));
        let _ =
            write!(page, "<polyline fill=\"none\" stroke=\"var({})\" stroke-width=\"1.8\" points=\"{}\"/>", line.colour, path.collect::<Vec<_>>().join(" "));
    }
    page.push_str("</svg>");
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}
