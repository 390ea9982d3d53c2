//! The table of functions that is printed at start: what there is, how to reach it, and with `--auth` the keys.

use comfy_table::presets::UTF8_BORDERS_ONLY;
use comfy_table::{ContentArrangement, Table};

use super::front::Front;
use crate::host::manifest::{Function, Trigger, expand};

/// Draws the table.
pub fn draw(front: &Front) -> String {
    let mut table = Table::new();
    table.load_preset(UTF8_BORDERS_ONLY).set_content_arrangement(ContentArrangement::Disabled);
    table.set_header(["function", "trigger", "reach it at"]);
    for function in &front.manifest.functions {
        let note = if front.settings.is_disabled(function) { " (disabled)" } else { "" };
        table.add_row([format!("{}{note}", function.name), function.kind().trim_end_matches("Trigger").to_owned(), reach(front, function)]);
    }
    let mut text = table.to_string();
    let key = front.keys.as_ref().map_or_else(String::new, |keys| format!("?code={}", keys.function.expose()));
    text.push_str(&format!("\ndashboard: {}/{key}", front.url));
    if let Some(keys) = &front.keys {
        let rows = [("function key", &keys.function), ("eventgrid_extension key", &keys.event_grid), ("master key", &keys.master)];
        for (name, key) in rows {
            text.push_str(&format!("\n{name}: {}", key.expose()));
        }
    }
    text
}

fn reach(front: &Front, function: &Function) -> String {
    match &function.trigger {
        Trigger::Http(_, _) => {
            let methods = function.methods();
            let methods = if methods.is_empty() { "any".to_owned() } else { methods.join(",") };
            let key = match (&front.keys, function.auth_level()) {
                (Some(_), Some(level)) => format!(" [{}]", level.as_str()),
                _ => String::new(),
            };
            format!("{methods} {}{key}", front.http_url(function.route().unwrap_or_default()))
        }
        Trigger::EventGrid(_) => format!("POST {}/runtime/webhooks/eventgrid?functionName={}", front.url, function.name),
        Trigger::ServiceBus(t) => format!("queue {}", expand(&t.queue_name, |name| front.settings.lookup(name)).unwrap_or_else(|_| t.queue_name.clone())),
        Trigger::Timer(t) => format!("schedule {} UTC", t.schedule),
    }
}
