//! A circuit breaker: after repeated failures of a dependency, calls fail at once until a probe succeeds.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

use crate::error::{Error, Kind, Result};
use crate::telemetry::Metrics;
use crate::telemetry::label::{AuthSource, Dependency};
use crate::telemetry::metric::{AUTH_FAILURES, CIRCUIT_OPEN, CIRCUIT_OPENED};

/// Consecutive failures that open the circuit.
const THRESHOLD: u32 = 3;
/// How long it stays open before one call may try again.
const COOL_DOWN: Duration = Duration::from_secs(1);

/// Guards one dependency; shared by all its callers.
#[derive(Debug)]
pub struct Breaker {
    name: &'static str,
    measured: Option<(Arc<Metrics>, Dependency)>,
    inner: Mutex<Inner>,
}

#[derive(Debug, Default)]
struct Inner {
    failures: u32,
    open_until: Option<Instant>,
}

impl Breaker {
    /// A closed circuit for the dependency of this name, as errors show it.
    pub fn new(name: &'static str) -> Self {
        Self { name, measured: None, inner: Mutex::default() }
    }

    /// Shows its state in these metrics.
    #[must_use]
    pub fn measured(self, metrics: Arc<Metrics>, dependency: Dependency) -> Self {
        metrics.set(CIRCUIT_OPEN, dependency, 0.0);
        Self { measured: Some((metrics, dependency)), ..self }
    }

    fn show(&self, open: bool) {
        let Some((metrics, dependency)) = &self.measured else { return };
        metrics.set(CIRCUIT_OPEN, *dependency, f64::from(u8::from(open)));
        if open {
            metrics.count(CIRCUIT_OPENED, *dependency);
        }
    }

    /// Whether a call may go out. Past the cool-down one caller may probe while the others still fail at once.
    pub fn admit(&self) -> Result<()> {
        let mut inner = self.inner.lock().unwrap_or_else(PoisonError::into_inner);
        let now = Instant::now();
        match inner.open_until {
            Some(until) if now < until => {
                Err(Error::new(Kind::Unavailable, format!("{} is out of reach", self.name)).because("circuit open").retry_after(COOL_DOWN))
            }
            Some(_) => {
                inner.open_until = Some(now + COOL_DOWN);
                Ok(())
            }
            None => Ok(()),
        }
    }

    /// Notes how a call ended. Only failures of the dependency itself count: a refused input does not. That it does not accept our
    /// identity counts as failed authentication, too.
    pub fn record<T>(&self, result: &Result<T>) {
        if let (Err(e), Some((metrics, _))) = (result, &self.measured)
            && e.kind == Kind::Denied
        {
            metrics.count(AUTH_FAILURES, AuthSource::Dependency);
        }
        let failed = matches!(result, Err(e) if matches!(e.kind, Kind::Unavailable | Kind::Deadline | Kind::Denied));
        let mut inner = self.inner.lock().unwrap_or_else(PoisonError::into_inner);
        if !failed {
            if inner.open_until.take().is_some() {
                self.show(false);
                tracing::info!(dependency = self.name, "circuit closed");
            }
            inner.failures = 0;
            return;
        }
        inner.failures = inner.failures.saturating_add(1);
        if inner.failures >= THRESHOLD {
            if inner.open_until.is_none() {
                self.show(true);
                tracing::warn!(dependency = self.name, "circuit opened");
            }
            inner.open_until = Some(Instant::now() + COOL_DOWN);
        }
    }

    /// Runs one call through the circuit.
    pub async fn call<T>(&self, work: impl Future<Output = Result<T>>) -> Result<T> {
        self.admit()?;
        let result = work.await;
        self.record(&result);
        result
    }
}
