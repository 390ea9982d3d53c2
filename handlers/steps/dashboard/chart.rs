//! Charts as inline SVG: lines over time, what they are held to, and in words what they show.

use super::html::Html;
use super::trends::{Chart, Limit, Line};
use super::words::{NONE, maybe, number, span};

/// Where lines are drawn: left, right, top, bottom, in the drawing's own units, 360 by 128; the page scales it.
const PLOT: (f64, f64, f64, f64) = (30.0, 356.0, 8.0, 108.0);
/// Limits count in the scale up to this multiple: beyond it what is drawn is cut off, so that they can still be told apart.
const BEYOND: f64 = 4.0;

/// The class of a line: percentiles look the same in every chart, others go by their place.
fn class(line: &Line, place: usize) -> &'static str {
    match (line.name, place) {
        ("p50", _) | (_, 0) if line.name != "p95" && line.name != "p99" => "a",
        ("p99", _) | (_, 2) => "c",
        _ => "b",
    }
}

/// Draws a chart with its heading and legend. `key` tells charts of one name in several windows apart.
pub fn draw(html: &mut Html, chart: &Chart, key: &'static str) {
    let top = scale(chart);
    html.raw("<figure class=\"card chart\" aria-labelledby=\"h-").text(key).raw("-").text(chart.id).raw("\" data-unit=\"").text(chart.unit);
    html.raw("\"><figcaption><h3 id=\"h-").text(key).raw("-").text(chart.id).raw("\">").text(chart.title);
    if !chart.unit.is_empty() {
        html.raw(" <small>").text(chart.unit).raw("</small>");
    }
    html.raw("</h3><ul class=\"legend\">");
    for (place, line) in chart.lines.iter().enumerate() {
        html.raw("<li class=\"").raw(class(line, place)).raw("\"><span>").text(line.name).raw("</span> <b>").text(&maybe(last(line), "")).raw("</b></li>");
    }
    html.raw("</ul></figcaption><svg viewBox=\"0 0 360 128\" role=\"img\" aria-labelledby=\"").text(key).raw("-").text(chart.id).raw("\"><title id=\"");
    html.text(key).raw("-").text(chart.id).raw("\">").text(&told(chart)).raw("</title>");
    axes(html, chart, top);
    for limit in chart.limits {
        held_to(html, limit, top);
    }
    for (place, line) in chart.lines.iter().enumerate() {
        path(html, line, class(line, place), top);
    }
    html.raw("<line class=\"cursor\" y1=\"8\" y2=\"108\" x1=\"-9\" x2=\"-9\"/></svg></figure>");
}

/// The last value that is known, of the newest three: older ones are not now.
fn last(line: &Line) -> Option<f64> {
    line.values.iter().rev().take(3).find_map(|value| *value)
}

/// The chart in words, for who cannot see it.
fn told(chart: &Chart) -> String {
    let mut words = format!("{} over the last {}.", chart.title, span((chart.step * chart.lines.first().map_or(0, |line| line.values.len() as i64)) as f64));
    for line in &chart.lines {
        let known = || line.values.iter().flatten().copied();
        let (least, most) = (known().fold(f64::INFINITY, f64::min), known().fold(f64::NEG_INFINITY, f64::max));
        if most < least {
            words.push_str(&format!(" {}: nothing measured.", line.name));
        } else {
            let now = last(line).map_or_else(|| NONE.to_owned(), |now| maybe(Some(now), chart.unit));
            words.push_str(&format!(" {}: {now} now, {} to {}.", line.name, number(least), maybe(Some(most), chart.unit)));
        }
    }
    for limit in chart.limits {
        words.push_str(&format!(" Limit of {}: {}.", limit.of, maybe(Some(limit.at), chart.unit)));
    }
    words
}

/// The most that any line reaches.
fn most(chart: &Chart) -> f64 {
    chart.lines.iter().flat_map(|line| line.values.iter().flatten().copied()).fold(0.0, f64::max)
}

