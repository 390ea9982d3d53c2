//! The access keys of the local host, made anew at each start. Asked for only with `--auth`, as with `func start
//! --enableAuth`. The header `x-functions-key` wins over the query's `code`; keys are compared in constant time.

use axum::http::{HeaderMap, Uri};
use percent_encoding::percent_decode_str;
use subtle::ConstantTimeEq as _;

use crate::config::Secret;
use crate::host::manifest::AuthLevel;
use crate::ports::clock::Clock;

/// The keys of one local host.
#[derive(Debug, Clone)]
pub struct Keys {
    /// Opens everything, `/admin` included.
    pub master: Secret,
    /// Opens every function of level `function`.
    pub function: Secret,
    /// Opens `/runtime/webhooks/eventgrid`: the system key `eventgrid_extension`.
    pub event_grid: Secret,
}

/// What a request must be allowed to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Door {
    /// Call a function of this level.
    Function(AuthLevel),
    /// Hand over events.
    EventGrid,
    /// Use `/admin`.
    Admin,
}

impl Keys {
    /// Makes fresh keys of 64 hexadecimal characters (244 random bits).
    pub fn generate(clock: &dyn Clock) -> Self {
        let key = || Secret::new(clock.new_id() + &clock.new_id());
        Self { master: key(), function: key(), event_grid: key() }
    }

    /// Whether the request's key opens the door.
    pub fn opens(&self, door: Door, headers: &HeaderMap, uri: &Uri) -> bool {
        let fitting: &[&Secret] = match door {
            Door::Function(AuthLevel::Anonymous) => return true,
            Door::Function(AuthLevel::Function) => &[&self.function, &self.master],
            Door::EventGrid => &[&self.event_grid, &self.master],
            Door::Function(AuthLevel::Admin) | Door::Admin => &[&self.master],
        };
        let Some(given) = presented(headers, uri) else { return false };
        fitting.iter().any(|key| bool::from(key.expose().as_bytes().ct_eq(given.as_bytes())))
    }
}

fn presented(headers: &HeaderMap, uri: &Uri) -> Option<String> {
    match headers.get("x-functions-key") {
        Some(key) => key.to_str().ok().map(str::to_owned),
        None => query_value(uri, "code"),
    }
}

/// The first value of a query parameter, decoded.
pub fn query_value(uri: &Uri, name: &str) -> Option<String> {
    let pairs = uri.query()?.split('&').filter_map(|pair| pair.split_once('='));
    let value = pairs.filter(|(key, _)| key.eq_ignore_ascii_case(name)).map(|(_, value)| value).next()?;
    percent_decode_str(&value.replace('+', " ")).decode_utf8().ok().map(std::borrow::Cow::into_owned)
}
