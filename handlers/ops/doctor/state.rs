//! The state store: rights, clock, policy, memory, persistence; keys without a life; outboxes that nobody empties.

use super::{Finding, WALK, blame, network};
use crate::app::App;
use crate::error::{Error, Result};
use crate::ops::told::{size, span_ms};
use crate::ops::{outbox, ttl};
use crate::ports::state::legacy::ScanCursor;
use crate::ports::state::upkeep::{Look, ServerFacts};

/// Share of memory at which Redis counts as full: the alert's threshold.
const FULL: f64 = 0.85;
/// Share of memory that is worth a word.
const FILLING: f64 = 0.70;
/// Share of connections that is worth a word.
const CONNECTIONS: f64 = 0.80;
/// Seconds after which a message in an outbox is stuck: the relay sends what has waited for 5 s, once a minute.
const STUCK: u64 = 150;

const ACCESS: &str = "set REDIS_ACCESS_KEY to the key that `az redis list-keys` (or the database's access keys) shows now and REDIS_USERNAME to its user; with Entra, give the identity a data access policy on the cache";
const REACH: &str = "see the finding network.redis; without it, look whether the server is loading, failing over or stopped";

/// Rights, clock, settings and figures.
pub async fn look(app: &App) -> Vec<Finding> {
    if let Err(e) = app.state.check().await {
        let unfit = e.kind == crate::error::Kind::Setting;
        let fix = "CONFIG SET maxmemory-policy noeviction (Azure: az redis update --set redisConfiguration.maxmemory-policy=noeviction; Managed Redis: evictionPolicy NoEviction)";
        if !unfit {
            return vec![blame("state", &e, ACCESS, REACH)];
        }
        let mut found = vec![
            Finding::fault("state.policy", e.detail.clone(), "Redis evicts keys when its memory is full, live calls among them", fix)
                .softened(app.config.guarded),
        ];
        found.extend(figures(app).await);
        return found;
    }
    let mut found = vec![Finding::ok("state", format!("{} serves and evicts nothing", if app.config.redis.is_some() { "Redis" } else { "the embedded file" }))];
    found.push(match rights(app).await {
        Ok(()) => Finding::ok("state.rights", "may scan, read, write, run scripts and remove"),
        Err(e) => blame("state.rights", &e, ACCESS, "Redis answers but takes no write: see state.memory, or whether this node is a replica"),
    });
    found.extend(figures(app).await);
    found
}

/// Harmless calls, one for each right: a value of our own is written for 300 s at most, read and removed.
async fn rights(app: &App) -> Result<()> {
    let id = app.clock.new_id();
    app.state.key_page(ScanCursor::default(), Look { sizes: 1, give_lives: false }).await?;
    app.state.plant(&id, "doctor").await?;
    app.state.planted(&id).await?;
    app.state.uproot(&id).await?;
    // A script, on a claim that nobody holds.
    app.state.drop_claim(&format!("{id}{id}"), &id).await
}

async fn figures(app: &App) -> Vec<Finding> {
    let servers = match app.state.servers().await {
        Ok(servers) => servers,
        Err(e) => return vec![blame("state.figures", &e, "let the user run INFO and TIME: +info +time (ACL SETUSER)", REACH)],
    };
    let now = app.clock.now();
    let guarded = app.config.guarded;
    let mut found: Vec<Finding> = servers.iter().filter_map(|server| network::clock("state.clock", "Redis", now, server.clock?)).collect();
    found.extend(servers.iter().map(|server| memory(server, guarded)));
    found.extend(servers.iter().flat_map(|server| persistence(server, guarded)));
    found
}

fn memory(server: &ServerFacts, guarded: bool) -> Finding {
    let node = &server.node;
    let used = format!("{node}: {} of {} in use ({:.0} %)", size(server.used_bytes), size(server.max_bytes), server.share() * 100.0);
    let fix = "take a larger size or more shards; `rtvoice redis usage` shows what takes the memory, `rtvoice tts purge` frees cached audio at once";
    if server.share() >= FULL {
        return Finding::fault(
            "state.memory",
            used,
            "Redis is full: with noeviction it refuses every write once the limit is reached, and turns are answered without context",
            fix,
        );
    }
    if server.share() >= FILLING {
        return Finding::warning("state.memory", used, "Redis is filling up; cached audio is no longer added above 60 %", fix);
    }
    if server.max_bytes == 0 && guarded {
        let fix = "CONFIG SET maxmemory to what the machine can spare";
        return Finding::warning(
            "state.memory",
            format!("{node}: {} in use, no limit", size(server.used_bytes)),
            "without maxmemory the system ends Redis when memory is out, and with it what was not saved",
            fix,
        );
    }
    if server.max_connections.is_some_and(|most| server.connections as f64 >= most as f64 * CONNECTIONS) {
        let cause = format!("{} of {} connections", server.connections, server.max_connections.unwrap_or_default());
        return Finding::warning("state.memory", used, cause, "find who holds the connections (CLIENT LIST), or take a larger size");
    }
    Finding::ok("state.memory", if server.max_bytes == 0 { format!("{node}: {} in use, no limit", size(server.used_bytes)) } else { used })
}

