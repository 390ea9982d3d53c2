//! The connection: TLS, authentication, deadline, one retry where it is safe, and the circuit breaker.

use std::future::Future;
use std::path::Path;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use base64::Engine as _;
use futures::future::{BoxFuture, FutureExt as _, Shared};
use futures::stream::{self, Stream};
use redis::aio::{ConnectionLike, ConnectionManager, ConnectionManagerConfig, MultiplexedConnection};
use redis::cluster::ClusterClient;
use redis::cluster_async::ClusterConnection;
use redis::{
    BasicAuth, Client, Cmd, ConnectionAddr, IntoConnectionInfo, Pipeline, RedisConnectionInfo, RedisError, RedisFuture, RedisResult, ServerErrorKind,
    StreamingCredentialsProvider, TlsCertificates, TlsMode, Value,
};
use tokio::time::Instant;

use super::silence::Silence;
use crate::config::{RedisAuth, RedisConfig};
use crate::error::{Error, Kind, Result};
use crate::model::time::Timestamp;
use crate::ports::breaker::Breaker;
use crate::ports::clock::{Clock as _, SystemClock};
use crate::ports::http;
use crate::ports::identity::Identity;
use crate::telemetry::Metrics;
use crate::telemetry::label::{Dependency, OpFailure, OpOutcome, RedisOp};
use crate::telemetry::metric::{REDIS_FAILURES, REDIS_OPS, REDIS_OUTCOMES};

/// Time that one operation may take in all, its retry included.
const DEADLINE: Duration = Duration::from_millis(500);
/// How often an operation is sent, at most.
const ATTEMPTS: u32 = 2;
/// Time that a connection may take; longer than an operation, so that a slow handshake is not begun over and over.
pub(super) const CONNECT: Duration = Duration::from_secs(3);
/// Time that the first connection to all nodes of a cluster may take.
const CLUSTER: Duration = Duration::from_secs(15);
/// Scope of Entra tokens for Azure Managed Redis and Azure Cache for Redis.
const SCOPE: &str = "https://redis.azure.com/.default";
/// How long before its expiry a token is replaced on the live connection: the SDK gives a new one from five minutes on.
const RENEW_BEFORE: i64 = 299_000;
/// Pause before the next token at the least, so that short-lived or refused tokens are not asked for without end.
const RENEW_PAUSE: Duration = Duration::from_secs(1);

/// One multiplexed connection, made on first use and again after each loss.
pub(super) struct Link {
    target: Target,
    breaker: Breaker,
    silence: Silence,
    metrics: Arc<Metrics>,
}

enum Target {
    Single { client: Box<Client>, manager: Box<ConnectionManagerConfig>, connection: Mutex<Option<Connection>> },
    Cluster { client: Box<ClusterClient>, starting: Arc<Mutex<Option<Starting>>> },
}

/// A cluster's first connection, which many await.
type Starting = Shared<BoxFuture<'static, std::result::Result<Connection, Arc<RedisError>>>>;

#[derive(Clone)]
pub(super) enum Connection {
    Single(ConnectionManager),
    Cluster(ClusterConnection),
}

impl ConnectionLike for Connection {
    fn req_packed_command<'a>(&'a mut self, cmd: &'a Cmd) -> RedisFuture<'a, Value> {
        match self {
            Self::Single(c) => c.req_packed_command(cmd),
            Self::Cluster(c) => c.req_packed_command(cmd),
        }
    }

    fn req_packed_commands<'a>(&'a mut self, pipeline: &'a Pipeline, offset: usize, count: usize) -> RedisFuture<'a, Vec<Value>> {
        match self {
            Self::Single(c) => c.req_packed_commands(pipeline, offset, count),
            Self::Cluster(c) => c.req_packed_commands(pipeline, offset, count),
        }
    }

    fn get_db(&self) -> i64 {
        0
    }
}

/// Installs, as the process default, a TLS provider that knows TLS 1.3 suites alone. The Redis client takes the
/// default and has no version option of its own; everything else brings its own configuration.
pub fn install_tls13() {
    let mut provider = rustls::crypto::aws_lc_rs::default_provider();
    provider.cipher_suites.retain(|suite| suite.tls13().is_some());
    // A second call finds the first one's provider in place.
    let _ = provider.install_default();
}

