//! Documents in Azure Cosmos DB for NoSQL, over the vendor's SDK, whose client starts on first use, in the background.
//!
//! One method call takes at most 2 s with its one retry (`Deadline` after that; the start's check has more time);
//! statuses become kinds in [`kind_of_status`]. The SDK's own waiting and retrying is off where it can be turned off.
//! The SDK takes no HTTP client of ours: it makes its own, with the process-default rustls provider (so TLS 1.3 alone
//! where that is installed) and HTTP/2, or HTTP/1.1 where a server refuses that. Its first start asks the instance
//! metadata service for the machine's name, for at most 5 s; an environment with `COSMOS_DISABLE_IMDS` skips that.

use std::num::NonZeroU32;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use azure_data_cosmos::feed::{ContinuationToken, FeedScope};
use azure_data_cosmos::models::{ContainerProperties, ItemResponse, TimeToLive};
use azure_data_cosmos::options::{
    BinaryEncodingOptions, ConnectionPoolOptions, FeedOptions, ItemWriteOptions, MaxItemCountHint, OperationOptions, OperationOptionsBuilder, Precondition,
    QueryOptions, ThrottlingRetryOptionsBuilder,
};
use azure_data_cosmos::{
    AccountEndpoint, AccountReference, ContainerClient, CosmosClient, CosmosClientBuilder, CosmosError, CosmosRuntime, CosmosStatus, Query, RoutingStrategy,
};
use futures::future::{BoxFuture, Shared};
use futures::{FutureExt as _, StreamExt as _};
use serde_json::Value;

use super::body::{self, Sound};
use super::{Condition, Container, Document, Documents, Page, Put, Written};
use crate::config::CosmosConfig;
use crate::error::{Error, Kind, Result};
use crate::model::time::Timestamp;
use crate::ports::identity::Identity;

const WHAT: &str = "Cosmos DB";

/// Time for one method call, its retry included.
const DEADLINE: Duration = Duration::from_secs(2);

/// Time that the check at start gives the SDK's client to come up, which includes its look at the metadata service.
const START: Duration = Duration::from_secs(4);

/// Time to create the database and one container, which a real account takes seconds for.
const CREATE: Duration = Duration::from_secs(10);

/// What every token of the SDK for going on with a query begins with.
const TOKEN: &str = "c1.";

/// Pause before the one retry.
const PAUSE: Duration = Duration::from_millis(50);

/// One try of a request.
type Try<'a, T> = BoxFuture<'a, std::result::Result<T, Fault>>;

/// What is changed about the SDK's client before it is built; tests inject the SDK's own faults by it.
pub type Adapt = Arc<dyn Fn(CosmosClientBuilder) -> CosmosClientBuilder + Send + Sync>;

type Starting = Shared<BoxFuture<'static, std::result::Result<CosmosClient, CosmosError>>>;

/// Documents in one database of a Cosmos DB account.
pub struct CosmosDocuments {
    account: AccountReference,
    database: String,
    create_missing: bool,
    adapt: Adapt,
    starting: Mutex<Option<Starting>>,
}

impl std::fmt::Debug for CosmosDocuments {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("CosmosDocuments").field("database", &self.database).finish_non_exhaustive()
    }
}

impl CosmosDocuments {
    /// Prepares the connection without touching the network. `identity` gives the tokens where the configuration
    /// holds no key. With `create_missing` (dev and test) the database and its containers are made where they are
    /// missing. `Setting` where the endpoint is no URL or there is neither key nor identity.
    pub fn connect(config: &CosmosConfig, identity: Option<Identity>, create_missing: bool) -> Result<Self> {
        Self::adapted(config, identity, create_missing, Arc::new(|builder| builder))
    }

