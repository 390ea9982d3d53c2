//! What a request of a test was answered with, and what a sound answer looks like.

use axum::http::HeaderMap;
use bytes::Bytes;
use serde_json::Value;

/// What a request was answered with.
#[derive(Debug, Clone)]
pub struct Answer {
    /// HTTP status.
    pub status: u16,
    /// Headers.
    pub headers: HeaderMap,
    /// The whole body.
    pub body: Bytes,
}

impl Answer {
    /// The body as JSON.
    #[track_caller]
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|e| panic!("not JSON ({e}): {} {:?}", self.status, self.body))
    }

    /// One header; empty where it is missing.
    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().unwrap())
    }

    /// The body of a 200.
    #[track_caller]
    pub fn ok(&self) -> Value {
        assert_eq!(self.status, 200, "{}", String::from_utf8_lossy(&self.body));
        self.json()
    }

    /// Checks that this is problem details with this status, type and field (empty: none).
    #[track_caller]
    pub fn problem(&self, status: u16, slug: &str, field: &str) -> Value {
        let shown = String::from_utf8_lossy(&self.body);
        assert_eq!(self.status, status, "{shown}");
        assert_eq!(self.header("content-type"), "application/problem+json", "{shown}");
        let problem = self.json();
        assert_eq!(problem["type"], format!("urn:rtvoice:problem:{slug}"), "{shown}");
        assert_eq!(problem["status"], status, "{shown}");
        assert!(problem["title"].as_str().is_some_and(|t| !t.is_empty()), "{shown}");
        assert!(problem["detail"].as_str().is_some_and(|t| !t.is_empty()), "{shown}");
        assert_eq!(problem["field"].as_str().unwrap_or_default(), field, "{shown}");
        if status == 503 {
            assert!(self.header("retry-after").parse::<u64>().is_ok_and(|s| s >= 1), "503 says when to come back");
        }
        problem
    }
}