/// A round number above everything that is drawn; far above the limits it is cut off.
fn scale(chart: &Chart) -> f64 {
    let limit = chart.limits.iter().map(|limit| limit.at).fold(0.0, f64::max);
    let most = if limit > 0.0 { most(chart).clamp(limit * 1.1, limit * BEYOND) } else { most(chart) };
    if chart.unit == "%" && most > 20.0 {
        return 100.0;
    }
    let power = 10f64.powf(most.max(0.001).log10().floor());
    let round = [1.0, 1.5, 2.0, 3.0, 4.0, 5.0, 6.0, 8.0, 10.0].into_iter().map(|step| step * power).find(|round| *round >= most * 0.999);
    round.filter(|_| most > 0.0).unwrap_or(1.0)
}

fn height(value: f64, top: f64) -> f64 {
    PLOT.3 - (PLOT.3 - PLOT.2) * (value / top).clamp(0.0, 1.0)
}

fn axes(html: &mut Html, chart: &Chart, top: f64) {
    for part in [0.0, 0.5, 1.0] {
        let y = height(part * top, top);
        html.raw("<line class=\"grid\" x1=\"30\" x2=\"356\" y1=\"").at(y).raw("\" y2=\"").at(y).raw("\"/><text class=\"y\" x=\"26\" y=\"").at(y + 3.5);
        // Above the last one there is more than is drawn.
        html.raw("\">").raw(if part == 1.0 && most(chart) > top { "≥" } else { "" }).text(&number(part * top)).raw("</text>");
    }
    let seconds = chart.step * chart.lines.first().map_or(0, |line| line.values.len() as i64);
    for (x, part, class) in [(PLOT.0, 1.0, "first"), (f64::midpoint(PLOT.0, PLOT.1), 0.5, "half"), (PLOT.1, 0.0, "end")] {
        html.raw("<text class=\"x ").raw(class).raw("\" x=\"").at(x).raw("\" y=\"123\">");
        let before = (seconds as f64 * part) as i64;
        html.text(&if before == 0 { "now".to_owned() } else { format!("−{}", span(before as f64)) }).raw("</text>");
    }
}

fn held_to(html: &mut Html, limit: &Limit, top: f64) {
    let y = height(limit.at, top);
    html.raw("<line class=\"limit\" x1=\"30\" x2=\"356\" y1=\"").at(y).raw("\" y2=\"").at(y).raw("\"/><text class=\"limit\" x=\"354\" y=\"").at(y - 3.0);
    html.raw("\">").text(&format!("{} limit {}", limit.of, number(limit.at))).raw("</text>");
}

/// One line, broken where nothing was measured; a value between two gaps is a dot.
fn path(html: &mut Html, line: &Line, class: &'static str, top: f64) {
    let step = (PLOT.1 - PLOT.0) / (line.values.len().max(2) - 1) as f64;
    let values: Vec<String> = line.values.iter().map(|value| value.map_or_else(String::new, number)).collect();
    html.raw("<path class=\"").raw(class).raw("\" data-values=\"").text(&values.join(",")).raw("\" d=\"");
    let mut drawing = false;
    for (place, value) in line.values.iter().enumerate() {
        let Some(value) = value else {
            drawing = false;
            continue;
        };
        html.raw(if drawing { "L" } else { "M" }).at(PLOT.0 + step * place as f64).raw(" ").at(height(*value, top));
        if !drawing {
            html.raw("h.01");
        }
        drawing = true;
    }
    html.raw("\"/>");
}

/// A bar from one life to another on a scale of powers, from a second to a month, with the middle one.
pub fn lives(html: &mut Html, (from, middle, to): (f64, f64, f64)) {
    const MONTH: f64 = 2_592_000.0;
    let at = |seconds: f64| (seconds.clamp(1.0, MONTH).ln() / MONTH.ln() * 200.0).min(198.0);
    let (left, right) = (at(from), at(to));
    html.raw("<svg class=\"life\" viewBox=\"0 0 200 12\" preserveAspectRatio=\"xMinYMid\" aria-hidden=\"true\"><line class=\"grid\" x1=\"0\" x2=\"200\" y1=\"6\" y2=\"6\"/><rect x=\"");
    html.at(left)
        .raw("\" y=\"3\" height=\"6\" rx=\"2\" width=\"")
        .at((right - left).max(3.0))
        .raw("\"/><rect class=\"middle\" y=\"1\" height=\"10\" width=\"2\" x=\"");
    html.at(at(middle)).raw("\"/></svg>");
}
