//! Entra without Entra: tokens that say for whom they are, a credential that makes them, and a stand-in for the
//! managed identity endpoint of App Service (`GET ?api-version=2019-08-01&resource=...` with `X-IDENTITY-HEADER`).

use std::collections::HashMap;
use std::sync::{Arc, Mutex};

use axum::Json;
use axum::Router;
use axum::extract::{Query, State};
use axum::http::{HeaderMap, Method, StatusCode};
use azure_core::credentials::{AccessToken, TokenCredential, TokenRequestOptions};
use azure_core::time::OffsetDateTime;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use rtvoice::ports::clock::{Clock as _, SystemClock};
use rtvoice::ports::identity::Identity;
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

/// Seconds that a token lives.
const LIFE: i64 = 3600;

/// A token for `audience`, such as `https://servicebus.azure.net`, that lives until `expires` (Unix seconds).
pub fn mint(audience: &str, expires: i64) -> String {
    let payload = json!({"aud": audience, "exp": expires, "oid": "00000000-0000-0000-0000-00000000000a"}).to_string();
    let payload = URL_SAFE_NO_PAD.encode(payload);
    format!("eyJhbGciOiJ0ZXN0In0.{payload}.{}", seal(&payload))
}

/// The audience of a token made here that has not expired.
pub fn audience_of(token: &str) -> Option<String> {
    let [_, payload, sealed] = token.split('.').collect::<Vec<_>>()[..] else { return None };
    let claims: Value = serde_json::from_slice(&URL_SAFE_NO_PAD.decode(payload).ok()?).ok()?;
    let live = claims["exp"].as_i64()? > unix_now();
    (live && sealed == seal(payload)).then(|| claims["aud"].as_str().map(str::to_owned))?
}

fn seal(payload: &str) -> String {
    URL_SAFE_NO_PAD.encode(Sha256::digest(format!("the authority's key.{payload}")))
}

/// Seconds since 1970.
pub fn unix_now() -> i64 {
    SystemClock.now().millis() / 1000
}

/// An identity whose tokens are for the resource that is asked for.
pub fn identity() -> Identity {
    Identity::from_credential(Arc::new(TestCredential { audience: None }))
}

/// An identity whose tokens are for `audience`, whatever is asked for.
pub fn identity_for(audience: &str) -> Identity {
    Identity::from_credential(Arc::new(TestCredential { audience: Some(audience.to_owned()) }))
}

#[derive(Debug)]
struct TestCredential {
    audience: Option<String>,
}

#[async_trait::async_trait]
impl TokenCredential for TestCredential {
    async fn get_token(&self, scopes: &[&str], _: Option<TokenRequestOptions<'_>>) -> azure_core::Result<AccessToken> {
        let [scope] = scopes else { panic!("one scope at a time, not {scopes:?}") };
        let resource = scope.strip_suffix("/.default").unwrap_or_else(|| panic!("{scope} is no scope of a whole resource"));
        let expires = OffsetDateTime::from_unix_timestamp(unix_now() + LIFE).expect("a time");
        Ok(AccessToken::new(mint(self.audience.as_deref().unwrap_or(resource), expires.unix_timestamp()), expires))
    }
}

/// The managed identity endpoint on a free loopback port.
pub struct IdentityEndpoint {
    url: String,
    shared: Arc<Endpoint>,
    task: JoinHandle<()>,
}

#[derive(Default)]
struct Endpoint {
    asked: Mutex<Vec<String>>,
    fixed: Option<String>,
}

/// What the endpoint expects in `X-IDENTITY-HEADER`.
const HEADER: &str = "5a1fc0de-identity-header";

impl IdentityEndpoint {
    /// Starts it; every request gets a fresh token for the resource that it names.
    pub async fn start() -> Self {
        Self::serve(None).await
    }

    /// Starts it; every request gets this token, whatever it names.
    pub async fn giving(token: &str) -> Self {
        Self::serve(Some(token.to_owned())).await
    }

    async fn serve(fixed: Option<String>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let url = format!("http://{}/msi/token", listener.local_addr().expect("an address"));
        let shared = Arc::new(Endpoint { fixed, ..Endpoint::default() });
        let router = Router::new().route("/msi/token", axum::routing::any(token)).with_state(Arc::clone(&shared));
        let task = tokio::spawn(async move { axum::serve(listener, router).await.expect("serving") });
        Self { url, shared, task }
    }

    /// The environment that leads a process here.
    pub fn env(&self) -> [(&'static str, String); 2] {
        [("IDENTITY_ENDPOINT", self.url.clone()), ("IDENTITY_HEADER", HEADER.to_owned())]
    }

    /// The resources that tokens were given for, in order.
    pub fn asked(&self) -> Vec<String> {
        self.shared.asked.lock().expect("lock").clone()
    }
}

impl Drop for IdentityEndpoint {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn token(
    State(shared): State<Arc<Endpoint>>,
    method: Method,
    headers: HeaderMap,
    Query(query): Query<HashMap<String, String>>,
) -> (StatusCode, Json<Value>) {
    let refuse = |reason: &str| (StatusCode::BAD_REQUEST, Json(json!({"statusCode": 400, "message": reason})));
    if method != Method::GET {
        return refuse("GET only");
    }
    if headers.get("x-identity-header").is_none_or(|h| h != HEADER) {
        return refuse("X-IDENTITY-HEADER is missing or wrong");
    }
    if query.get("api-version").is_none_or(|v| v != "2019-08-01") {
        return refuse("api-version is missing or wrong");
    }
    let Some(resource) = query.get("resource").filter(|r| r.starts_with("https://") && !r.ends_with("/.default")) else {
        return refuse("resource is missing or a scope");
    };
    shared.asked.lock().expect("lock").push(resource.clone());
    let expires = unix_now() + LIFE;
    let token = shared.fixed.clone().unwrap_or_else(|| mint(resource, expires));
    let answer = json!({"access_token": token, "expires_on": expires.to_string(), "resource": resource, "token_type": "Bearer"});
    (StatusCode::OK, Json(answer))
}