    /// The same with something changed about the SDK's client.
    pub fn adapted(config: &CosmosConfig, identity: Option<Identity>, create_missing: bool, adapt: Adapt) -> Result<Self> {
        let endpoint = config.endpoint.parse::<AccountEndpoint>().map_err(|e| {
            Error::new(Kind::Setting, "COSMOS_ENDPOINT must be an https URL, for example COSMOS_ENDPOINT=https://contoso.documents.azure.com").because(e)
        })?;
        let account = match (&config.key, identity) {
            (Some(key), _) => AccountReference::with_authentication_key(endpoint, azure_core::credentials::Secret::new(key.expose().to_owned())),
            (None, Some(identity)) => AccountReference::with_credential(endpoint, identity.credential()),
            (None, None) => return Err(Error::new(Kind::Setting, "COSMOS_KEY must be set where no identity is there, for example COSMOS_KEY=<primary key>")),
        };
        Ok(Self { account, database: config.database.clone(), create_missing, adapt, starting: Mutex::new(None) })
    }

    /// The SDK's client. Its start is a task of its own: a caller whose deadline passes leaves it running for the
    /// next one; a start that failed is begun anew.
    async fn client(&self) -> std::result::Result<CosmosClient, Fault> {
        let starting = {
            let mut slot = self.starting.lock().unwrap_or_else(PoisonError::into_inner);
            match slot.as_ref() {
                Some(running) if !matches!(running.peek(), Some(Err(_))) => running.clone(),
                _ => slot.insert(begin(self.account.clone(), Arc::clone(&self.adapt))).clone(),
            }
        };
        starting.await.map_err(Fault::Sdk)
    }

    /// The SDK's handle of a container, which it looks up once and remembers.
    async fn container(&self, container: Container) -> std::result::Result<ContainerClient, Fault> {
        let database = self.client().await?.database_client(self.database.clone());
        match database.container_client(container.name(), None).await {
            Err(e) if is_missing(&e) && self.create_missing => {
                self.create(container).await?;
                database.container_client(container.name(), None).await.map_err(|e| self.missing(container, e))
            }
            other => other.map_err(|e| self.missing(container, e)),
        }
    }

    /// Creates the database and one container; whoever else does so at the same time does no harm.
    async fn create(&self, container: Container) -> std::result::Result<(), Fault> {
        let existing = |e: CosmosError| if e.status().is_conflict() { Ok(()) } else { Err(Fault::Sdk(e)) };
        let client = self.client().await?;
        client.create_database(&self.database, None).await.map(drop).or_else(existing)?;
        let properties = ContainerProperties::new(container.name(), format!("/{}", container.partition_field()).into()).with_default_ttl(TimeToLive::NoDefault);
        client.database_client(self.database.clone()).create_container(properties, None).await.map(drop).or_else(existing)
    }

    /// Tells a container that is missing from any other failure.
    fn missing(&self, container: Container, e: CosmosError) -> Fault {
        if is_missing(&e) { Fault::Ours(no_container(container).because(e)) } else { Fault::Sdk(e) }
    }

    /// Runs a request within the deadline; once more where `repeatable` and the first try failed for a moment.
    async fn run<'a, T: Send>(&self, container: Container, repeatable: bool, request: impl Fn() -> Try<'a, T> + Send + Sync) -> Result<Outcome<T>> {
        let tries = async {
            match request().await.map_err(|fault| self.blame(container, fault)) {
                Err(Fault::Sdk(e)) if repeatable && kind_of(&e) == Kind::Unavailable => {
                    tokio::time::sleep(PAUSE).await;
                    request().await.map_err(|fault| self.blame(container, fault))
                }
                first => first,
            }
        };
        match tokio::time::timeout(DEADLINE, tries).await {
            Err(_) => Err(Error::deadline(WHAT, DEADLINE)),
            Ok(Ok(value)) => Ok(Outcome::Done(value)),
            Ok(Err(Fault::Ours(e))) => Err(e),
            // The SDK sends a write again on another connection when the first one broke. A condition that fails then
            // may have failed because of our own first try: that is no verdict.
            Ok(Err(Fault::Sdk(e))) if is_verdict(&e) && !repeatable && was_resent(&e) => Err(Error::unavailable(WHAT, e)),
            Ok(Err(Fault::Sdk(e))) => match u16::from(e.status().status_code()) {
                404 if is_verdict(&e) => Ok(Outcome::Missing),
                409 | 412 => Ok(Outcome::Conflict),
                _ => Err(failure(e)),
            },
        }
    }

    /// A container that the SDK remembers and that has been removed since is a missing container.
    fn blame(&self, container: Container, fault: Fault) -> Fault {
        match fault {
            Fault::Sdk(e) if is_missing(&e) && sub_status(&e) == OWNER_NOT_FOUND => self.missing(container, e),
            other => other,
        }
    }
}

