//! Names, ports, TLS and clocks of every service that the settings name.

use futures::future::join_all;

use super::Finding;
use crate::app::App;
use crate::config::{Config, RootKey, Secret};
use crate::model::time::Timestamp;
use crate::ports::http;
use crate::ports::probe::{self, Place, Reached, Unreached, Versions};

/// A clock that is off by more is a fault: signed requests are refused, and calls are ended too early or too late.
const FAULT_MS: i64 = 30_000;
/// A clock that is off by more is worth a word. The `Date` of an answer has whole seconds.
const WARNING_MS: i64 = 3_000;
/// A certificate that ends within this many days is worth a word.
const ENDS_SOON_DAYS: i64 = 21;
/// Milliseconds of a day.
const DAY_MS: i64 = 86_400_000;

/// One service.
struct Service {
    check: &'static str,
    setting: &'static str,
    place: Place,
    /// Where its clock can be asked for; none for Redis, which is asked itself, and where nobody should ask.
    url: Option<String>,
}

/// The services of the settings.
fn services(config: &Config) -> Vec<Service> {
    let mut services = Vec::new();
    if let Some(redis) = &config.redis {
        let place = Place { host: redis.host.clone(), port: redis.port, tls: redis.ssl.then_some(Versions::Newest) };
        services.push(Service { check: "network.redis", setting: "REDIS_HOST", place, url: None });
    }
    let mut by_url = |check, setting, url: Option<&str>| {
        if let Some((place, url)) = url.and_then(|url| Some((Place::of_url(url)?, url))) {
            services.push(Service { check, setting, place, url: Some(url.to_owned()) });
        }
    };
    by_url("network.cosmos", "COSMOS_ENDPOINT", config.cosmos.as_ref().map(|c| c.endpoint.as_str()));
    by_url("network.service-bus", "SERVICE_BUS_NAMESPACE", config.service_bus.as_ref().map(|b| b.base_url.as_str()));
    by_url("network.speech", "SPEECH_ENDPOINT", config.speech.as_ref().map(|s| s.endpoint.as_str()));
    by_url("network.openai", "OPENAI_ENDPOINT", config.openai.as_ref().map(|o| o.service.endpoint.as_str()));
    if let RootKey::Vault { url, .. } = &config.root_key {
        by_url("network.key-vault", "KEY_VAULT_URL", Some(url.as_str()));
    }
    // Their clocks are not asked: a request may count as a notice.
    let mut by_host = |check, setting, url: Option<&str>| {
        services.extend(url.and_then(Place::of_url).map(|place| Service { check, setting, place, url: None }));
    };
    let alerts = &config.alerts;
    by_host("network.alert-webhook", "ALERT_WEBHOOK_URL", alerts.webhook_url.as_ref().map(Secret::expose));
    by_host("network.scale-out-webhook", "SCALE_OUT_WEBHOOK_URL", alerts.scale_out_url.as_ref().map(Secret::expose));
    by_host("network.breach-webhook", "BREACH_WEBHOOK_URL", config.breach_webhook_url.as_deref());
    by_host("network.otlp", "OTEL_EXPORTER_OTLP_ENDPOINT", config.export.otlp_endpoint.as_deref());
    by_host(
        "network.application-insights",
        "APPLICATIONINSIGHTS_CONNECTION_STRING",
        config.export.insights.as_ref().map(|insights| insights.endpoint.as_str()),
    );
    services
}

/// Looks at each.
pub async fn look(app: &App) -> Vec<Finding> {
    let services = services(&app.config);
    if services.is_empty() {
        return vec![Finding::skipped("network", "every backend is embedded or offline")];
    }
    join_all(services.iter().map(|service| one(app, service))).await.into_iter().flatten().collect()
}

async fn one(app: &App, service: &Service) -> Vec<Finding> {
    let ca_file = app.config.ca_file.as_deref();
    let reached = match probe::reach(&service.place, ca_file).await {
        Err(e) => return vec![Finding::fault(service.check, e.detail.clone(), e.chain(), e.detail)],
        Ok(Err(why)) => return vec![unreached(service, &why)],
        Ok(Ok(reached)) => reached,
    };
    let mut found = vec![told(service, &reached, app.clock.now())];
    if let Some(url) = &service.url {
        let client = ca_file.map_or_else(http::client, http::client_trusting);
        match client {
            Ok(client) => {
                // It was reached a moment ago; a service that tells no time has nothing to compare.
                if let Ok(Some(time)) = probe::clock(&client, url).await {
                    found.extend(clock("clock", service.setting, app.clock.now(), time));
                }
            }
            Err(e) => found.push(Finding::fault(service.check, e.detail.clone(), e.chain(), e.detail)),
        }
    }
    found
}

