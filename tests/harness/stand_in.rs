//! What every HTTP stand-in shares: a server of its own on a free loopback port, a queue of faults, a record of what
//! came in and of what was wrong with it.
//!
//! The server runs on a thread of its own, so that a test may block, and a child process may be its client. It ends
//! with the stand-in.

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::body::Bytes;
use axum::extract::Request;
use axum::http::{HeaderMap, Method, Uri};
use axum::response::{IntoResponse as _, Response};

/// A request as it came in.
#[derive(Debug, Clone)]
pub struct Seen {
    pub method: Method,
    pub uri: Uri,
    pub headers: HeaderMap,
    pub body: Bytes,
}

impl Seen {
    /// A header's value; empty when missing or not text.
    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).and_then(|v| v.to_str().ok()).unwrap_or_default()
    }
}

/// What is asked of a client that proves who it is.
#[derive(Debug, Clone)]
pub enum Credential {
    Key(&'static str),
    Bearer(&'static str),
}

impl Credential {
    /// Exactly this credential, in its own header, and no other beside it.
    pub fn check(&self, seen: &Seen, key_header: &str) -> Result<(), String> {
        let (key, bearer) = (seen.header(key_header), seen.header("authorization"));
        let sound = match self {
            Self::Key(expected) => key == *expected && bearer.is_empty(),
            Self::Bearer(expected) => bearer == format!("Bearer {expected}") && key.is_empty(),
        };
        if sound { Ok(()) } else { Err("credential".to_owned()) }
    }
}

/// A running server with its record; `F` is its kind of fault.
pub struct StandIn<F> {
    address: SocketAddr,
    shared: Arc<Shared<F>>,
    stop: Option<tokio::sync::oneshot::Sender<()>>,
    thread: Option<std::thread::JoinHandle<()>>,
}

struct Shared<F> {
    faults: Mutex<VecDeque<F>>,
    seen: Mutex<Vec<Seen>>,
    complaints: Mutex<Vec<String>>,
}

/// What a stand-in does with a request that came in.
pub enum Verdict<F> {
    /// The request is wrong: the complaint, and the answer that the real service would give.
    Wrong(String, Response),
    /// The request is right: the answer, which the next fault may replace.
    Right(Response, fn(F) -> Option<Response>),
}

impl<F: Send + 'static> StandIn<F> {
    /// Starts a server that judges every request.
    pub fn start(judge: impl Fn(&Seen) -> Verdict<F> + Send + Sync + 'static) -> Self {
        let shared = Arc::new(Shared { faults: Mutex::default(), seen: Mutex::default(), complaints: Mutex::default() });
        let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
        let (bound, address) = std::sync::mpsc::channel();
        let (state, judge) = (Arc::clone(&shared), Arc::new(judge));
        let thread = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
            runtime.block_on(async move {
                let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a free port");
                bound.send(listener.local_addr().expect("an address")).expect("the test waits for it");
                let app = Router::new().fallback(move |request: Request| answer(Arc::clone(&state), Arc::clone(&judge), request));
                tokio::select! {
                    _ = axum::serve(listener, app) => {}
                    _ = stopped => {}
                }
            });
        });
        let address = address.recv().expect("the server starts");
        Self { address, shared, stop: Some(stop), thread: Some(thread) }
    }

    /// Base URL, without a trailing slash.
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// The next correct requests meet these faults, one each, in order.
    pub fn inject(&self, faults: impl IntoIterator<Item = F>) {
        self.shared.faults.lock().expect("unpoisoned").extend(faults);
    }

    /// Every request so far.
    pub fn seen(&self) -> Vec<Seen> {
        self.shared.seen.lock().expect("unpoisoned").clone()
    }

    /// What was wrong with requests so far.
    pub fn complaints(&self) -> Vec<String> {
        self.shared.complaints.lock().expect("unpoisoned").clone()
    }
}

impl<F> Drop for StandIn<F> {
    fn drop(&mut self) {
        self.stop.take().map(|stop| stop.send(()));
        self.thread.take().map(std::thread::JoinHandle::join);
    }
}

async fn answer<F, J>(shared: Arc<Shared<F>>, judge: Arc<J>, request: Request) -> Response
where
    J: Fn(&Seen) -> Verdict<F>,
{
    let (head, body) = request.into_parts();
    let body = match axum::body::to_bytes(body, 4 * 1024 * 1024).await {
        Ok(body) => body,
        // A client that broke off halfway gets an answer that it never reads.
        Err(e) => {
            assert!(!super::is_too_long(&e), "a body within 4 MiB");
            return axum::http::StatusCode::BAD_REQUEST.into_response();
        }
    };
    let seen = Seen { method: head.method, uri: head.uri, headers: head.headers, body };
    let verdict = judge(&seen);
    shared.seen.lock().expect("unpoisoned").push(seen);
    match verdict {
        Verdict::Wrong(complaint, response) => {
            shared.complaints.lock().expect("unpoisoned").push(complaint);
            response
        }
        Verdict::Right(response, fail) => {
            let fault = shared.faults.lock().expect("unpoisoned").pop_front();
            match fault.map(fail) {
                None => response,
                Some(Some(failed)) => failed,
                // A fault without an answer: the request hangs until its client gives up.
                Some(None) => std::future::pending().await,
            }
        }
    }
}

/// A request written by hand, to change one thing at a time.
#[derive(Debug, Clone)]
pub struct Raw {
    pub method: Method,
    pub target: String,
    pub headers: Vec<(&'static str, String)>,
    pub body: Vec<u8>,
}

impl Raw {
    /// This request with another value of one header; none removes it.
    pub fn header(mut self, name: &'static str, value: Option<&str>) -> Self {
        self.headers.retain(|(n, _)| *n != name);
        self.headers.extend(value.map(|v| (name, v.to_owned())));
        self
    }

    /// This request at another target.
    pub fn target(self, target: &str) -> Self {
        Self { target: target.to_owned(), ..self }
    }

    /// This request with another body.
    pub fn body(self, body: impl Into<Vec<u8>>) -> Self {
        Self { body: body.into(), ..self }
    }

    /// The status of the answer.
    pub async fn send(self, base: &str) -> u16 {
        let client = rtvoice::ports::http::client().expect("a client");
        let request = client.request(self.method, format!("{base}{}", self.target)).body(self.body);
        let request = self.headers.into_iter().fold(request, |request, (name, value)| request.header(name, value));
        request.send().await.expect("an answer").status().as_u16()
    }
}

/// An identity whose token never changes.
pub fn fixed_identity(token: &'static str) -> rtvoice::ports::identity::Identity {
    #[derive(Debug)]
    struct Fixed(&'static str);

    #[async_trait::async_trait]
    impl azure_core::credentials::TokenCredential for Fixed {
        async fn get_token(
            &self,
            scopes: &[&str],
            _: Option<azure_core::credentials::TokenRequestOptions<'_>>,
        ) -> azure_core::Result<azure_core::credentials::AccessToken> {
            assert_eq!(scopes, ["https://cognitiveservices.azure.com/.default"]);
            let far = azure_core::time::OffsetDateTime::now_utc() + azure_core::time::Duration::hours(1);
            Ok(azure_core::credentials::AccessToken::new(self.0.to_owned(), far))
        }
    }
    rtvoice::ports::identity::Identity::from_credential(Arc::new(Fixed(token)))
}
