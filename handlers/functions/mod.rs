//! The registry: every function with its trigger, its limits and its story. Folder, registry and test go together.

use std::future::Future;
use std::pin::Pin;
use std::time::Duration;

use axum::http::Method;
use axum::response::Response;

use crate::app::App;
use crate::error::Result;
use crate::host::envelope::Envelope;
use crate::host::http::Request;

pub mod alert_evaluator;
pub mod auth_state;
pub mod breach_clock;
pub mod breach_workflow;
pub mod call_connected;
pub mod call_disconnected;
pub mod call_events;
pub mod call_worker;
pub mod compliance_report;
pub mod compliance_reports;
pub mod conversation_turn;
pub mod dashboard;
pub mod erase_user;
pub mod erasure_runner;
pub mod erasures;
pub mod health;
pub mod metrics;
pub mod outbox_relay;
pub mod pii_scan;
pub mod ready;
pub mod retention_purge;
pub mod system_metrics;
pub mod transcript_dead_letter;
pub mod transcript_writer;
pub mod tts_cache;
pub mod user_lookup;
pub mod user_profile;
pub mod weekly_report;
pub mod worker_affinity;
pub mod worker_heartbeat;

/// What an HTTP function answers.
pub type Answer = Pin<Box<dyn Future<Output = Result<Response>> + Send>>;
/// What a triggered function ends with.
pub type Done = Pin<Box<dyn Future<Output = Result<()>> + Send>>;

/// One function.
pub struct Function {
    /// Name of the function and of its folder.
    pub name: &'static str,
    /// Longest that one invocation may take; below `functionTimeout`, after which the host kills everything.
    pub deadline: Duration,
    /// Its trigger.
    pub face: Face,
}

/// How a function is reached.
pub enum Face {
    /// By HTTP, forwarded as it is.
    Http {
        /// Route below the prefix, with `{name}` and `{name?}`.
        route: &'static str,
        /// Methods that it takes.
        methods: &'static [Method],
        /// Most bytes of a body.
        limit: usize,
        /// The function.
        run: fn(App, Request) -> Answer,
    },
    /// By the envelope of another trigger.
    Trigger {
        /// The function.
        run: fn(App, Envelope) -> Done,
    },
}

const fn http(name: &'static str, seconds: u64, route: &'static str, methods: &'static [Method], limit: usize, run: fn(App, Request) -> Answer) -> Function {
    Function { name, deadline: Duration::from_secs(seconds), face: Face::Http { route, methods, limit, run } }
}

const fn trigger(name: &'static str, seconds: u64, run: fn(App, Envelope) -> Done) -> Function {
    Function { name, deadline: Duration::from_secs(seconds), face: Face::Trigger { run } }
}

const KIB: usize = 1024;

/// All functions, by name.
pub const ALL: &[Function] = &[
    trigger("AlertEvaluator", 50, |app, envelope| Box::pin(alert_evaluator::run(app, envelope))),
    http("AuthState", 5, "calls/{callConnectionId}/auth", &[Method::GET, Method::PUT, Method::DELETE], 16 * KIB, |app, request| {
        Box::pin(auth_state::run(app, request))
    }),
    trigger("BreachClock", 55, |app, envelope| Box::pin(breach_clock::run(app, envelope))),
    http("BreachWorkflow", 60, "breaches/{id?}/{action?}", &[Method::GET, Method::POST], 256 * KIB, |app, request| {
        Box::pin(breach_workflow::run(app, request))
    }),
    trigger("CallConnected", 20, |app, envelope| Box::pin(call_connected::run(app, envelope))),
    trigger("CallDisconnected", 20, |app, envelope| Box::pin(call_disconnected::run(app, envelope))),
    http("CallEvents", 20, "calls/events", &[Method::POST, Method::OPTIONS], 1024 * KIB, |app, request| Box::pin(call_events::run(app, request))),
    http("CallWorker", 5, "calls/{callConnectionId}/worker", &[Method::GET], 16 * KIB, |app, request| Box::pin(call_worker::run(app, request))),
    trigger("ComplianceReport", 280, |app, envelope| Box::pin(compliance_report::run(app, envelope))),
    http("ComplianceReports", 90, "compliance/report", &[Method::GET], 16 * KIB, |app, request| Box::pin(compliance_reports::run(app, request))),
    http("ConversationTurn", 25, "calls/{callConnectionId}/turns", &[Method::POST], 64 * KIB, |app, request| Box::pin(conversation_turn::run(app, request))),
    http("Dashboard", 15, "dashboard", &[Method::GET, Method::POST], 16 * KIB, |app, request| Box::pin(dashboard::run(app, request))),
    http("EraseUser", 20, "users/{userId}", &[Method::DELETE], 16 * KIB, |app, request| Box::pin(erase_user::run(app, request))),
    trigger("ErasureRunner", 120, |app, envelope| Box::pin(erasure_runner::run(app, envelope))),
    http("Erasures", 10, "erasures/{id}", &[Method::GET], 16 * KIB, |app, request| Box::pin(erasures::run(app, request))),
    http("Health", 10, "health", &[Method::GET], 16 * KIB, |app, request| Box::pin(health::run(app, request))),
    http("Metrics", 10, "metrics", &[Method::GET], 16 * KIB, |app, request| Box::pin(metrics::run(app, request))),
    trigger("OutboxRelay", 55, |app, envelope| Box::pin(outbox_relay::run(app, envelope))),
    trigger("PiiScan", 280, |app, envelope| Box::pin(pii_scan::run(app, envelope))),
    http("Ready", 10, "ready", &[Method::GET], 16 * KIB, |app, request| Box::pin(ready::run(app, request))),
    trigger("RetentionPurge", 280, |app, envelope| Box::pin(retention_purge::run(app, envelope))),
    trigger("SystemMetrics", 280, |app, envelope| Box::pin(system_metrics::run(app, envelope))),
    trigger("TranscriptDeadLetter", 60, |app, envelope| Box::pin(transcript_dead_letter::run(app, envelope))),
    trigger("TranscriptWriter", 120, |app, envelope| Box::pin(transcript_writer::run(app, envelope))),
    http("TtsCache", 12, "tts/{hash?}", &[Method::GET, Method::POST], 64 * KIB, |app, request| Box::pin(tts_cache::run(app, request))),
    http("UserLookup", 10, "users/lookup", &[Method::POST], 16 * KIB, |app, request| Box::pin(user_lookup::run(app, request))),
    http("UserProfile", 10, "users/{userId}", &[Method::GET, Method::PATCH], 128 * KIB, |app, request| Box::pin(user_profile::run(app, request))),
    trigger("WeeklyReport", 120, |app, envelope| Box::pin(weekly_report::run(app, envelope))),
    http("WorkerAffinity", 5, "workers/{workerId}/calls/{callConnectionId}", &[Method::PUT, Method::DELETE], 16 * KIB, |app, request| {
        Box::pin(worker_affinity::run(app, request))
    }),
    http("WorkerHeartbeat", 5, "workers/{workerId}/heartbeat", &[Method::PUT], 16 * KIB, |app, request| Box::pin(worker_heartbeat::run(app, request))),
];
