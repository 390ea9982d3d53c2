//! A server of a rehearsal on this machine alone: an agent that takes its time.
//!
//! Out: settings that lead a handler to it. It ends when dropped.

use std::time::Duration;

use axum::{Json, Router};
use serde_json::json;
use tokio_util::task::AbortOnDropHandle;

use crate::error::Result;
use crate::ops::load::services::serve;

/// How long the agent thinks about each reply.
const THINKS: Duration = Duration::from_millis(400);

/// An agent as Azure OpenAI has them, but slow: each turn holds its seat meanwhile, and nothing else is under strain.
pub struct SlowAgent {
    port: u16,
    _task: AbortOnDropHandle<()>,
}

impl SlowAgent {
    /// Starts it.
    pub async fn start() -> Result<Self> {
        let reply = || async {
            tokio::time::sleep(THINKS).await;
            Json(json!({ "choices": [{ "finish_reason": "stop", "message": { "role": "assistant", "content": "Let me see." } }] }))
        };
        let (port, task) = serve(Router::new().fallback(reply)).await?;
        Ok(Self { port, _task: task })
    }

    /// Settings that lead a handler to it.
    pub fn settings(&self) -> Vec<(String, String)> {
        let ours =
            [("OPENAI_ENDPOINT", format!("http://127.0.0.1:{}", self.port)), ("OPENAI_DEPLOYMENT", "slow".to_owned()), ("OPENAI_KEY", "none".to_owned())];
        ours.map(|(name, value)| (name.to_owned(), value)).into()
    }
}