impl Link {
    pub(super) fn new(config: &RedisConfig, ca_file: Option<&Path>, identity: Option<Identity>) -> Result<Self> {
        install_tls13();
        let root_cert = ca_file.map(http::bundle_with).transpose()?;
        let certificates = TlsCertificates { client_tls: None, root_cert };
        let provider = match &config.auth {
            RedisAuth::Entra { username } => {
                let identity = identity
                    .ok_or_else(|| Error::new(Kind::Setting, "REDIS_ACCESS_KEY must be set where no identity is, for example REDIS_ACCESS_KEY=<access key>"))?;
                Some(EntraCredentials { identity, username: username.clone() })
            }
            _ => None,
        };
        let target = if config.cluster { cluster(config, certificates, provider)? } else { single(config, certificates, provider)? };
        Ok(Self { target, breaker: Breaker::new("Redis"), silence: Silence::new(config.cluster), metrics: Arc::default() })
    }

    /// Counts what it does here.
    pub(super) fn measured(mut self, metrics: Arc<Metrics>) -> Self {
        self.breaker = self.breaker.measured(Arc::clone(&metrics), Dependency::Redis);
        self.metrics = metrics;
        self
    }

    async fn connection(&self) -> RedisResult<Connection> {
        match &self.target {
            Target::Single { client, manager, connection } => {
                let mut slot = connection.lock().unwrap_or_else(PoisonError::into_inner);
                if let Some(connection) = slot.as_ref() {
                    return Ok(connection.clone());
                }
                let made = ConnectionManager::new_lazy_with_config((**client).clone(), (**manager).clone()).map(Connection::Single)?;
                self.silence.begins();
                Ok(slot.insert(made).clone())
            }
            Target::Cluster { client, starting } => {
                let starting = {
                    let mut slot = starting.lock().unwrap_or_else(PoisonError::into_inner);
                    match slot.as_ref() {
                        Some(running) if !matches!(running.peek(), Some(Err(_))) => running.clone(),
                        _ => slot.insert(begin((**client).clone())).clone(),
                    }
                };
                starting.await.map_err(|e| (*e).clone())
            }
        }
    }

    /// A connection without deadline, retry or circuit breaker, for measurements. Errors: `Setting` for a cluster.
    pub(super) async fn bare(&self) -> Result<MultiplexedConnection> {
        match &self.target {
            Target::Single { client, .. } => client.get_multiplexed_async_connection().await.map_err(failure),
            Target::Cluster { .. } => Err(Error::new(Kind::Setting, "REDIS_CLUSTER must be false for measurements, for example REDIS_CLUSTER=false")),
        }
    }

    /// Runs an operation, once more where the connection broke under it: all of ours may be sent twice.
    pub(super) async fn idempotent<T, F, W>(&self, op: RedisOp, operation: F) -> Result<T>
    where
        F: Fn(Connection) -> W,
        W: Future<Output = RedisResult<T>>,
    {
        if let Err(e) = self.breaker.admit() {
            self.metrics.count(REDIS_OUTCOMES, OpOutcome::Refused);
            return Err(e);
        }
        let began = Instant::now();
        let result = within(DEADLINE, self.attempts(operation)).await;
        self.record(op, began, &result);
        result
    }

    /// Notes how an operation ended.
    fn record<T>(&self, op: RedisOp, began: Instant, result: &Result<T>) {
        self.metrics.time(REDIS_OPS, op, began.elapsed());
        self.metrics.count(REDIS_OUTCOMES, if result.is_ok() { OpOutcome::Ok } else { OpOutcome::Failed });
        if let Err(e) = result {
            let reason = match e.kind {
                Kind::Unavailable => OpFailure::Unavailable,
                Kind::Deadline => OpFailure::Deadline,
                Kind::Denied => OpFailure::Denied,
                _ => OpFailure::Other,
            };
            self.metrics.count(REDIS_FAILURES, reason);
        }
        self.breaker.record(result);
        if !self.silence.record(result) {
            return;
        }
        tracing::warn!("Redis is silent: the connection is made anew");
        match &self.target {
            Target::Single { connection, .. } => drop(connection.lock().unwrap_or_else(PoisonError::into_inner).take()),
            Target::Cluster { client, starting } => replace((**client).clone(), Arc::clone(starting)),
        }
    }

    /// Runs an operation past the circuit breaker with time for a first connection: for the checks at start. Its
    /// success closes the circuit.
    pub(super) async fn probe<T, F, W>(&self, limit: Duration, operation: F) -> Result<T>
    where
        F: Fn(Connection) -> W,
        W: Future<Output = RedisResult<T>>,
    {
        let began = Instant::now();
        let result = within(limit, self.attempts(operation)).await;
        self.record(RedisOp::Probe, began, &result);
        result
    }

