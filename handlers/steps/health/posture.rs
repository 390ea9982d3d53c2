//! The security posture: what an attacker or an auditor would look at first. Outside prod and staging it informs only.
//!
//! The versions of TLS are those of a handshake beside the connections, by the same library and with what our clients offer: the clients
//! themselves (HTTP, the vendor's SDK) tell nobody what they negotiated.

use std::collections::BTreeMap;
use std::time::Duration;

use serde_json::json;
use tokio::time::Instant;

use super::{Check, Status};
use crate::app::App;
use crate::config::{Config, RedisAuth, RootKey};
use crate::error::Error;
use crate::ports::probe::{self, Place, Reached};
use crate::ports::tls;
use crate::steps::watch;
use crate::telemetry::label::{KeyKind, Only};
use crate::telemetry::metric::{AUDIT_BREAKS, Gauge, KEYS, OLDEST_KEY, ROOT_KEY_AGE};

/// How long a look at TLS is good.
const TLS: Duration = Duration::from_secs(600);
/// The same where some of it could not be seen.
const TLS_AGAIN: Duration = Duration::from_secs(60);
/// Longest for one look at TLS; a health answer waits for it.
const HANDSHAKE: Duration = Duration::from_secs(2);
/// Where no handshake was to be had.
const UNKNOWN: &str = "unknown";
/// Days after which a user's key should have been replaced.
const KEY_DAYS: f64 = 365.0;
/// Days after which the root key should have been rotated: once a year, and a month to do it.
const ROOT_DAYS: f64 = 395.0;

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
    let look = tls::negotiated(&redis.host, redis.port, app.config.ca_file.as_deref());
    let found = tokio::time::timeout(HANDSHAKE, look).await.unwrap_or_else(|_| Err(Error::deadline("the TLS handshake", HANDSHAKE))).map_err(|e| {
        tracing::warn!(error = e.chain(), "the version of TLS could not be seen");
        e.detail
    });
    *seen = Some((Instant::now(), found.clone()));
    Some(found)
}

/// What is spoken with each dependency over HTTP, by its name.
pub(super) type Spoken = BTreeMap<&'static str, &'static str>;

/// Dependencies over HTTP, and where they are.
fn places(config: &Config) -> Vec<(&'static str, Place)> {
    let vault = match &config.root_key {
        RootKey::Vault { url, .. } => Some(url.as_str()),
        RootKey::File(_) => None,
    };
    let all = [
        ("documents", config.cosmos.as_ref().map(|cosmos| cosmos.endpoint.as_str())),
        ("queue", config.service_bus.as_ref().map(|bus| bus.base_url.as_str())),
        ("speech", config.speech.as_ref().map(|speech| speech.endpoint.as_str())),
        ("replies", config.openai.as_ref().map(|openai| openai.service.endpoint.as_str())),
        ("rootKey", vault),
    ];
    all.into_iter().filter_map(|(name, url)| Some((name, Place::of_url(url?)?))).collect()
}

/// The version of TLS that is spoken with each of them, `none` where it is clear text (which the settings allow on loopback alone),
/// `unknown` where no handshake was to be had.
pub(super) async fn spoken(app: &App, seen: &mut Option<(Instant, Spoken)>) -> Spoken {
    if let Some((at, found)) = seen {
        let good = if found.values().any(|version| *version == UNKNOWN) { TLS_AGAIN } else { TLS };
        if at.elapsed() < good {
            return found.clone();
        }
    }
    let ca_file = app.config.ca_file.as_deref();
    let looks = places(&app.config).into_iter().map(|(name, place)| async move {
        if place.tls.is_none() {
            return (name, "none");
        }
        let reached = tokio::time::timeout(HANDSHAKE, probe::reach(&place, ca_file)).await;
        let version = match reached {
            Ok(Ok(Ok(Reached { tls: Some(tls), .. }))) => tls.version.strip_prefix("TLSv").unwrap_or(tls.version),
            _ => UNKNOWN,
        };
        (name, version)
    });
    let found: Spoken = futures::future::join_all(looks).await.into_iter().collect();
    *seen = Some((Instant::now(), found.clone()));
    found
}