fn persistence(server: &ServerFacts, guarded: bool) -> Option<Finding> {
    let node = &server.node;
    if !server.persisting {
        let cause = "the last write of the log or the snapshot went wrong, as INFO persistence says: a full or slow disk";
        return Some(Finding::fault(
            "state.persistence",
            format!("{node} cannot save"),
            cause,
            "free the disk of the server, then BGREWRITEAOF or BGSAVE; until then a restart loses what was not saved",
        ));
    }
    if !server.append_only {
        let fix =
            "switch AOF on (CONFIG SET appendonly yes; Azure: aofEnabled / redisConfiguration.aof-backup-enabled), so that a restart loses a second at most";
        let finding =
            Finding::warning("state.persistence", format!("{node} keeps no append-only file"), "a restart loses everything since the last snapshot", fix);
        return Some(if guarded { finding } else { Finding::ok("state.persistence", finding.found) });
    }
    Some(Finding::ok("state.persistence", format!("{node} logs every write")))
}

/// What rests on the store and cannot be seen: the findings on the store, or on the record that the audit log is in, say why.
fn unseen(check: &'static str, e: &Error) -> Finding {
    Finding::skipped(check, format!("cannot be seen: {}; mend the faults of state and documents first", e.detail))
}

/// Keys without a life.
pub async fn lives(app: &App) -> Vec<Finding> {
    let audited = match ttl::audit(app, false, WALK).await {
        Ok(audited) => audited,
        Err(e) => return vec![unseen("state.ttl", &e)],
    };
    let seen = if audited.complete { String::new() } else { format!(", of the first {}", audited.looked) };
    if audited.offenders.is_empty() {
        return vec![Finding::ok("state.ttl", format!("each of {} keys has a life", audited.looked + audited.foreign))];
    }
    let worst: Vec<String> = audited.offenders.iter().take(5).map(|row| format!("{} of {}", row.lives.forever - row.lives.fixed, row.prefix)).collect();
    let cause = "something wrote them past the app, or PERSIST was run on them: they stay for ever and fill the memory";
    vec![Finding::fault(
        "state.ttl",
        format!("{} keys without a life{seen}: {}", audited.left + audited.foreign_forever, worst.join(", ")),
        cause,
        "rtvoice ttl audit --fix (legacy ones: rtvoice migrate; of other apps: give them a Redis of their own, or EXPIRE what they left)",
    )]
}

/// Messages that the queue has not confirmed.
pub async fn outboxes(app: &App) -> Vec<Finding> {
    let found = match outbox::outboxes(app, WALK).await {
        Ok(found) => found,
        Err(e) => return vec![unseen("outbox", &e)],
    };
    let waiting = format!(
        "{} messages of {} calls wait for the queue, the oldest for {}",
        found.messages,
        found.calls.len(),
        span_ms(i64::try_from(found.oldest_seconds).unwrap_or(i64::MAX).saturating_mul(1000))
    );
    if found.unreadable > 0 {
        let cause = "their state is not what the app wrote";
        return vec![Finding::fault(
            "outbox",
            format!("{} open calls cannot be read", found.unreadable),
            cause,
            "rtvoice calls list names them; rtvoice calls show CALL tells more",
        )];
    }
    if found.oldest_seconds > STUCK {
        let cause = "the queue refuses or is away (see the findings on it), or OutboxRelay does not run: switched off by AzureWebJobs.OutboxRelay.Disabled, or without AzureWebJobsStorage";
        return vec![Finding::fault("outbox", waiting, cause, "mend the queue or switch OutboxRelay on; then rtvoice outbox flush sends what waits at once")];
    }
    vec![Finding::ok("outbox", if found.messages == 0 { "nothing waits for the queue".to_owned() } else { waiting })]
}
