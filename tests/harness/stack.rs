//! The app as it stands in production: a real Redis, Cosmos DB's emulator, the stand-ins of Service Bus, Azure OpenAI
//! and Azure Speech, `serve`, and the pump that plays the Functions host.

use std::sync::Arc;

use rtvoice::steps::archive::Archived;

use super::cosmos::CosmosEmulator;
use super::openai;
use super::process::{Handler, Settings, eventually};
use super::pump::Pump;
use super::redis::{Options, RedisServer};
use super::service_bus::{self, ServiceBus};
use super::speech;
use super::stand_in::{Credential, StandIn};

/// The keys that the stand-ins ask for; none of them may ever be seen in a log.
pub const OPENAI_KEY: &str = "openai-key-0123456789abcdef";
pub const SPEECH_KEY: &str = "speech-key-0123456789abcdef";
pub const REDIS_KEY: &str = "redis-key-0123456789abcdef";

/// All of it.
pub struct Stack {
    pub pump: Pump,
    pub handler: Arc<Handler>,
    pub bus: Arc<ServiceBus>,
    pub redis: RedisServer,
    pub cosmos: CosmosEmulator,
    pub openai: StandIn<openai::Fault>,
    pub speech: StandIn<speech::Fault>,
}

impl Stack {
    /// Starts it on a Redis that keeps an append-only file.
    pub async fn start() -> Self {
        Self::with(RedisServer::start(Options { password: Some(REDIS_KEY), aof: true, ..Options::default() }), Vec::new()).await
    }

    /// Starts it on this Redis, with further settings that win over its own.
    pub async fn with(redis: RedisServer, further: Settings) -> Self {
        let (cosmos, bus) = (CosmosEmulator::start().await, Arc::new(ServiceBus::start().await));
        let (openai, speech) = (openai::start(Credential::Key(OPENAI_KEY)), speech::start(Credential::Key(SPEECH_KEY)));
        let mut settings = redis.settings();
        settings.extend([
            ("COSMOS_ENDPOINT", cosmos.endpoint()),
            ("COSMOS_KEY", cosmos.key()),
            ("OPENAI_ENDPOINT", openai.url()),
            ("OPENAI_DEPLOYMENT", openai::DEPLOYMENT.to_owned()),
            ("OPENAI_KEY", OPENAI_KEY.to_owned()),
            ("SPEECH_ENDPOINT", speech.url()),
            ("SPEECH_KEY", SPEECH_KEY.to_owned()),
        ]);
        settings.extend(bus_settings(&bus));
        settings.extend(further);
        let handler = Handler::start(settings).await;
        let pump = Pump::start(&bus, &handler);
        Self { pump, handler, bus, redis, cosmos, openai, speech }
    }

    /// Waits until everything in the queue was delivered.
    pub async fn delivered(&self) {
        eventually("the queue is empty", || self.handler.output(), async || self.pump.is_idle().then_some(())).await;
    }

    /// Waits until the archive of a call has this many turns at least and nothing is on its way; the relay sends what a handler
    /// that ended has left.
    pub async fn archived_at_last(&self, call: &str, turns: usize) -> Archived {
        let whole = async || {
            self.handler.relay().await;
            self.handler.archive(call).await.filter(|archived| archived.union.len() >= turns && self.pump.is_idle())
        };
        eventually("the archive has them all", || self.handler.output(), whole).await
    }

    /// What the stand-ins had to complain about.
    pub fn complaints(&self) -> Vec<String> {
        [self.openai.complaints(), self.speech.complaints(), self.bus.refused()].concat()
    }
}

/// The settings that lead to a stand-in of Service Bus.
pub fn bus_settings(bus: &ServiceBus) -> Settings {
    vec![
        ("SERVICE_BUS_NAMESPACE", bus.base_url().to_owned()),
        ("SERVICE_BUS_KEY_NAME", service_bus::POLICY.to_owned()),
        ("SERVICE_BUS_KEY", service_bus::KEY.to_owned()),
    ]
}
