//! The checks one by one, but the security posture: what each measures, and what it is held to.

use std::time::Duration;

use serde_json::{Value, json};

use super::{Check, Found, LOOK, Status};
use crate::app::App;
use crate::ports::board::ServerLoad;
use crate::steps::watch;
use crate::telemetry::label::{Dependency, RedisOp};
use crate::telemetry::metric::{CIRCUIT_OPEN, REDIS_OPS};

/// Share of the memory from which on there is little left, and from which on it is an emergency.
const MEMORY: (f64, f64) = (0.70, 0.85);
/// Keys without a TTL from which on it is no slip any more.
const UNEXPIRING: u64 = 100;
/// What operations on Redis are held to, in microseconds: 95 and 99 of a hundred.
const BASELINE: (f64, f64) = (2_000.0, 5_000.0);
/// Samples without which nothing is said about it.
const SAMPLES: u64 = 200;
/// Seconds over which they are taken.
const WINDOW: i64 = 600;

/// What the state store's backend is called.
fn state_backend(app: &App) -> &'static str {
    if app.config.redis.is_some() { "redis" } else { "embedded" }
}

/// Whether the state store answers, in what time, and whether it may be used.
pub(super) fn connectivity(app: &App, state: &Found, took: Duration, fatal: bool) -> Check {
    let millis = (took.as_secs_f64() * 1e5).round() / 100.0;
    let status = Status::of(state.is_ok(), Status::Unhealthy);
    let value = if state.is_ok() { json!({ "roundTripMs": millis }) } else { json!(null) };
    let weight = if fatal { Status::Unhealthy } else { Status::Degraded };
    Check::new(
        "redis_connectivity",
        status,
        value,
        json!({ "roundTripMs": 500, "awayMs": 5000 }),
        "Runbook redis-unavailable: is the server up, the name right, the identity allowed?",
    )
    .on(state_backend(app))
    .because(state.clone().err())
    .weighing(weight)
}

/// What the state store's server says of itself; none where there is no server, else the safe words for why it is not known.
pub(super) type Measured = std::result::Result<Option<ServerLoad>, String>;

/// Asks it now: what it said before is no answer.
pub(super) async fn measured(app: &App) -> Measured {
    watch::measure(app).await.map_err(|e| {
        tracing::debug!(error = e.chain(), "the state store's own account cannot be read");
        format!("not measured: {}", e.detail)
    })
}

/// A check of what the server says: nothing to be said without a server, degraded where it is not known.
fn of_server(app: &App, name: &'static str, load: &Measured, limit: Value, hint: &'static str, found: impl Fn(&ServerLoad) -> (Status, Value)) -> Check {
    let (status, value) = match load {
        Ok(Some(load)) => found(load),
        Ok(None) => (Status::Healthy, json!(null)),
        Err(_) => (Status::Degraded, json!(null)),
    };
    Check::new(name, status, value, limit, hint).on(state_backend(app)).because(load.clone().err())
}

/// How much of its memory the state store uses.
pub(super) fn memory(app: &App, load: &Measured) -> Check {
    let limit = json!({ "share": MEMORY.1, "warnsAt": MEMORY.0 });
    of_server(app, "memory_usage", load, limit, "Runbook redis-memory-high: scale out before writes are refused.", |load| {
        let status = match load.memory_share() {
            share if share > MEMORY.1 => Status::Unhealthy,
            share if share > MEMORY.0 => Status::Degraded,
            _ => Status::Healthy,
        };
        (status, json!({ "share": load.memory_share(), "usedBytes": load.memory_used, "mostBytes": load.memory_most }))
    })
}

/// Whether every key has a life.
pub(super) fn expiration(app: &App, load: &Measured) -> Check {
    let hint = "Runbook keys-without-ttl: find the writer, then set their TTL.";
    of_server(app, "key_expiration_compliance", load, json!({ "withoutTtl": 0 }), hint, |load| {
        let status = match load.unexpiring() {
            0 => Status::Healthy,
            keys if keys <= UNEXPIRING => Status::Degraded,
            _ => Status::Unhealthy,
        };
        (status, json!({ "withoutTtl": load.unexpiring(), "keys": load.keys }))
    })
}

