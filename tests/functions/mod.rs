//! One file per function: what it takes, what it answers, and what it leaves in the stores.

mod auth_state;
mod bad_input;
mod breach_clock;
mod breach_workflow;
mod call_connected;
mod call_disconnected;
mod call_events;
mod call_worker;
mod compliance_report;
mod compliance_reports;
mod conversation_turn;
mod erase_user;
mod erasure_runner;
mod erasures;
mod health;
mod outbox_relay;
mod pii_scan;
mod ready;
mod retention_purge;
mod transcript_dead_letter;
mod transcript_writer;
mod tts_cache;
mod user_lookup;
mod user_profile;
mod worker_affinity;
mod worker_heartbeat;