#[async_trait]
impl Documents for CosmosDocuments {
    async fn get(&self, container: Container, partition: &str, id: &str) -> Result<Option<Document>> {
        if !body::is_id(id) {
            return Ok(None);
        }
        let outcome = self
            .run(container, true, || {
                async move { Ok(self.container(container).await?.read_item(partition.to_owned(), id, None).await?.into_model::<Value>()?) }.boxed()
            })
            .await?;
        match outcome {
            Outcome::Done(body) => document(body).map(Some),
            Outcome::Missing => Ok(None),
            Outcome::Conflict => Err(Error::internal("a read met a conflict")),
        }
    }

    async fn put(&self, container: Container, body: &Value, condition: Condition<'_>) -> Result<Put> {
        let sound = body::sound(container, body)?;
        if let Condition::Matches(etag) = condition
            && !body::is_etag(etag)
        {
            return Ok(Put::Conflict);
        }
        match self.run(container, condition == Condition::Always, || self.write(container, &sound, condition).boxed()).await? {
            Outcome::Missing if matches!(condition, Condition::Matches(_)) => Ok(Put::Conflict),
            outcome => written(container, outcome),
        }
    }

    async fn insert(&self, container: Container, document: &Written) -> Result<Put> {
        body::check_written(document)?;
        let insert = || {
            let (partition, id, json) = (document.partition.clone(), document.id.as_str(), &*document.json);
            async move { Ok(self.container(container).await?.create_item(partition, id, json, None).await?) }.boxed()
        };
        written(container, self.run(container, false, insert).await?)
    }

    /// After a retry, false may also mean that the first try removed the document and its answer was lost.
    async fn delete(&self, container: Container, partition: &str, id: &str, etag: Option<&str>) -> Result<bool> {
        if !body::is_id(id) || etag.is_some_and(|etag| !body::is_etag(etag)) {
            return Ok(false);
        }
        let outcome = self
            .run(container, etag.is_none(), || {
                async move { Ok(self.container(container).await?.delete_item(partition.to_owned(), id, etag.map(only_if)).await?) }.boxed()
            })
            .await?;
        Ok(matches!(outcome, Outcome::Done(_)))
    }

    async fn list(&self, container: Container, partition: &str, id_prefix: &str, from: Option<&str>, limit: usize) -> Result<Page> {
        body::check_limit(limit)?;
        let query = listing(id_prefix, from.unwrap_or_default())?;
        let outcome = self.run(container, true, || self.page(container, partition, query.clone(), limit).boxed()).await?;
        let (bodies, more) = match outcome {
            Outcome::Done(found) => found,
            Outcome::Missing => return Err(no_container(container)),
            Outcome::Conflict => return Err(Error::internal("a query met a conflict")),
        };
        let documents = bodies.into_iter().map(document).collect::<Result<Vec<_>>>()?;
        Ok(Page { next: body::next_of(&documents, more), documents })
    }

    async fn scan(&self, container: Container, from: Option<&str>, limit: usize) -> Result<Page> {
        body::check_limit(limit)?;
        if from.is_some_and(|token| !token.starts_with(TOKEN)) {
            return Err(body::no_cursor());
        }
        let (bodies, next) = match self.run(container, true, || self.sweep(container, from, limit).boxed()).await? {
            Outcome::Done(found) => found,
            Outcome::Missing => return Err(no_container(container)),
            Outcome::Conflict => return Err(Error::internal("a query met a conflict")),
        };
        Ok(Page { documents: bodies.into_iter().map(document).collect::<Result<Vec<_>>>()?, next })
    }