/// Whether a probe can be sealed and opened with this week's keys, and with nothing else.
pub(super) async fn encryption(app: &App) -> Check {
    let check = |status, value| {
        Check::new(
            "encryption_validation",
            status,
            value,
            json!({ "epoch": "of this week" }),
            "Runbook key-rotation: is Key Vault there, and the record of keys?",
        )
        .weighing(Status::Unhealthy)
    };
    if app.vault.is_off() {
        return check(Status::Degraded, json!({ "privacy": "off" })).weighing(Status::Healthy);
    }
    match tokio::time::timeout(LOOK, app.vault.probe()).await {
        Ok(Ok(probe)) => {
            let value = json!({ "opened": true, "epoch": probe.epoch, "current": probe.is_current });
            check(Status::of(probe.is_current, Status::Degraded), value)
        }
        Ok(Err(e)) => {
            tracing::warn!(error = e.chain(), "a probe could not be sealed and opened");
            check(Status::Unhealthy, json!({ "opened": false })).because(Some(e.detail))
        }
        Err(_) => check(Status::Unhealthy, json!({ "opened": false })).because(Some("did not answer in time".to_owned())),
    }
}

/// How long operations on Redis took in the last ten minutes, on this instance.
pub(super) async fn baseline(app: &App) -> Check {
    let view = app.windows.own(app.clock.now()).await;
    let figures = view.last(WINDOW);
    let mut spread = figures.spread(REDIS_OPS, RedisOp::Pipeline);
    spread.merge(&figures.spread(REDIS_OPS, RedisOp::Script));
    let (p95, p99) = (spread.quantile(0.95), spread.quantile(0.99));
    let enough = spread.count() >= SAMPLES;
    let slow = p95.is_some_and(|p95| p95 > BASELINE.0) || p99.is_some_and(|p99| p99 > BASELINE.1);
    let millis = |micros: Option<f64>| micros.filter(|_| enough).map(|micros| (micros / 10.0).round() / 100.0);
    let value = json!({ "p95Ms": millis(p95), "p99Ms": millis(p99), "samples": spread.count() });
    let limit = json!({ "p95Ms": 2, "p99Ms": 5, "samples": SAMPLES });
    Check::new(
        "performance_baseline",
        Status::of(!(enough && slow), Status::Degraded),
        value,
        limit,
        "Runbook redis-slow: who is slow, the server or the way to it?",
    )
    .on(state_backend(app))
}

fn served(name: &'static str, backend: &'static str, found: &Found, hint: &'static str) -> Check {
    let status = Status::of(found.is_ok(), Status::Unhealthy);
    Check::new(name, status, json!({ "answers": found.is_ok() }), json!({ "answers": true }), hint).on(backend).because(found.clone().err())
}

/// Whether the record answers and has all its containers.
pub(super) fn documents(app: &App, found: &Found) -> Check {
    let backend = if app.config.cosmos.is_some() { "cosmos" } else { "embedded" };
    served("documents", backend, found, "Turns go on, the archive waits. Is Cosmos DB there, with all containers, and the identity allowed?")
}

/// Whether the queue takes messages.
pub(super) fn queue(app: &App, found: &Found) -> Check {
    let backend = if app.config.service_bus.is_some() { "service-bus" } else { "embedded" };
    served("queue", backend, found, "Turns go on, the outbox keeps them. Is Service Bus there, the queue made, and the identity allowed to send?")
}

/// A service by its circuit: a look of its own would cost money.
fn circuit(app: &App, name: &'static str, backend: &'static str, dependency: Dependency, hint: &'static str) -> Check {
    let open = app.metrics.value(CIRCUIT_OPEN, dependency).is_some_and(|open| open > 0.0);
    let value = json!({ "circuit": if open { "open" } else { "closed" } });
    Check::new(name, Status::of(!open, Status::Degraded), value, json!({ "circuit": "closed" }), hint).on(backend)
}

/// Whether the voice serves.
pub(super) fn speech(app: &App) -> Check {
    circuit(
        app,
        "speech",
        app.speech.name(),
        Dependency::Speech,
        "Turns are text only where the phrase is not cached. Is Azure Speech there, and its key or identity right?",
    )
}

/// Whether the agent serves.
pub(super) fn replies(app: &App) -> Check {
    circuit(app, "replies", app.replies.name(), Dependency::Replies, "Callers hear the fallback line. Is Azure OpenAI there, its deployment, and quota left?")
}

/// How full it is. While callers wait for longer than a moment others had better go elsewhere; background work does not count for
/// that, since no load balancer sends it.
pub(super) fn admission(app: &App) -> Check {
    let (callers, background) = (app.admission.interactive.is_pressed(), app.admission.background.is_pressed());
    let status = match (callers, background) {
        (true, _) => Status::Unhealthy,
        (false, true) => Status::Degraded,
        (false, false) => Status::Healthy,
    };
    let limit = json!({ "waiting": "half of maxWaiting for 1 s, or three quarters; none refused for want of a place" });
    Check::new("admission", status, app.admission.detail(), limit, "Runbook in-flight: more instances, or larger limits where there is room.")
        .weighing(Status::Unhealthy)
}
