//! `rtvoice serve`: connects, then binds 127.0.0.1 and answers the host until it is told to end.

use std::net::Ipv4Addr;
use std::sync::Arc;
use std::time::Duration;

use serde_json::Value;
use tokio::io::AsyncReadExt as _;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use super::router::router;
use crate::app::App;
use crate::error::{Error, Kind, Result};

/// How long the start waits for the dependencies, all at once.
const CONNECT: Duration = Duration::from_secs(5);
/// How long the end waits for work that is under way.
const DRAIN: Duration = Duration::from_secs(10);

/// Checks the dependencies for at most 5 s. One that is away is a warning, a setting that it shows to be wrong is an error.
pub async fn connect(app: &App) -> Result<()> {
    let bounded = |name: &'static str, check: futures::future::BoxFuture<'static, Result<()>>| async move {
        let result = tokio::time::timeout(CONNECT, check).await;
        match result {
            Ok(Ok(())) => Ok(()),
            Ok(Err(e)) if e.kind == Kind::Setting => Err((name, e)),
            Ok(Err(e)) => {
                tracing::warn!(dependency = name, error = e.chain(), "starting degraded");
                Ok(())
            }
            Err(_) => {
                tracing::warn!(dependency = name, "did not answer within 5 s: starting degraded");
                Ok(())
            }
        }
    };
    let (state, documents, queue) = (Arc::clone(&app.state), Arc::clone(&app.documents), Arc::clone(&app.queue));
    let results = tokio::join!(
        bounded("state", Box::pin(async move { state.check().await })),
        bounded("documents", Box::pin(async move { documents.check().await })),
        bounded("queue", Box::pin(async move { queue.check().await })),
    );
    for result in [results.0, results.1, results.2] {
        match result {
            Ok(()) => {}
            // A Redis that evicts loses calls; outside production that is the developer's choice.
            Err(("state", e)) if !app.config.guarded => tracing::warn!(error = e.chain(), "this would stop the start in production"),
            Err((_, e)) => return Err(e),
        }
    }
    Ok(())
}

/// Serves until `stop`, then lets what is under way end.
pub async fn serve(app: App, listener: TcpListener, stop: CancellationToken) -> Result<()> {
    let stopped = stop.clone();
    let result = axum::serve(listener, router(app.clone())).with_graceful_shutdown(async move { stopped.cancelled().await });
    let server = tokio::spawn(async move { result.await });
    stop.cancelled().await;
    let drained = async {
        let ended = server.await;
        app.tasks.close();
        app.tasks.wait().await;
        if let Err(e) = app.audit.close().await {
            tracing::error!(error = e.chain(), page = true, "the audit log was not closed");
        }
        ended
    };
    match tokio::time::timeout(DRAIN, drained).await {
        Ok(Ok(Ok(()))) => Ok(()),
        Ok(Ok(Err(e))) => Err(Error::internal(e)),
        Ok(Err(e)) => Err(Error::internal(e)),
        Err(_) => {
            tracing::warn!("ended with work under way: the outbox has it");
            Ok(())
        }
    }
}

/// Binds the port that the host gave, on 127.0.0.1 alone.
pub async fn bind(port: u16) -> Result<TcpListener> {
    TcpListener::bind((Ipv4Addr::LOCALHOST, port)).await.map_err(|e| {
        Error::new(Kind::Setting, format!("FUNCTIONS_CUSTOMHANDLER_PORT must be a free port ({port} is not), for example FUNCTIONS_CUSTOMHANDLER_PORT=7072"))
            .because(e)
    })
}

/// Cancels `stop` on SIGTERM, on Ctrl-C, and, where `with_stdin`, when standard input closes: so the child of the local host
/// ends with it, however it ends.
pub fn stop_on_signals(stop: CancellationToken, with_stdin: bool) -> Result<()> {
    #[cfg(unix)]
    {
        let mut term = tokio::signal::unix::signal(tokio::signal::unix::SignalKind::terminate()).map_err(Error::internal)?;
        let token = stop.clone();
        tokio::spawn(async move {
            term.recv().await;
            token.cancel();
        });
    }
    let token = stop.clone();
    tokio::spawn(async move {
        // Where Ctrl-C cannot be listened for, SIGTERM still ends the process.
        if tokio::signal::ctrl_c().await.is_ok() {
            token.cancel();
        }
    });
    if with_stdin {
        tokio::spawn(async move {
            let mut stdin = tokio::io::stdin();
            let mut buffer = [0; 64];
            while matches!(stdin.read(&mut buffer).await, Ok(n) if n > 0) {}
            stop.cancel();
        });
    }
    Ok(())
}

/// What `serve` says about itself at start, as one log line's fields.
pub fn backends(app: &App) -> Value {
    let name = |production: bool, name: &'static str| if production { name } else { "embedded" };
    serde_json::json!({
        "state": name(app.config.redis.is_some(), "redis"),
        "documents": name(app.config.cosmos.is_some(), "cosmos"),
        "queue": name(app.config.service_bus.is_some(), "service-bus"),
        "speech": app.speech.name(),
        "replies": app.replies.name(),
    })
}