    async fn check(&self) -> Result<()> {
        within(START, self.client()).await?;
        for container in Container::ALL {
            if self.create_missing {
                within(CREATE, self.container(container)).await?;
            }
            match self.run(container, true, || self.look(container).boxed()).await? {
                Outcome::Done(()) => {}
                Outcome::Missing | Outcome::Conflict => return Err(Error::internal("a container met a conflict")),
            }
        }
        Ok(())
    }
}

impl CosmosDocuments {
    /// Asks the account for a container: its handle alone may come from memory.
    async fn look(&self, container: Container) -> std::result::Result<(), Fault> {
        let found = self.container(container).await?.read(None).await.map_err(|e| self.missing(container, e))?;
        let properties = found.into_model()?;
        // Without it every document's own `ttl` means nothing, and nothing would ever be removed on time.
        if container.has_expiry() && !self.create_missing && properties.default_ttl.is_forever() {
            return Err(Fault::Ours(no_expiry(container)));
        }
        Ok(())
    }

    async fn write(&self, container: Container, sound: &Sound<'_>, condition: Condition<'_>) -> std::result::Result<ItemResponse, Fault> {
        let client = self.container(container).await?;
        let (partition, id, body) = (sound.partition.clone(), sound.id.as_str(), sound.body.as_ref());
        let written = match condition {
            Condition::Always => client.upsert_item(partition, id, body, None).await,
            Condition::Absent => client.create_item(partition, id, body, None).await,
            Condition::Matches(etag) => client.replace_item(partition, id, body, Some(only_if(etag))).await,
        };
        Ok(written?)
    }

    /// Documents of one page and whether more follow. The service ends an answer early (4 MB, or its time is up):
    /// answers are put together until the page is full in number or in bytes.
    async fn page(&self, container: Container, partition: &str, query: Query, limit: usize) -> std::result::Result<(Vec<Value>, bool), Fault> {
        // One more than asked for shows whether more follow.
        let hint = NonZeroU32::new(u32::try_from(limit + 1).unwrap_or(u32::MAX)).map_or(MaxItemCountHint::ServerDecides, MaxItemCountHint::Limit);
        let mut options = QueryOptions::default();
        options.feed = FeedOptions::default().with_max_item_count(hint);
        let scope = FeedScope::partition(partition.to_owned());
        let mut answers = self.container(container).await?.query_items::<Value>(query, scope, Some(options)).await?.into_pages();
        let (mut bodies, mut bytes) = (Vec::new(), 0);
        while let Some(answer) = answers.next().await {
            for body in answer?.into_items() {
                if bodies.len() == limit || bytes >= body::PAGE_BYTES {
                    return Ok((bodies, true));
                }
                bytes += serde_json::to_vec(&body).map(|text| text.len()).map_err(|e| Fault::Ours(Error::internal(e)))?;
                bodies.push(body);
            }
        }
        Ok((bodies, false))
    }
}

impl CosmosDocuments {
    /// One page of a walk over all partitions and the token to go on with. Physical partitions answer one after the other,
    /// so that one answer holds at most `limit`, and those that hold nothing are passed over as long as time allows.
    async fn sweep(&self, container: Container, from: Option<&str>, limit: usize) -> std::result::Result<(Vec<Value>, Option<String>), Fault> {
        let began = tokio::time::Instant::now();
        let hint = NonZeroU32::new(u32::try_from(limit).unwrap_or(u32::MAX)).map_or(MaxItemCountHint::ServerDecides, MaxItemCountHint::Limit);
        // The walk is meant to touch every partition, however many there are.
        let mut feed = FeedOptions::default().with_max_item_count(hint).with_max_fan_out(u32::MAX);
        if let Some(token) = from {
            feed = feed.with_continuation_token(ContinuationToken::from_string(token.to_owned()));
        }
        let mut options = QueryOptions::default();
        options.feed = feed;
        let scope = FeedScope::full_container();
        let mut answers = self.container(container).await?.query_items::<Value>("SELECT * FROM c", scope, Some(options)).await?.into_pages();
        while let Some(answer) = answers.next().await {
            let bodies = answer?.into_items();
            if !bodies.is_empty() || began.elapsed() > DEADLINE / 2 {
                return Ok((bodies, Some(answers.to_continuation_token()?.as_str().to_owned())));
            }
        }
        Ok((Vec::new(), None))
    }
}