/// Dependencies that ask who we are, the setting that would hold a key for each, and whether it does; ours is the identity where it does not.
fn credentials(config: &Config) -> impl Iterator<Item = (&'static str, &'static str, bool)> {
    let redis = config.redis.as_ref().and_then(|redis| match redis.auth {
        RedisAuth::Key { .. } => Some(true),
        RedisAuth::Entra { .. } => Some(false),
        RedisAuth::None => None,
    });
    let vault = matches!(config.root_key, RootKey::Vault { .. });
    let all = [
        ("state", "REDIS_ACCESS_KEY", redis),
        ("documents", "COSMOS_KEY", config.cosmos.as_ref().map(|cosmos| cosmos.key.is_some())),
        ("queue", "SERVICE_BUS_KEY", config.service_bus.as_ref().map(|bus| bus.key.is_some())),
        ("speech", "SPEECH_KEY", config.speech.as_ref().map(|speech| speech.key.is_some())),
        ("replies", "OPENAI_KEY", config.openai.as_ref().map(|openai| openai.service.key.is_some())),
        // A vault knows us by our identity alone.
        ("rootKey", "", vault.then_some(false)),
    ];
    all.into_iter().filter_map(|(name, setting, key)| Some((name, setting, key?)))
}

/// Backends that lie on this machine.
fn embedded(app: &App) -> Vec<&'static str> {
    let config = &app.config;
    let all = [(config.redis.is_none(), "state"), (config.cosmos.is_none(), "documents"), (config.service_bus.is_none(), "queue")];
    all.into_iter().filter_map(|(is, name)| is.then_some(name)).collect()
}

/// All of it in one check.
pub(super) fn posture(app: &App, tls: Option<Negotiated>, spoken: Spoken) -> Check {
    let by = |key: bool| credentials(&app.config).filter(move |(.., has)| *has == key);
    let keys: Vec<_> = by(true).map(|(_, setting, _)| setting).collect();
    let (identity, embedded): (Vec<_>, _) = (by(false).map(|(name, ..)| name).collect(), embedded(app));
    // Whoever counted the keys last: a timer runs on one instance.
    let figures = watch::figures(app);
    let days = |gauge: Gauge<Only>| figures.gauge(gauge, Only).map(|seconds| (seconds / 86_400.0).floor());
    let (oldest, root) = (days(OLDEST_KEY), days(ROOT_KEY_AGE));
    let under_older_root = figures.gauge(KEYS, KeyKind::UnderOlderRoot);
    let breaks = app.metrics.total(AUDIT_BREAKS, Only);
    let tls_is_old = matches!(&tls, Some(Ok(version)) if *version != "1.3");
    let mut reasons: Vec<String> = tls.as_ref().and_then(|found| found.as_ref().err().cloned()).into_iter().collect();
    if !keys.is_empty() && !identity.is_empty() {
        reasons.push(format!("our identity is used for {}, and keys are still set: {}", identity.join(", "), keys.join(", ")));
    }
    let status = if breaks > 0 || tls_is_old {
        Status::Unhealthy
    } else {
        let seen = tls.as_ref().is_none_or(Result::is_ok) && spoken.values().all(|version| *version != UNKNOWN);
        let young = [(oldest, KEY_DAYS), (root, ROOT_DAYS)].iter().all(|(days, most)| days.is_none_or(|days| days <= *most));
        let well = seen && keys.is_empty() && embedded.is_empty() && young && under_older_root.is_none_or(|keys| keys == 0.0) && app.config.privacy;
        Status::of(well, Status::Degraded)
    };
    let value = json!({
        "redisTls": tls.and_then(Result::ok), "tls": spoken, "keysInSettings": keys, "byIdentity": identity, "embedded": embedded,
        "oldestUserKeyDays": oldest, "rootKeyDays": root, "keysUnderOlderRoot": under_older_root, "auditBreaks": breaks, "privacy": app.config.privacy,
    });
    let limit = json!({
        "redisTls": "1.3", "tls": "1.2 or 1.3, none on loopback alone", "keysInSettings": [], "embedded": [], "oldestUserKeyDays": KEY_DAYS,
        "rootKeyDays": ROOT_DAYS, "keysUnderOlderRoot": 0, "auditBreaks": 0, "privacy": true,
    });
    let weight = if app.config.environment.is_guarded() { Status::Degraded } else { Status::Healthy };
    Check::new("security_posture", status, value, limit, "Switch local authentication off, rotate what is old, and look into a broken audit log at once.")
        .because((!reasons.is_empty()).then(|| reasons.join("; ")))
        .weighing(weight)
}