    async fn attempts<T, F, W>(&self, operation: F) -> Result<T>
    where
        F: Fn(Connection) -> W,
        W: Future<Output = RedisResult<T>>,
    {
        let mut left = ATTEMPTS;
        loop {
            left -= 1;
            let result = match self.connection().await {
                Ok(connection) => operation(connection).await,
                Err(e) => Err(e),
            };
            match result {
                Err(e) if left > 0 && (e.is_connection_dropped() || e.is_io_error()) && !e.is_timeout() => {}
                result => return result.map_err(failure),
            }
        }
    }
}

/// Begins a cluster's first connection: TLS, a token, the slots, and a connection to each node may take longer than one
/// operation has. So it is a task of its own: a caller whose deadline passes leaves it running for the next one, and
/// one that failed is begun anew.
fn begin(client: ClusterClient) -> Starting {
    let timeout = || RedisError::from(std::io::Error::from(std::io::ErrorKind::TimedOut));
    let task = tokio::spawn(async move {
        let made = tokio::time::timeout(CLUSTER, client.get_async_connection()).await.unwrap_or_else(|_| Err(timeout()));
        made.map(Connection::Cluster)
    });
    async move { task.await.unwrap_or_else(|e| Err(RedisError::from(std::io::Error::other(e)))).map_err(Arc::new) }.boxed().shared()
}

/// Makes a cluster's connection anew beside the one that is there: it knows nodes that the settings do not name, and stays where
/// those that they name are away.
fn replace(client: ClusterClient, slot: Arc<Mutex<Option<Starting>>>) {
    tokio::spawn(async move {
        let made = begin(client);
        match made.clone().await {
            Ok(_) => *slot.lock().unwrap_or_else(PoisonError::into_inner) = Some(made),
            Err(e) => tracing::warn!(error = e.to_string(), "the connection to the cluster could not be made anew"),
        }
    });
}

async fn within<T>(limit: Duration, work: impl Future<Output = Result<T>>) -> Result<T> {
    tokio::time::timeout(limit, work).await.unwrap_or_else(|_| Err(Error::deadline("Redis", limit)))
}