/// What came of a request that the service judged.
enum Outcome<T> {
    Done(T),
    Missing,
    Conflict,
}

/// A failure that is already ours, or one of the SDK.
enum Fault {
    Ours(Error),
    Sdk(CosmosError),
}

impl From<CosmosError> for Fault {
    fn from(e: CosmosError) -> Self {
        Self::Sdk(e)
    }
}

/// A step of the check with a deadline of its own.
async fn within<T>(limit: Duration, step: impl Future<Output = std::result::Result<T, Fault>>) -> Result<T> {
    match tokio::time::timeout(limit, step).await {
        Err(_) => Err(Error::deadline(WHAT, limit)),
        Ok(Err(Fault::Ours(e))) => Err(e),
        Ok(Err(Fault::Sdk(e))) => Err(failure(e)),
        Ok(Ok(value)) => Ok(value),
    }
}

/// What became of a write that needs no version.
fn written(container: Container, outcome: Outcome<ItemResponse>) -> Result<Put> {
    match outcome {
        Outcome::Done(written) => etag_of(&written).map(Put::Done),
        Outcome::Missing => Err(no_container(container)),
        Outcome::Conflict => Ok(Put::Conflict),
    }
}

fn no_container(container: Container) -> Error {
    let (name, key) = (container.name(), container.partition_field());
    let needs = format!("COSMOS_DATABASE must name a database with a container {name} (partition key /{key}), for example COSMOS_DATABASE=rtvoice");
    Error::new(Kind::Setting, needs)
}

fn no_expiry(container: Container) -> Error {
    let name = container.name();
    let needs = format!(
        "COSMOS_DATABASE must name a database whose container {name} has time to live switched on without a default, for example az cosmosdb sql container update --ttl -1"
    );
    Error::new(Kind::Setting, needs)
}

/// Begins the start of the SDK's client.
fn begin(account: AccountReference, adapt: Adapt) -> Starting {
    let task = tokio::spawn(start(account, adapt));
    async move {
        let broken = CosmosStatus::new(azure_core::http::StatusCode::ServiceUnavailable);
        task.await.unwrap_or_else(|e| Err(CosmosError::builder().with_status(broken).with_message("the client did not start").with_source(e).build()))
    }
    .boxed()
    .shared()
}

async fn start(account: AccountReference, adapt: Adapt) -> std::result::Result<CosmosClient, CosmosError> {
    let pool = ConnectionPoolOptions::builder()
        .with_max_connect_timeout(DEADLINE)
        .with_max_dataplane_request_timeout(DEADLINE)
        // Creating a container is the slowest of these; our own deadlines hold for all others.
        .with_max_metadata_request_timeout(CREATE / 2)
        .build()?;
    let runtime = CosmosRuntime::builder().with_connection_pool(pool).build().await?;
    let builder = CosmosClientBuilder::new()
        .with_runtime(runtime)
        .with_default_operation_options(patience())
        // Plain JSON on the wire, which every tool between us and the account can read.
        .with_binary_encoding_options(BinaryEncodingOptions::new().with_enabled(false));
    // No preferred region: the account's own order holds.
    adapt(builder).build(account, RoutingStrategy::PreferredRegions(Vec::new())).await
}

/// No waiting inside the SDK: our deadline and our one retry decide.
fn patience() -> OperationOptions {
    let throttled = ThrottlingRetryOptionsBuilder::new().with_max_retry_count(0).with_max_retry_wait_time(Duration::ZERO).build();
    OperationOptionsBuilder::new().with_throttling_retry_options(throttled).with_max_failover_retry_count(0).build()
}

