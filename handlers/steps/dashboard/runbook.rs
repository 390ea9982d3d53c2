//! The runbooks of the alerts, out of `docs/OPERATIONS.md`, on the page itself: at three in the morning no other place need be
//! found. Of Markdown paragraphs, lists, code and sub-headings are known; anything else is shown as it stands.

use std::sync::LazyLock;

use super::html::Html;
use crate::steps::alerts::RULES;

/// The page.
const PAGE: &str = include_str!("../../../docs/OPERATIONS.md");

/// All runbooks that rules name, each an article that shows when a link leads to it.
pub static ALL: LazyLock<String> = LazyLock::new(|| {
    let mut anchors: Vec<&str> = RULES.iter().map(|rule| rule.runbook.as_str()).collect();
    anchors.sort_unstable();
    anchors.dedup();
    let mut html = Html::default();
    for anchor in anchors {
        if let Some((title, lines)) = section(anchor) {
            html.raw("<article class=\"card runbook\" id=\"runbook-").text(anchor).raw("\" tabindex=\"-1\"><h2>Runbook: ").text(title).raw("</h2>");
            body(&mut html, &lines);
            html.raw("<p><a href=\"#alerts\">Back to the alerts</a></p></article>");
        }
    }
    html.finish()
});

/// The anchor of a heading, as on the forges: small letters, digits and hyphens.
fn anchor(title: &str) -> String {
    let kept = title.trim().chars().filter(|c| c.is_alphanumeric() || matches!(c, ' ' | '-' | '_'));
    kept.map(|c| if c == ' ' { '-' } else { c.to_ascii_lowercase() }).collect()
}

/// The depth and the words of a heading.
fn heading(line: &str) -> Option<(usize, &str)> {
    let depth = line.bytes().take_while(|b| *b == b'#').count();
    let title = line[depth..].strip_prefix(' ')?;
    (1..=6).contains(&depth).then(|| (depth, title.trim()))
}

/// The lines below the heading of this anchor, up to the next one that is not below it.
fn section(wanted: &str) -> Option<(&'static str, Vec<&'static str>)> {
    let mut found: Option<(usize, &str, Vec<&str>)> = None;
    let mut in_code = false;
    for line in PAGE.lines() {
        in_code ^= line.trim_start().starts_with("```");
        match (heading(line).filter(|_| !in_code), &mut found) {
            (Some((depth, _)), Some((own, _, _))) if depth <= *own => break,
            (Some((depth, title)), None) if anchor(title) == wanted => found = Some((depth, title, Vec::new())),
            (_, Some((_, _, lines))) => lines.push(line),
            _ => {}
        }
    }
    found.map(|(_, title, lines)| (title, lines))
}

/// What is open while lines are read.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Block {
    None,
    Paragraph,
    List,
    Code,
}

impl Block {
    const fn end(self) -> &'static str {
        match self {
            Self::None => "",
            Self::Paragraph => "</p>",
            Self::List => "</li></ul>",
            Self::Code => "</code></pre>",
        }
    }
}

fn body(html: &mut Html, lines: &[&'static str]) {
    let mut block = Block::None;
    for line in lines {
        let text = line.trim();
        if text.starts_with("```") {
            html.raw(block.end());
            block = if block == Block::Code { Block::None } else { Block::Code };
            if block == Block::Code {
                html.raw("<pre tabindex=\"0\"><code>");
            }
        } else if block == Block::Code {
            html.text(line).raw("\n");
        } else if text.is_empty() {
            html.raw(block.end());
            block = Block::None;
        } else if let Some((_, title)) = heading(text) {
            html.raw(block.end()).raw("<h3>").text(title).raw("</h3>");
            block = Block::None;
        } else if let Some(item) = item(text) {
            html.raw(match block {
                Block::List => "</li><li>",
                Block::Paragraph => "</p><ul><li>",
                _ => "<ul><li>",
            });
            block = Block::List;
            inline(html, item);
        } else {
            if block == Block::None {
                html.raw("<p>");
                block = Block::Paragraph;
            }
            inline(html, text);
            html.raw("\n");
        }
    }
    html.raw(block.end());
}

/// What follows the mark of a list's item.
fn item(line: &str) -> Option<&str> {
    let numbered = || line.split_once(". ").filter(|(number, _)| !number.is_empty() && number.bytes().all(|b| b.is_ascii_digit())).map(|(_, rest)| rest);
    line.strip_prefix("- ").or_else(|| line.strip_prefix("* ")).or_else(numbered)
}

/// Code and emphasis within a line.
fn inline(html: &mut Html, text: &str) {
    for (place, part) in text.split('`').enumerate() {
        if place % 2 == 1 {
            html.raw("<code>").text(part).raw("</code>");
            continue;
        }
        for (place, part) in part.split("**").enumerate() {
            if place % 2 == 1 {
                html.raw("<b>").text(part).raw("</b>");
            } else {
                html.text(part);
            }
        }
    }
}
