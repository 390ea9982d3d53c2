//! A port behind a circuit breaker: while the dependency is away its calls fail at once, so that nothing waits for
//! a deadline over and over.

use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use serde_json::Value;
use zeroize::Zeroizing;

use super::breaker::Breaker;
use super::documents::{Condition, Container, Document, Documents, Page, Put, Written};
use super::queue::{Description, Message, Queue};
use super::replies::{Prompt, Replies, Reply};
use super::root_key::{KeyWrapper, Wrapped};
use super::speech::Speech;
use crate::error::Result;
use crate::model::phrase::Phrase;
use crate::model::time::Timestamp;
use crate::telemetry::Metrics;
use crate::telemetry::label::Dependency;

/// A backend and its breaker.
#[derive(Debug)]
pub struct Guarded<P> {
    port: P,
    breaker: Breaker,
}

impl<P> Guarded<P> {
    /// Guards a backend; `name` is what errors call it.
    pub fn new(name: &'static str, port: P) -> Self {
        Self { port, breaker: Breaker::new(name) }
    }

    /// Shows the circuit in these metrics.
    #[must_use]
    pub fn measured(self, metrics: &Arc<Metrics>, dependency: Dependency) -> Self {
        Self { breaker: self.breaker.measured(Arc::clone(metrics), dependency), ..self }
    }
}

#[async_trait]
impl<P: Documents> Documents for Guarded<P> {
    async fn get(&self, container: Container, partition: &str, id: &str) -> Result<Option<Document>> {
        self.breaker.call(self.port.get(container, partition, id)).await
    }

    async fn put(&self, container: Container, body: &Value, condition: Condition<'_>) -> Result<Put> {
        self.breaker.call(self.port.put(container, body, condition)).await
    }

    async fn insert(&self, container: Container, document: &Written) -> Result<Put> {
        self.breaker.call(self.port.insert(container, document)).await
    }

    async fn delete(&self, container: Container, partition: &str, id: &str, etag: Option<&str>) -> Result<bool> {
        self.breaker.call(self.port.delete(container, partition, id, etag)).await
    }

    async fn list(&self, container: Container, partition: &str, id_prefix: &str, from: Option<&str>, limit: usize) -> Result<Page> {
        self.breaker.call(self.port.list(container, partition, id_prefix, from, limit)).await
    }

    async fn scan(&self, container: Container, from: Option<&str>, limit: usize) -> Result<Page> {
        self.breaker.call(self.port.scan(container, from, limit)).await
    }

    async fn check(&self) -> Result<()> {
        let result = self.port.check().await;
        self.breaker.record(&result);
        result
    }
}

#[async_trait]
impl<P: Queue> Queue for Guarded<P> {
    async fn send(&self, message: &Message) -> Result<()> {
        self.breaker.call(self.port.send(message)).await
    }

    async fn check(&self) -> Result<()> {
        let result = self.port.check().await;
        self.breaker.record(&result);
        result
    }

    /// Past the breaker: that this right is missing says nothing of the right to send.
    async fn describe(&self) -> Result<Description> {
        self.port.describe().await
    }
}

#[async_trait]
impl<P: Replies> Replies for Guarded<P> {
    async fn reply(&self, prompt: Prompt<'_>) -> Result<Reply> {
        self.breaker.call(self.port.reply(prompt)).await
    }

    fn name(&self) -> &'static str {
        self.port.name()
    }
}

#[async_trait]
impl<P: Speech> Speech for Guarded<P> {
    async fn synthesise(&self, phrase: &Phrase) -> Result<Bytes> {
        self.breaker.call(self.port.synthesise(phrase)).await
    }

    fn name(&self) -> &'static str {
        self.port.name()
    }
}

#[async_trait]
impl<P: KeyWrapper> KeyWrapper for Guarded<P> {
    async fn wrap(&self, key: &[u8]) -> Result<Wrapped> {
        self.breaker.call(self.port.wrap(key)).await
    }

    async fn unwrap(&self, kid: &str, wrapped: &[u8]) -> Result<Zeroizing<Vec<u8>>> {
        self.breaker.call(self.port.unwrap(kid, wrapped)).await
    }

    async fn current(&self) -> Result<String> {
        self.breaker.call(self.port.current()).await
    }

    async fn made_at(&self) -> Result<Option<Timestamp>> {
        self.breaker.call(self.port.made_at()).await
    }

    async fn rotate(&self) -> Result<String> {
        self.breaker.call(self.port.rotate()).await
    }

    async fn retire(&self, kid: &str) -> Result<bool> {
        self.breaker.call(self.port.retire(kid)).await
    }
}
