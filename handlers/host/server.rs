//! `rtvoice serve`: connects, then binds 127.0.0.1 and answers the host until it is told to end.
//!
//! HTTP/1.1 alone, which is what the host speaks. Connections are bounded by the files that the process may open; a head
//! that is slow, and a connection that is idle, ends after 75 s; one that is too large is answered 431.

use std::net::Ipv4Addr;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use serde_json::Value;
use tokio::io::AsyncReadExt as _;
use tokio::net::{TcpListener, TcpStream};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::router::router;
use crate::app::App;
use crate::error::{Error, Kind, Result};

/// How long the start waits for the dependencies, all at once.
const CONNECT: Duration = Duration::from_secs(5);
/// How long the end waits for work that is under way.
const DRAIN: Duration = Duration::from_secs(10);
/// How long the head of a request may take, counted from when the connection was opened or the answer before it was sent: also
/// how long a connection may be idle. The host's client lets go of its own after 60 s (`SocketsHttpHandler`), so that none
/// is closed under a request.
const HEAD: Duration = Duration::from_secs(75);
/// Most bytes of a head, and of what is read ahead of a body for each connection. (hyper itself takes at most 100 headers.)
const BUFFER: usize = 64 << 10;
/// Most open connections, where the system allows so many.
const CONNECTIONS: u64 = 16_384;
/// Open files that are left to the stores and services.
const OTHER_FILES: u64 = 256;
/// Pause after a connection could not be taken.
const PAUSE: Duration = Duration::from_millis(100);

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
    let server = tokio::spawn(answer(app.clone(), listener, stop.clone()));
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
        Ok(Ok(())) => Ok(()),
        Ok(Err(e)) => Err(Error::internal(e)),
        Err(_) => {
            tracing::warn!("ended with work under way: the outbox has it");
            Ok(())
        }
    }
}

/// Takes connections until `stop`, and ends when the last one has ended. One too many is closed at once.
async fn answer(app: App, listener: TcpListener, stop: CancellationToken) {
    let mut protocol = http1::Builder::new();
    protocol.timer(TokioTimer::new()).header_read_timeout(HEAD).max_header_size(BUFFER).max_buf_size(BUFFER);
    let service = TowerToHyperService::new(router(app));
    let (open, most) = (TaskTracker::new(), most_connections());
    loop {
        let taken = tokio::select! {
            taken = listener.accept() => taken,
            () = stop.cancelled() => break,
        };
        match taken {
            Ok((stream, _)) if open.len() < most => {
                let connection = protocol.serve_connection(TokioIo::new(prompt(stream)), service.clone());
                open.spawn(until_stopped(connection, stop.clone()));
            }
            Ok(_) => tracing::debug!(most, "a connection too many"),
            Err(e) => {
                // Mostly a client that went away before it was taken; else the system is short of something.
                tracing::warn!(error = %e, "a connection was not taken");
                tokio::time::sleep(PAUSE).await;
            }
        }
    }
    drop(listener);
    open.close();
    open.wait().await;
}

/// Small answers go out at once; where that cannot be asked for they go out a little later.
fn prompt(stream: TcpStream) -> TcpStream {
    if let Err(e) = stream.set_nodelay(true) {
        tracing::debug!(error = %e, "answers may be held back");
    }
    stream
}

/// Serves one connection; when told to stop, until what it is being asked is answered.
async fn until_stopped(connection: http1::Connection<TokioIo<TcpStream>, TowerToHyperService<Router>>, stop: CancellationToken) {
    let mut connection = std::pin::pin!(connection);
    let ended = tokio::select! {
        ended = connection.as_mut() => ended,
        () = stop.cancelled() => {
            connection.as_mut().graceful_shutdown();
            connection.await
        }
    };
    if let Err(e) = ended {
        tracing::debug!(error = %e, "a connection was cut or is not HTTP");
    }
}

/// How many connections may be open at once: by the limit on open files, which is raised where the system lets us.
fn most_connections() -> usize {
    usize::try_from(open_files().saturating_sub(OTHER_FILES).clamp(1, CONNECTIONS)).unwrap_or(usize::MAX)
}

#[cfg(unix)]
fn open_files() -> u64 {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
    let wanted = CONNECTIONS + OTHER_FILES;
    let limit = getrlimit(Resource::Nofile);
    let now = limit.current.unwrap_or(u64::MAX);
    let raised = wanted.min(limit.maximum.unwrap_or(u64::MAX));
    if now >= raised {
        return now;
    }
    match setrlimit(Resource::Nofile, Rlimit { current: Some(raised), maximum: limit.maximum }) {
        Ok(()) => raised,
        Err(e) => {
            tracing::warn!(error = %e, files = now, "the limit on open files could not be raised");
            now
        }
    }
}

#[cfg(not(unix))]
const fn open_files() -> u64 {
    CONNECTIONS + OTHER_FILES
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
