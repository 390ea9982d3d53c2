//! The operators' commands: one module each, on embedded stores and on real Redis servers.

use std::sync::Arc;

use clap::Parser as _;
use rtvoice::ops::told::Told;
use rtvoice::ports::clock::Clock;
use rtvoice::ports::embedded::Embedded;
use rtvoice::ports::queue::embedded::EmbeddedQueue;
use rtvoice::ports::state::embedded::EmbeddedState;
use serde_json::Value;

use crate::harness::app::Rtvoice;

mod alerts;
mod calls;
mod config;
mod dlq;
mod doctor;
mod doctor_run;
mod events;
mod health;
mod line;
mod outbox;
mod redis;
mod replay;
mod runbooks;
mod settings;
mod ttl;
mod tts;

/// A command line of one command alone.
#[derive(clap::Parser)]
struct Line<A: clap::Args> {
    #[command(flatten)]
    arguments: A,
}

/// The arguments of a command, as the command line has them.
#[track_caller]
fn args<A: clap::Args>(words: &[&str]) -> A {
    match Line::try_parse_from(std::iter::once("rtvoice").chain(words.iter().copied())) {
        Ok(line) => line.arguments,
        Err(e) => panic!("{e}"),
    }
}

/// What was told, as JSON.
#[track_caller]
fn json(told: &Told) -> Value {
    serde_json::from_str(&told.text).unwrap_or_else(|e| panic!("{e}: {}", told.text))
}

/// An app on these settings, such as those of a Redis server.
pub fn app_on(settings: &[(&'static str, String)]) -> Rtvoice {
    let app = Rtvoice::with(&settings.iter().map(|(name, value)| (*name, value.as_str())).collect::<Vec<_>>());
    // At its end a test looks for leftovers in the embedded file, which must have the tables for that.
    let file = Embedded::open(&app.app.config.embedded_path).unwrap();
    EmbeddedQueue::open(file.clone(), Arc::clone(&app.clock) as Arc<dyn Clock>).unwrap();
    EmbeddedState::open(file, &app.app.config, Arc::clone(&app.clock) as Arc<dyn Clock>).unwrap();
    app
}
