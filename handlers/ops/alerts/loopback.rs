//! Servers of a rehearsal on this machine alone: where they listen, and an agent that takes its time.
//!
//! In: a router. Out: a free port of 127.0.0.1 on which it is served until what it returns is dropped.

use std::time::Duration;

use axum::{Json, Router};
use serde_json::json;
use tokio::net::TcpListener;
use tokio_util::task::AbortOnDropHandle;

use crate::error::{Error, Result};

/// How long the agent thinks about each reply.
const THINKS: Duration = Duration::from_millis(400);

/// Serves this on a free port.
pub async fn serve(router: Router) -> Result<(u16, AbortOnDropHandle<()>)> {
    let listener = TcpListener::bind(("127.0.0.1", 0)).await.map_err(Error::internal)?;
    let port = listener.local_addr().map_err(Error::internal)?.port();
    let task = tokio::spawn(async move {
        if let Err(e) = axum::serve(listener, router).await {
            tracing::warn!(error = %e, "a server of the rehearsal has ended");
        }
    });
    Ok((port, AbortOnDropHandle::new(task)))
}

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
