//! A board whose server says what a test wants it to say, and that can be out of reach; all else is the board beneath.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use rtvoice::error::{Error, Result};
use rtvoice::ports::board::{Board, Grain, ServerLoad, Silence, Slot};
use rtvoice::telemetry::Figures;

/// The board.
pub struct Telling {
    inner: Arc<dyn Board>,
    says: Mutex<Option<Option<ServerLoad>>>,
    away: AtomicBool,
    gone: AtomicBool,
}

impl Telling {
    /// The board beneath, which answers for itself until a test says something else.
    pub fn new(inner: Arc<dyn Board>) -> Self {
        Self { inner, says: Mutex::default(), away: AtomicBool::new(false), gone: AtomicBool::new(false) }
    }

    /// The server says this from now on; none: it does not answer.
    pub fn says(&self, load: Option<ServerLoad>) {
        *self.says.lock().unwrap() = Some(load);
    }

    /// Whether its probes fail.
    pub fn away(&self, away: bool) {
        self.away.store(away, Ordering::SeqCst);
    }

    /// Whether the whole board is out of reach.
    pub fn gone(&self, gone: bool) {
        self.gone.store(gone, Ordering::SeqCst);
    }

    fn reached(&self) -> Result<&dyn Board> {
        if self.gone.load(Ordering::SeqCst) {
            return Err(Error::unavailable("the backend", "switched off by the test"));
        }
        Ok(self.inner.as_ref())
    }
}

#[async_trait]
impl Board for Telling {
    async fn add(&self, slots: &BTreeMap<Slot, Figures>) -> Result<()> {
        self.reached()?.add(slots).await
    }

    async fn read(&self, grain: Grain, numbers: &[i64]) -> Result<Vec<Figures>> {
        self.reached()?.read(grain, numbers).await
    }

    async fn open(&self, rule: &str, text: &str) -> Result<bool> {
        self.reached()?.open(rule, text).await
    }

    async fn close(&self, rule: &str, by: &str) -> Result<bool> {
        self.reached()?.close(rule, by).await
    }

    async fn episodes(&self) -> Result<BTreeMap<String, String>> {
        self.reached()?.episodes().await
    }

    async fn silence(&self, rule: &str, silence: Option<&Silence>) -> Result<()> {
        self.reached()?.silence(rule, silence).await
    }

    async fn silences(&self) -> Result<BTreeMap<String, Silence>> {
        self.reached()?.silences().await
    }

    async fn server(&self) -> Result<Option<ServerLoad>> {
        let says = self.says.lock().unwrap().clone();
        match says {
            None => self.reached()?.server().await,
            Some(Some(load)) => Ok(Some(load)),
            Some(None) => Err(Error::unavailable("the backend", "switched off by the test")),
        }
    }

    async fn probe(&self) -> Result<()> {
        if self.away.load(Ordering::SeqCst) {
            return Err(Error::unavailable("the backend", "switched off by the test"));
        }
        self.reached()?.probe().await
    }
}
