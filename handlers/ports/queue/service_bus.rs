//! Service Bus over its REST API: one message per request, or a batch where much is to be sent at once.
//!
//! The vendor crate assembles the request; `Courier`, its transport, gives it what the crate cannot: the configured
//! address, an Entra token or a signature made for that address by our own clock, errors with their status, body and
//! `Retry-After`. The crate's own `BrokerProperties` are not used: it writes scheduled times as `+0000` where the
//! service documents `GMT`, and text beyond ASCII as it is, which no header carries. Fails as the contract says; a
//! send may be repeated because the queue drops a second message with the same id.
//!
//! Facts: "Send Message", "Send Message Batch" and "Message Headers and Properties" of the Service Bus REST
//! reference. Header names travel in lower case, so the trace context arrives as `traceparent` and `diagnostic-id`:
//! read them without regard to case.

mod courier;
mod description;
mod line;
mod post;

use std::sync::Arc;

use async_trait::async_trait;
use tokio::time::timeout;

use self::courier::{Auth, Courier};
use self::line::Line;
use self::post::{DEADLINE, Post};
use super::{Description, Message, Queue};
use crate::config::ServiceBusConfig;
use crate::error::{Error, Kind, Result};
use crate::ports::clock::Clock;
use crate::ports::identity::Identity;

/// A Service Bus queue with sessions and duplicate detection.
pub struct ServiceBusQueue {
    line: Arc<Line>,
    /// The vendor crate cannot ask for the description: the courier does.
    courier: Arc<Courier>,
    /// Where the description is.
    path: String,
}

impl std::fmt::Debug for ServiceBusQueue {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "ServiceBusQueue({:?})", self.line.post())
    }
}

impl ServiceBusQueue {
    /// Prepares to send to `queue`; nothing is sent yet. Without a key in `config` there must be an `identity`.
    pub fn connect(config: &ServiceBusConfig, queue: &str, http: reqwest::Client, identity: Option<Identity>, clock: Arc<dyn Clock>) -> Result<Self> {
        let auth = match (&config.key, identity) {
            (Some((policy, key)), _) => Auth::Key { policy: policy.clone(), key: key.clone() },
            (None, Some(identity)) => Auth::Entra(identity),
            (None, None) => {
                let line = "SERVICE_BUS_KEY must be set where no identity is to be had, for example SERVICE_BUS_KEY=<policy key>";
                return Err(Error::new(Kind::Setting, line));
            }
        };
        let courier = Arc::new(Courier::new(http, &config.base_url, auth, clock));
        Ok(Self { line: Line::new(Post::new(Arc::clone(&courier), queue)?), courier, path: format!("/{queue}") })
    }
}

#[async_trait]
impl Queue for ServiceBusQueue {
    async fn send(&self, message: &Message) -> Result<()> {
        message.check()?;
        // Whoever waits for a place has the same deadline; what is sent after it was given up is a duplicate at worst.
        timeout(DEADLINE, self.line.send(message)).await.unwrap_or_else(|_| Err(Error::deadline("Service Bus", DEADLINE)))
    }

    /// Sends an empty batch. (Reading the queue's description would need the Manage right, which a sender should not have.) A 400
    /// therefore means reachable and allowed, like a 201; everything else is as for a message.
    async fn check(&self) -> Result<()> {
        match self.line.post().probe().await {
            Err(e) if e.kind == Kind::BadInput => Ok(()),
            answer => answer,
        }
    }

    async fn describe(&self) -> Result<Description> {
        let asked = timeout(DEADLINE, self.courier.describe(&self.path));
        description::parse(&asked.await.map_err(|_| Error::deadline("Service Bus", DEADLINE))??)
    }
}
