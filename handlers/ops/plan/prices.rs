//! The price file, and what a plan costs by it. A price that nobody has looked up is `null`: it is left out of the sum, and
//! the plan says so.

use serde::{Deserialize, Serialize};

use super::needs::Needs;
use crate::error::{Error, Kind, Result};

/// Hours of a month.
const HOURS: f64 = 730.0;
/// Days of a month with the busy hours.
const DAYS: f64 = 30.0;
/// Bytes of a gigabyte, as it is billed.
const GIGABYTE: f64 = 1e9;

/// One price.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Price {
    /// What it is for.
    pub name: String,
    /// Of how much of it.
    pub unit: String,
    /// The price; null where it has not been looked up.
    pub price: Option<f64>,
    /// Day of the source.
    pub date: Option<String>,
    /// Where it stands, or where to look it up.
    pub source: String,
}

/// The price file.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct PriceFile {
    /// What the reader must know.
    pub note: String,
    /// Currency of all prices.
    pub currency: String,
    /// The prices.
    pub prices: Vec<Price>,
}

/// One line of the bill.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Line {
    /// What it is for.
    pub name: String,
    /// How much a month, in the price's unit.
    pub quantity: f64,
    /// The price with its unit, date and source.
    pub price: Price,
    /// Quantity by price; none without a price.
    pub amount: Option<f64>,
}

/// What a month costs.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Cost {
    /// Currency.
    pub currency: String,
    /// The lines.
    pub lines: Vec<Line>,
    /// Sum of what has a price.
    pub sum: f64,
    /// Names of what has none.
    pub without_price: Vec<String>,
    /// What the price file says of itself.
    pub note: String,
}

/// The bill. Errors: `Setting` where the file has no line for something that is needed.
pub fn cost(needs: &Needs, file: &PriceFile) -> Result<Cost> {
    let busy_seconds = needs.busy_hours * 3600.0 * DAYS;
    let instances = needs.functions.http_instances + needs.functions.queue_instances;
    let quantities = [
        ("functionsGbSecond", instances * needs.functions.instance_megabytes / 1024.0 * busy_seconds),
        ("functionsMillionExecutions", needs.executions * busy_seconds / 1e6),
        ("redisShardHour", needs.redis.shards * HOURS),
        ("serviceBusUnitHour", needs.queue.units * HOURS),
        // Provisioned for the busiest time around the clock: autoscale is dearer by the unit and cheaper by night.
        ("cosmos100RuHour", (needs.cosmos.request_units / 100.0).ceil() * HOURS),
        ("cosmosGbMonth", needs.cosmos.bytes / GIGABYTE),
    ];
    let mut lines = Vec::new();
    for (name, quantity) in quantities {
        let missing = || Error::new(Kind::Setting, format!("the price file must have a line {name}, its price null where it is not known"));
        let price = file.prices.iter().find(|price| price.name == name).cloned().ok_or_else(missing)?;
        let amount = price.price.map(|price| price * quantity);
        lines.push(Line { name: name.to_owned(), quantity, price, amount });
    }
    Ok(Cost {
        currency: file.currency.clone(),
        sum: lines.iter().filter_map(|line| line.amount).sum(),
        without_price: lines.iter().filter(|line| line.amount.is_none()).map(|line| line.name.clone()).collect(),
        lines,
        note: file.note.clone(),
    })
}