fn setting(detail: &str, e: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Error {
    Error::new(Kind::Setting, detail).because(e)
}

/// Codes of a server that is there and does not serve.
const REFUSING: [&str; 9] = ["OOM", "READONLY", "LOADING", "CLUSTERDOWN", "TRYAGAIN", "MASTERDOWN", "MISCONF", "NOREPLICAS", "BUSY"];

/// Whether the server answered with one of these codes: to a command, or to one of a pipeline. Up to version 6 it wraps what a
/// command raises inside a script into an error of the script:
/// `ERR Error running script (call to f_…): @user_script:11: @user_script: 11: -OOM command not allowed …`.
fn says(e: &RedisError, codes: &[&str]) -> bool {
    let wrapped = |words: &str| words.split(' ').filter_map(|word| word.strip_prefix('-')).any(|code| codes.contains(&code));
    let said = e.clone().into_server_errors();
    let said = said.as_deref().unwrap_or_default();
    e.code().is_some_and(|code| codes.contains(&code))
        || said.iter().any(|(_, error)| codes.contains(&error.code()) || (error.code() == "ERR" && error.details().is_some_and(wrapped)))
}

/// What a Redis failure means for us. The server's words stay in the log.
pub(super) fn failure(e: RedisError) -> Error {
    if e.is_timeout() {
        return Error::deadline("Redis", DEADLINE).because(e);
    }
    let denied = e.kind() == redis::ErrorKind::AuthenticationFailed || says(&e, &["NOAUTH", "WRONGPASS", "NOPERM"]);
    if denied {
        return Error::new(Kind::Denied, "Redis refused the identity").because(e);
    }
    let away = e.is_io_error() || e.is_connection_dropped() || e.is_connection_refusal() || e.is_cluster_error();
    let refusing = says(&e, &REFUSING)
        || matches!(
            e.kind(),
            redis::ErrorKind::Server(
                ServerErrorKind::BusyLoading
                    | ServerErrorKind::TryAgain
                    | ServerErrorKind::ClusterDown
                    | ServerErrorKind::MasterDown
                    | ServerErrorKind::ReadOnly
            )
        );
    if away || refusing { Error::unavailable("Redis", e) } else { Error::internal(e) }
}

fn address(config: &RedisConfig) -> ConnectionAddr {
    let (host, port) = (config.host.clone(), config.port);
    if config.ssl { ConnectionAddr::TcpTls { host, port, insecure: false, tls_params: None } } else { ConnectionAddr::Tcp(host, port) }
}

fn login(config: &RedisConfig) -> RedisConnectionInfo {
    match &config.auth {
        RedisAuth::Key { username, key } => {
            let info = RedisConnectionInfo::default().set_password(key.expose());
            match username {
                Some(name) => info.set_username(name),
                None => info,
            }
        }
        RedisAuth::None | RedisAuth::Entra { .. } => RedisConnectionInfo::default(),
    }
}

const WRONG: &str = "REDIS_HOST must be a host that Redis answers on, for example REDIS_HOST=localhost";

fn single(config: &RedisConfig, certificates: TlsCertificates, provider: Option<EntraCredentials>) -> Result<Target> {
    let info = address(config).into_connection_info().map_err(|e| setting(WRONG, e))?.set_redis_settings(login(config));
    let client = if config.ssl { Client::build_with_tls(info, certificates) } else { Client::open(info) }.map_err(|e| setting(WRONG, e))?;
    let mut manager = ConnectionManagerConfig::new()
        .set_number_of_retries(1)
        .set_min_delay(Duration::from_millis(20))
        .set_max_delay(Duration::from_millis(100))
        .set_connection_timeout(Some(CONNECT))
        .set_response_timeout(Some(DEADLINE));
    if let Some(provider) = provider {
        manager = manager.set_credentials_provider(provider);
    }
    Ok(Target::Single { client: Box::new(client), manager: Box::new(manager), connection: Mutex::new(None) })
}

fn cluster(config: &RedisConfig, certificates: TlsCertificates, provider: Option<EntraCredentials>) -> Result<Target> {
    let node = address(config).into_connection_info().map_err(|e| setting(WRONG, e))?;
    let mut builder = ClusterClient::builder([node]).connection_timeout(CONNECT).response_timeout(DEADLINE).retries(2).min_retry_wait(10).max_retry_wait(50);
    if config.ssl {
        builder = builder.tls(TlsMode::Secure).certs(certificates);
    }
    if let RedisAuth::Key { username, key } = &config.auth {
        builder = builder.password(key.expose());
        if let Some(name) = username {
            builder = builder.username(name);
        }
    }
    if let Some(provider) = provider {
        builder = builder.set_credentials_provider(provider);
    }
    let client = builder.build().map_err(|e| setting(WRONG, e))?;
    Ok(Target::Cluster { client: Box::new(client), starting: Arc::new(Mutex::new(None)) })
}

/// Entra tokens for the connection, renewed on it while it lives.
#[derive(Clone)]
struct EntraCredentials {
    identity: Identity,
    username: Option<String>,
}

impl EntraCredentials {
    async fn fetch(&self) -> RedisResult<(BasicAuth, Timestamp)> {
        let refused = |reason: String| RedisError::from((redis::ErrorKind::AuthenticationFailed, "no Entra token for Redis", reason));
        let (token, expires) = self.identity.lasting_token(SCOPE).await.map_err(|e| refused(e.chain()))?;
        let username = self.username.clone().or_else(|| object_id(&token));
        let username = username.ok_or_else(|| refused("the token has no object id: set REDIS_USERNAME".to_owned()))?;
        Ok((BasicAuth::new(username, token), expires))
    }
}

impl StreamingCredentialsProvider for EntraCredentials {
    fn subscribe(&self) -> Pin<Box<dyn Stream<Item = RedisResult<BasicAuth>> + Send + 'static>> {
        // The first token at once, then one whenever the last one is about to expire.
        Box::pin(stream::unfold((self.clone(), None::<Duration>), |(credentials, pause)| async move {
            if let Some(pause) = pause {
                tokio::time::sleep(pause).await;
            }
            let (auth, pause) = match credentials.fetch().await {
                Ok((auth, expires)) => {
                    let left = expires.since(SystemClock.now()).saturating_sub(RENEW_BEFORE);
                    (Ok(auth), Duration::from_millis(u64::try_from(left).unwrap_or(0)))
                }
                Err(e) => (Err(e), Duration::ZERO),
            };
            Some((auth, (credentials, Some(pause.max(RENEW_PAUSE)))))
        }))
    }
}

/// The `oid` claim of a token. The token is ours and goes to Redis, which verifies it; here it is only read.
fn object_id(token: &str) -> Option<String> {
    let payload = token.split('.').nth(1)?;
    let json = base64::engine::general_purpose::URL_SAFE_NO_PAD.decode(payload).ok()?;
    let claims: serde_json::Value = serde_json::from_slice(&json).ok()?;
    claims.get("oid")?.as_str().map(str::to_owned)
}
