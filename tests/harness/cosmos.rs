//! A Cosmos DB account on a free loopback port: the emulator of the SDK's own driver behind HTTP.
//!
//! It stores, queries and judges conditions as the service does; it checks no signature and lets nothing expire. It
//! runs on a thread of its own, so that tests may block and other processes may use it, and stops when dropped.
//! [`CosmosEmulator::fail_next`] and [`CosmosEmulator::fail_all`] make it misbehave.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use axum::body::{Body, Bytes};
use axum::extract::{Request, State};
use axum::response::Response;
use azure_core::http::headers::{HeaderName, HeaderValue};
use azure_core::http::{Method, Url};
use azure_data_cosmos_driver::in_memory_emulator::{InMemoryEmulatorHttpClient, VirtualAccountConfig, VirtualRegion};
use rtvoice::config::{CosmosConfig, Secret};
use tokio::net::TcpListener;
use tokio::runtime::Runtime;

/// The most that a request may carry: above the service's own 2 MB, so that our limit is the one that is tested.
const BODY: usize = 16 << 20;

/// How the account misbehaves.
#[derive(Debug, Clone, Copy)]
pub enum Fault {
    /// 429 with `x-ms-retry-after-ms`.
    Throttle(Duration),
    /// This status with this sub-status; nothing is done. A failed condition (412) is met by requests that have one alone.
    Status(u16, u16),
    /// Carried out and answered this much later.
    Slow(Duration),
    /// No answer, and nothing is done.
    Hang,
    /// The request is carried out, its answer never comes.
    LoseAnswer,
    /// The request is carried out, its answer breaks off.
    BreakOff,
}

/// A running account.
pub struct CosmosEmulator {
    runtime: Option<Runtime>,
    account: Arc<Account>,
}

struct Account {
    emulator: InMemoryEmulatorHttpClient,
    endpoint: Url,
    faults: Mutex<Faults>,
    /// The address of the TLS in front of us, where there is one.
    front: Mutex<Option<String>>,
    document_requests: AtomicUsize,
}

#[derive(Default)]
struct Faults {
    /// For the next requests on documents: how many, and what.
    next: Option<(usize, Fault)>,
    /// For every request.
    all: Option<Fault>,
    /// After this many more requests on documents, for every request.
    later: Option<(usize, Fault)>,
}

impl CosmosEmulator {
    /// Starts an empty account on a free port.
    pub async fn start() -> Self {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
        let listener = std::net::TcpListener::bind(SocketAddr::from(([127, 0, 0, 1], 0))).unwrap();
        listener.set_nonblocking(true).unwrap();
        let endpoint: Url = format!("http://{}/", listener.local_addr().unwrap()).parse().unwrap();
        let config = VirtualAccountConfig::new(vec![VirtualRegion::new("West Europe", endpoint.clone())]).unwrap();
        let account = Arc::new(Account {
            emulator: InMemoryEmulatorHttpClient::new(config),
            endpoint,
            faults: Mutex::default(),
            front: Mutex::default(),
            document_requests: AtomicUsize::new(0),
        });
        let router = axum::Router::new().fallback(serve).with_state(Arc::clone(&account));
        runtime.spawn(async move {
            // Speaks HTTP/1.1 and HTTP/2 with prior knowledge; the SDK uses the latter.
            axum::serve(TcpListener::from_std(listener).unwrap(), router).await.unwrap();
        });
        Self { runtime: Some(runtime), account }
    }

    /// What `COSMOS_ENDPOINT` should be.
    pub fn endpoint(&self) -> String {
        self.account.endpoint.as_str().trim_end_matches('/').to_owned()
    }

    /// Whoever comes by this address finds the account there, and not here.
    pub fn known_as(&self, front: String) {
        *self.account.front.lock().unwrap() = Some(front);
    }

    /// What `COSMOS_KEY` may be; the emulator accepts any.
    pub fn key(&self) -> String {
        "cnR2b2ljZS10ZXN0LWtleQ==".to_owned()
    }

    /// The configuration for one of its databases.
    pub fn config(&self, database: &str) -> CosmosConfig {
        CosmosConfig { endpoint: self.endpoint(), key: Some(Secret::new(self.key())), database: database.to_owned() }
    }

    /// Makes the next `count` requests on documents (reads, writes, queries) fail.
    pub fn fail_next(&self, count: usize, fault: Fault) {
        self.account.faults.lock().unwrap().next = Some((count, fault));
    }

    /// Makes every request fail until [`Self::recover`], those on the account and its containers included.
    pub fn fail_all(&self, fault: Fault) {
        self.account.faults.lock().unwrap().all = Some(fault);
    }

    /// Serves `count` more requests on documents, then makes every request fail until [`Self::recover`].
    pub fn fail_after(&self, count: usize, fault: Fault) {
        self.account.faults.lock().unwrap().later = Some((count, fault));
    }

    /// Whether every request fails now.
    pub fn is_failing(&self) -> bool {
        self.account.faults.lock().unwrap().all.is_some()
    }

    /// Ends all misbehaviour.
    pub fn recover(&self) {
        *self.account.faults.lock().unwrap() = Faults::default();
    }

    /// How many requests on documents have come so far.
    pub fn document_requests(&self) -> usize {
        self.account.document_requests.load(Ordering::SeqCst)
    }
}