/// The query of a listing: one partition, ids with a prefix behind the last one seen, in their order.
fn listing(prefix: &str, after: &str) -> Result<Query> {
    Query::from("SELECT * FROM c WHERE STARTSWITH(c.id, @prefix) AND c.id > @after ORDER BY c.id")
        .with_parameter("@prefix", prefix)
        .and_then(|query| query.with_parameter("@after", after))
        .map_err(Error::internal)
}

fn only_if(etag: &str) -> ItemWriteOptions {
    ItemWriteOptions::default().with_precondition(Precondition::if_match(etag.to_owned()))
}

fn etag_of(written: &ItemResponse) -> Result<String> {
    let etag = written.headers().etag().ok_or_else(|| Error::internal("a write was answered without a version"))?;
    Ok(etag.to_string())
}

fn document(body: Value) -> Result<Document> {
    let etag = body.get("_etag").and_then(Value::as_str).ok_or_else(|| Error::internal("a document came without a version"))?.to_owned();
    // Whole seconds since 1970 (learn.microsoft.com/rest/api/cosmos-db/documents).
    let written = body.get("_ts").and_then(Value::as_i64).ok_or_else(|| Error::internal("a document came without the time of its writing"))?;
    Ok(Document { body: body::without_system_fields(body), etag, written_at: Timestamp::from_millis(written.saturating_mul(1000)) })
}

/// Sub-status of a 404 for a document whose container or database is gone.
const OWNER_NOT_FOUND: u16 = 1003;

/// Sub-status of a 404 for a replica that has not yet seen what this session wrote.
const SESSION_NOT_AVAILABLE: u16 = 1002;

fn sub_status(e: &CosmosError) -> u16 {
    e.status().sub_status().map_or(0, u16::from)
}

fn is_missing(e: &CosmosError) -> bool {
    u16::from(e.status().status_code()) == 404 && sub_status(e) != SESSION_NOT_AVAILABLE
}

/// True where the service has judged the request, and not merely failed to serve it.
fn is_verdict(e: &CosmosError) -> bool {
    is_missing(e) || matches!(u16::from(e.status().status_code()), 409 | 412)
}

fn was_resent(e: &CosmosError) -> bool {
    e.diagnostics().is_some_and(|d| d.request_count() > 1)
}

fn kind_of(e: &CosmosError) -> Kind {
    kind_of_status(u16::from(e.status().status_code()), sub_status(e))
}

/// The kind of a status (learn.microsoft.com/rest/api/cosmos-db/http-status-codes-for-cosmosdb). The SDK gives failures
/// of the connection a status too: 503 where it broke, 408 where time ran out.
pub fn kind_of_status(status: u16, sub_status: u16) -> Kind {
    match (status, sub_status) {
        (404, SESSION_NOT_AVAILABLE) => Kind::Unavailable,
        // Another region took over the writes or the account: the SDK looks again, the next try finds it.
        (403, 3 | 1008) => Kind::Unavailable,
        (401 | 403, _) => Kind::Denied,
        (413, _) => Kind::BadInput,
        (429, _) => Kind::Throttled,
        (408 | 410 | 449 | 500..=599, _) => Kind::Unavailable,
        _ => Kind::Internal,
    }
}

fn failure(e: CosmosError) -> Error {
    let detail = match kind_of(&e) {
        Kind::Denied => "Cosmos DB refused the identity or its rights",
        Kind::BadInput => "a document must have at most 2 MB",
        Kind::Throttled => "Cosmos DB asked for patience",
        Kind::Unavailable => return Error::unavailable(WHAT, e),
        _ => return Error::internal(e),
    };
    let after = e.response().and_then(|response| response.headers().retry_after_ms).map(Duration::from_millis);
    let error = Error::new(kind_of(&e), detail).because(e);
    match after {
        Some(after) => error.retry_after(after),
        None => error,
    }
}
