//! A board inside the process: for the embedded state store, and for what an instance knows by itself while Redis is away.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;

use super::{Board, Grain, ServerLoad, Silence, Slot};
use crate::error::Result;
use crate::telemetry::Figures;

/// Slots of each grain that are kept.
const KEPT: i64 = 128;

/// The board.
#[derive(Debug, Default)]
pub struct LocalBoard {
    inner: Mutex<Inner>,
}

#[derive(Debug, Default)]
struct Inner {
    slots: BTreeMap<Slot, Figures>,
    episodes: BTreeMap<String, String>,
    silences: BTreeMap<String, Silence>,
}

impl LocalBoard {
    fn inner(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[async_trait]
impl Board for LocalBoard {
    async fn add(&self, slots: &BTreeMap<Slot, Figures>) -> Result<()> {
        let mut inner = self.inner();
        for (slot, figures) in slots {
            inner.slots.entry(*slot).or_default().merge(figures);
        }
        for grain in Grain::ALL {
            let newest = inner.slots.range((grain, i64::MIN)..=(grain, i64::MAX)).next_back().map_or(0, |((_, number), _)| *number);
            inner.slots.retain(|(of, number), _| *of != grain || *number > newest - KEPT);
        }
        Ok(())
    }

    async fn read(&self, grain: Grain, numbers: &[i64]) -> Result<Vec<Figures>> {
        let inner = self.inner();
        Ok(numbers.iter().map(|number| inner.slots.get(&(grain, *number)).cloned().unwrap_or_default()).collect())
    }

    async fn open(&self, rule: &str, text: &str) -> Result<bool> {
        let mut inner = self.inner();
        if inner.episodes.contains_key(rule) {
            return Ok(false);
        }
        inner.episodes.insert(rule.to_owned(), text.to_owned());
        Ok(true)
    }

    async fn close(&self, rule: &str, _by: &str) -> Result<bool> {
        Ok(self.inner().episodes.remove(rule).is_some())
    }

    async fn episodes(&self) -> Result<BTreeMap<String, String>> {
        Ok(self.inner().episodes.clone())
    }

    async fn silence(&self, rule: &str, silence: Option<&Silence>) -> Result<()> {
        let mut inner = self.inner();
        match silence {
            Some(silence) => inner.silences.insert(rule.to_owned(), silence.clone()),
            None => inner.silences.remove(rule),
        };
        Ok(())
    }

    async fn silences(&self) -> Result<BTreeMap<String, Silence>> {
        Ok(self.inner().silences.clone())
    }

    async fn server(&self) -> Result<Option<ServerLoad>> {
        Ok(None)
    }

    async fn probe(&self) -> Result<()> {
        Ok(())
    }
}