fn told(service: &Service, reached: &Reached, now: Timestamp) -> Finding {
    let Place { host, port, .. } = &service.place;
    let Some(tls) = &reached.tls else { return Finding::ok(service.check, format!("{host}:{port} takes connections ({} ms), in clear", reached.millis)) };
    let found = format!("{host}:{port} takes connections ({} ms) and speaks {}", reached.millis, tls.version);
    match tls.ends.map(|ends| ends.since(now) / DAY_MS) {
        Some(days) if days < ENDS_SOON_DAYS => Finding::warning(
            service.check,
            format!("{found}; its certificate ends in {days} days"),
            "nobody has renewed the certificate yet",
            format!("renew the certificate of {host}"),
        ),
        Some(days) => Finding::ok(service.check, format!("{found}, its certificate is good for {days} days")),
        None => Finding::ok(service.check, found),
    }
}

fn unreached(service: &Service, why: &Unreached) -> Finding {
    let Place { host, port, .. } = &service.place;
    let setting = service.setting;
    let (found, cause, fix) = match why {
        Unreached::Name(reason) => (
            format!("the name {host} cannot be resolved"),
            reason.clone(),
            format!("correct {setting}; where the service has a private endpoint, link its private DNS zone to the network of the app"),
        ),
        Unreached::Refused => (
            format!("{host}:{port} refuses connections"),
            "nothing listens there, or something on the way turns connections away".to_owned(),
            format!("start the service, correct {setting}, or allow outbound TCP to {host}:{port} in the firewall"),
        ),
        Unreached::Silent => (
            format!("{host}:{port} does not answer"),
            "a firewall or network rule drops what is sent there, or the service is away".to_owned(),
            format!("allow outbound TCP to {host}:{port} (network security group, firewall of the service, private endpoint), or correct {setting}"),
        ),
        Unreached::Expired => (
            format!("the certificate of {host} has expired"),
            "its end has passed by the clock of this machine".to_owned(),
            format!("renew the certificate of {host}; where it is good by other clocks, set the clock of this machine right"),
        ),
        Unreached::Untrusted(reason) => (
            format!("the certificate of {host} is not trusted"),
            reason.clone(),
            format!("name the authority that signed it by SSL_CERT_FILE, or correct {setting}: it must be the name in the certificate"),
        ),
        Unreached::Handshake(reason) => (
            format!("{host}:{port} speaks no TLS that is allowed"),
            reason.clone(),
            match service.place.tls {
                Some(Versions::Newest) => format!("let {host} speak TLS 1.3, or correct REDIS_PORT: the port may be the one without TLS"),
                _ => format!("let {host} speak TLS 1.2 or 1.3, or correct {setting}"),
            },
        ),
    };
    Finding::fault(service.check, found, cause, fix)
}

/// Compares a clock with ours. `time` is theirs with the milliseconds that asking took.
pub fn clock(check: &'static str, whose: &str, now: Timestamp, (time, took): (Timestamp, u64)) -> Option<Finding> {
    let took = i64::try_from(took).unwrap_or(i64::MAX);
    let off = now.since(time);
    // Theirs was read at some time within the round trip.
    let sure = off.abs().saturating_sub(took);
    let found = || format!("the clock here is {:.1} s {} that of {whose}", off.abs() as f64 / 1000.0, if off > 0 { "ahead of" } else { "behind" });
    let cause = "one of the two clocks is wrong; signatures, tokens and the idle limit of calls go by them";
    let fix = "set the clock of this machine by NTP (timedatectl set-ntp true); compare with another service to see which one is wrong";
    if sure > FAULT_MS {
        Some(Finding::fault(check, found(), cause, fix))
    } else if sure > WARNING_MS {
        Some(Finding::warning(check, found(), cause, fix))
    } else {
        Some(Finding::ok(check, format!("within {:.1} s of {whose}", (sure.max(0) as f64 / 1000.0).max(0.1))))
    }
}
