//! The security posture: what an attacker or an auditor would look at first. Outside prod and staging it informs only.

use std::time::Duration;

use serde_json::json;
use tokio::time::Instant;

use super::{Check, Status};
use crate::app::App;
use crate::config::RedisAuth;
use crate::ports::tls;
use crate::telemetry::label::Only;
use crate::telemetry::metric::{AUDIT_BREAKS, OLDEST_KEY};

/// How long a look at TLS is good.
const TLS: Duration = Duration::from_secs(600);
/// Days after which a user's key should have been replaced.
const KEY_DAYS: f64 = 365.0;

type Negotiated = std::result::Result<&'static str, String>;

/// The version of TLS that is spoken with Redis; none where none is.
pub(super) async fn negotiated(app: &App, seen: &mut Option<(Instant, Negotiated)>) -> Option<Negotiated> {
    let redis = app.config.redis.as_ref().filter(|redis| redis.ssl)?;
    if let Some((at, found)) = seen
        && found.is_ok()
        && at.elapsed() < TLS
    {
        return Some(found.clone());
    }
    let found = tls::negotiated(&redis.host, redis.port, app.config.ca_file.as_deref()).await.map_err(|e| {
        tracing::warn!(error = e.chain(), "the version of TLS could not be seen");
        e.detail
    });
    *seen = Some((Instant::now(), found.clone()));
    Some(found)
}

/// Settings that hold a key where an identity would do.
fn local_auth(app: &App) -> Vec<&'static str> {
    let config = &app.config;
    let of = |has: bool, name: &'static str| has.then_some(name);
    [
        of(config.redis.as_ref().is_some_and(|redis| matches!(redis.auth, RedisAuth::Key { .. })), "REDIS_ACCESS_KEY"),
        of(config.cosmos.as_ref().is_some_and(|cosmos| cosmos.key.is_some()), "COSMOS_KEY"),
        of(config.service_bus.as_ref().is_some_and(|bus| bus.key.is_some()), "SERVICE_BUS_KEY"),
        of(config.speech.as_ref().is_some_and(|speech| speech.key.is_some()), "SPEECH_KEY"),
        of(config.openai.as_ref().is_some_and(|openai| openai.service.key.is_some()), "OPENAI_KEY"),
    ]
    .into_iter()
    .flatten()
    .collect()
}

/// Backends that lie on this machine.
fn embedded(app: &App) -> Vec<&'static str> {
    let config = &app.config;
    let all = [(config.redis.is_none(), "state"), (config.cosmos.is_none(), "documents"), (config.service_bus.is_none(), "queue")];
    all.into_iter().filter_map(|(is, name)| is.then_some(name)).collect()
}

/// All of it in one check.
pub(super) fn posture(app: &App, tls: Option<Negotiated>) -> Check {
    let (keys, embedded) = (local_auth(app), embedded(app));
    let oldest = app.metrics.value(OLDEST_KEY, Only).map(|seconds| (seconds / 86_400.0).floor());
    let breaks = app.metrics.total(AUDIT_BREAKS, Only);
    let tls_is_old = matches!(&tls, Some(Ok(version)) if *version != "1.3");
    let reason = tls.as_ref().and_then(|found| found.as_ref().err().cloned());
    let status = if breaks > 0 || tls_is_old {
        Status::Unhealthy
    } else {
        let well = keys.is_empty() && embedded.is_empty() && oldest.is_none_or(|days| days <= KEY_DAYS) && app.config.privacy;
        Status::of(well, Status::Degraded)
    };
    let value = json!({
        "redisTls": tls.and_then(Result::ok), "keysInSettings": keys, "embedded": embedded, "oldestUserKeyDays": oldest, "auditBreaks": breaks,
        "privacy": app.config.privacy,
    });
    let limit = json!({ "redisTls": "1.3", "keysInSettings": [], "embedded": [], "oldestUserKeyDays": KEY_DAYS, "auditBreaks": 0, "privacy": true });
    let weight = if app.config.environment.is_guarded() { Status::Degraded } else { Status::Healthy };
    Check::new("security_posture", status, value, limit, "Switch local authentication off, rotate what is old, and look into a broken audit log at once.")
        .because(reason)
        .weighing(weight)
}
