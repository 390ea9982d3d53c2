//! Reads a queue's description: an Atom entry with a `QueueDescription` inside, after "Get Queue" and "QueueDescription" of the
//! Service Bus REST reference. Elements are told by their local names; times are ISO 8601 durations. `Internal` where it is none.

use std::collections::HashMap;
use std::time::Duration;

use quick_xml::Reader;
use quick_xml::events::Event;

use super::super::Description;
use crate::error::{Error, Result};

/// What the service writes for a life without end: about 29,000 years.
const FOR_EVER: Duration = Duration::from_secs(1000 * 365 * 86_400);

/// The description in an answer.
pub(super) fn parse(xml: &str) -> Result<Description> {
    let texts = texts(xml)?;
    let missing = |name: &str| Error::internal(format!("the description of the queue has no {name}"));
    let text = |name: &str| texts.get(name).map(String::as_str).ok_or_else(|| missing(name));
    let flag = |name: &str| Ok::<_, Error>(text(name)? == "true");
    let time = |name: &str| duration(text(name)?).ok_or_else(|| missing(name));
    let count = |name: &str| texts.get(name).and_then(|n| n.parse().ok()).unwrap_or(0);
    Ok(Description {
        sessions: flag("RequiresSession")?,
        duplicate_window: if flag("RequiresDuplicateDetection")? { Some(time("DuplicateDetectionHistoryTimeWindow")?) } else { None },
        lock: time("LockDuration")?,
        max_deliveries: text("MaxDeliveryCount")?.parse().map_err(|_| missing("MaxDeliveryCount"))?,
        life: texts.get("DefaultMessageTimeToLive").and_then(|text| duration(text)).filter(|life| *life < FOR_EVER),
        active: count("ActiveMessageCount"),
        scheduled: count("ScheduledMessageCount"),
        dead: count("DeadLetterMessageCount"),
    })
}

/// The text of each element that holds nothing else, by local name; the first of each.
fn texts(xml: &str) -> Result<HashMap<String, String>> {
    let mut reader = Reader::from_str(xml);
    let mut found = HashMap::new();
    let mut inside: Option<String> = None;
    loop {
        match reader.read_event().map_err(Error::internal)? {
            Event::Start(tag) => inside = Some(String::from_utf8_lossy(tag.local_name().as_ref()).into_owned()),
            Event::Text(text) => {
                if let Some(name) = &inside {
                    let text = text.decode().map_err(Error::internal)?.trim().to_owned();
                    found.entry(name.clone()).or_insert(text);
                }
            }
            Event::End(_) => inside = None,
            Event::Eof => return Ok(found),
            _ => {}
        }
    }
}

/// `P1DT2H3M4.5S`; months and years, which have no length, are refused.
fn duration(text: &str) -> Option<Duration> {
    let (days, rest) = text.strip_prefix('P').map(|rest| rest.split_once('T').unwrap_or((rest, "")))?;
    let mut seconds = 0.0;
    for (part, units) in [(days, [('D', 86_400.0), ('\0', 0.0), ('\0', 0.0)]), (rest, [('H', 3600.0), ('M', 60.0), ('S', 1.0)])] {
        let mut number = String::new();
        for c in part.chars() {
            if c.is_ascii_digit() || c == '.' {
                number.push(c);
                continue;
            }
            let (_, unit) = units.iter().find(|(name, _)| *name == c)?;
            seconds += number.parse::<f64>().ok()? * unit;
            number.clear();
        }
        if !number.is_empty() {
            return None;
        }
    }
    Duration::try_from_secs_f64(seconds).ok()
}
