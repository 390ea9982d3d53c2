//! Bare axum handlers: what HTTP costs without a function behind it, and with a plain GET from Redis.
//!
//! They run on a runtime of their own in this process, with as many threads as a handler has.

use std::sync::Arc;

use axum::Router;
use axum::extract::{Json, State};
use axum::http::StatusCode;
use axum::routing::{get, post};
use bytes::Bytes;
use serde_json::Value;
use tokio::net::TcpListener;
use tokio::runtime::Runtime;

use crate::error::{Error, Result};
use crate::ports::state::redis::BareRedis;

/// A running server.
pub(super) struct Bare {
    runtime: Option<Runtime>,
    /// Its port on 127.0.0.1.
    pub(super) port: u16,
}

impl Bare {
    /// Parses the JSON body of `POST /` and answers these bytes.
    pub(super) async fn echo(answer: Bytes) -> Result<Self> {
        let handler = move |Json(_): Json<Value>| async move { ([("content-type", "application/json")], answer.clone()) };
        Self::serve(Router::new().route("/", post(handler))).await
    }

    /// Answers `GET /` with the value of a key.
    pub(super) async fn get(redis: Arc<BareRedis>, key: String) -> Result<Self> {
        let state = (redis, key);
        Self::serve(Router::new().route("/", get(value)).with_state(state)).await
    }

    async fn serve(router: Router) -> Result<Self> {
        let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().map_err(Error::internal)?;
        let bound = runtime.spawn(async move {
            let listener = TcpListener::bind(("127.0.0.1", 0)).await?;
            let port = listener.local_addr()?.port();
            tokio::spawn(async move { axum::serve(listener, router).await });
            std::io::Result::Ok(port)
        });
        let port = bound.await.map_err(Error::internal)?.map_err(Error::internal)?;
        Ok(Self { runtime: Some(runtime), port })
    }
}

impl Drop for Bare {
    fn drop(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}

async fn value(State((redis, key)): State<(Arc<BareRedis>, String)>) -> (StatusCode, Bytes) {
    match redis.get(&key).await {
        Ok(value) => (StatusCode::OK, value),
        Err(_) => (StatusCode::SERVICE_UNAVAILABLE, Bytes::new()),
    }
}