impl Drop for CosmosEmulator {
    fn drop(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}

impl Account {
    /// The fault for a request, and whether it uses one up.
    fn fault_for(&self, path: &str, conditional: bool) -> Option<Fault> {
        let on_documents = path.split('/').nth(5) == Some("docs");
        if on_documents {
            self.document_requests.fetch_add(1, Ordering::SeqCst);
        }
        let mut faults = self.faults.lock().unwrap();
        if on_documents && let Some((left, fault)) = faults.later {
            faults.later = Some((left.saturating_sub(1), fault));
            if left == 0 {
                (faults.later, faults.all) = (None, Some(fault));
            }
        }
        if faults.all.is_some() || !on_documents {
            return faults.all;
        }
        let meets = |fault: &Fault| conditional || !matches!(fault, Fault::Status(412, _));
        let (left, fault) = faults.next.filter(|(left, fault)| *left > 0 && meets(fault))?;
        faults.next = Some((left - 1, fault));
        Some(fault)
    }

    /// The account tells where its regions are: whoever came by the address in front of us is told that one.
    async fn told(&self, asked: &axum::http::request::Parts, answer: Response) -> Response {
        let host = asked.uri.authority().map(ToString::to_string).or_else(|| Some(asked.headers.get("host")?.to_str().ok()?.to_owned()));
        let front = self.front.lock().unwrap().clone().filter(|front| host.is_some_and(|host| front.ends_with(&format!("//{host}"))));
        let Some(front) = front else { return answer };
        let (mut parts, body) = answer.into_parts();
        let text = axum::body::to_bytes(body, BODY).await.unwrap();
        parts.headers.remove("content-length");
        Response::from_parts(parts, Body::from(String::from_utf8_lossy(&text).replace(self.endpoint.as_str().trim_end_matches('/'), &front)))
    }

    async fn answer(&self, method: &str, path: &str, headers: &axum::http::HeaderMap, body: Bytes) -> Response {
        let method = match method {
            "GET" => Method::Get,
            "POST" => Method::Post,
            "PUT" => Method::Put,
            "DELETE" => Method::Delete,
            "PATCH" => Method::Patch,
            _ => return plain(405, &[]),
        };
        let mut request = azure_core::http::Request::new(self.endpoint.join(path).unwrap(), method);
        for (name, value) in headers {
            let (name, value) = (name.as_str().to_owned(), value.to_str().unwrap().to_owned());
            request.headers_mut().insert(HeaderName::from(name), HeaderValue::from(value));
        }
        request.set_body(body);
        let answer = self.emulator.execute_request(&request).await.unwrap().try_into_raw_response().await.unwrap();
        let mut response = Response::builder().status(u16::from(answer.status()));
        for (name, value) in answer.headers().iter() {
            response = response.header(name.as_str(), ascii(value.as_str()));
        }
        response.body(Body::from(answer.body().as_ref().to_vec())).unwrap()
    }
}

/// The emulator's tokens for going on are JSON with the last id in it; a header takes ASCII alone, as the service's do.
fn ascii(value: &str) -> String {
    value
        .chars()
        .map(|c| if c.is_ascii() { c.to_string() } else { c.encode_utf16(&mut [0; 2]).iter().map(|unit| format!("\\u{unit:04x}")).collect() })
        .collect()
}

async fn serve(State(account): State<Arc<Account>>, request: Request) -> Response {
    let path = request.uri().path_and_query().map_or("/", |p| p.as_str()).to_owned();
    let fault = account.fault_for(request.uri().path(), request.headers().contains_key("if-match"));
    let (parts, body) = request.into_parts();
    // A client that was killed halfway gets an answer that it never reads.
    let Ok(body) = axum::body::to_bytes(body, BODY).await else { return plain(400, &[]) };
    match fault {
        None if path == "/" => account.told(&parts, account.answer(parts.method.as_str(), &path, &parts.headers, body).await).await,
        None => account.answer(parts.method.as_str(), &path, &parts.headers, body).await,
        Some(Fault::Throttle(after)) => plain(429, &[("x-ms-retry-after-ms", after.as_millis().to_string())]),
        Some(Fault::Status(status, sub)) => plain(status, &[("x-ms-substatus", sub.to_string())]),
        Some(Fault::Slow(by)) => {
            tokio::time::sleep(by).await;
            account.answer(parts.method.as_str(), &path, &parts.headers, body).await
        }
        Some(Fault::Hang) => std::future::pending().await,
        Some(Fault::LoseAnswer) => {
            account.answer(parts.method.as_str(), &path, &parts.headers, body).await;
            std::future::pending().await
        }
        Some(Fault::BreakOff) => {
            let mut answer = account.answer(parts.method.as_str(), &path, &parts.headers, body).await;
            answer.headers_mut().remove("content-length");
            let broken = Err::<Bytes, _>(std::io::Error::other("injected"));
            *answer.body_mut() = Body::from_stream(futures::stream::once(async { broken }));
            answer
        }
    }
}

fn plain(status: u16, headers: &[(&str, String)]) -> Response {
    let mut response = Response::builder().status(status).header("content-type", "application/json");
    for (name, value) in headers {
        response = response.header(*name, value);
    }
    response.body(Body::from(r#"{"code":"Fault","message":"injected"}"#)).unwrap()
}
