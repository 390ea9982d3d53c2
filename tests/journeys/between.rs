//! A bad network between the handler and each service that it speaks HTTPS with, in every way that the proxy has: callers are
//! answered in time, and within ten seconds of its end all is whole; nothing is lost, doubled or stuck.

use std::sync::Arc;
use std::time::Duration;

use futures::future::join_all;
use rtvoice::ops::load::proxy::Way;
use serde_json::json;

use crate::harness::call::{Call, turn_ids};
use crate::harness::front::Front;
use crate::harness::openai;
use crate::harness::process::{Answer, Handler, eventually};
use crate::harness::stack::{OPENAI_KEY, Stack};
use crate::harness::stand_in::Credential;
use crate::harness::stopwatch::Stopwatch;

/// The longest that anything may be amiss once the network is well again.
const RECOVERY: Duration = Duration::from_secs(10);
/// What a turn may take beside the deadline of what it waits for, on a machine with much else to do.
const ALLOWANCE: Duration = Duration::from_secs(3);
/// Callers who speak at once: as many failures as open a circuit.
const CALLERS: usize = 3;

/// Behind the bad network.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Service {
    /// Cosmos DB.
    Record,
    /// Service Bus.
    Queue,
    /// Azure Speech.
    Voice,
    /// Azure OpenAI.
    Agent,
}

impl Service {
    /// The longest that one call of it may take, by the contract; and how long a turn may wait for it.
    const fn deadlines(self) -> (Duration, Duration) {
        let (its_own, of_a_turn) = match self {
            Self::Record => (2, 0),
            Self::Queue => (2, 0),
            // Whoever waits for another's synthesis gives up after 3.5 s and has 3 s of its own.
            Self::Voice => (3, 7),
            Self::Agent => (8, 8),
        };
        (Duration::from_secs(its_own), Duration::from_secs(of_a_turn))
    }

    /// The six ways, so bad that they are noticed. Replies that come late are worth waiting for.
    fn ways(self) -> [Way; 6] {
        let late = if self == Self::Agent { Duration::from_millis(700) } else { self.deadlines().0.mul_f64(0.6) };
        [Way::Delay(late), Way::Throttle(150), Way::Cut, Way::BlackHole, Way::Corrupt(100), Way::HalfClose]
    }

    const fn setting(self) -> &'static str {
        match self {
            Self::Record => "COSMOS_ENDPOINT",
            Self::Queue => "SERVICE_BUS_NAMESPACE",
            Self::Voice => "SPEECH_ENDPOINT",
            Self::Agent => "OPENAI_ENDPOINT",
        }
    }

    /// Whether callers notice it in their answers; else it is noticed behind them alone.
    const fn is_heard(self) -> bool {
        matches!(self, Self::Voice | Self::Agent)
    }

    /// Whether this answer lacks what the service gives.
    fn is_missed(self, answer: &Answer) -> bool {
        match self {
            Self::Agent => answer.body["reply"]["source"] == "fallback",
            Self::Voice => !matches!(answer.body["speech"]["cache"].as_str(), Some("hit" | "miss" | "private")),
            Self::Record | Self::Queue => false,
        }
    }

    /// How often the handler has said that it does without the service.
    fn complaints(self, handler: &Handler) -> usize {
        let said = match self {
            Self::Record => &["a store is away: waiting"][..],
            Self::Queue => &["stays in the outbox"],
            Self::Voice => &["no speech could be had"],
            Self::Agent => &["no reply could be had"],
        };
        said.iter().map(|line| handler.output().matches(line).count()).sum()
    }
}

/// The app with one of its services behind a network of the test's.
struct Place {
    service: Service,
    stack: Stack,
    network: Front,
}

impl Place {
    async fn with(service: Service) -> Self {
        let stack = Stack::start().await;
        // Replies that nobody has heard before: every turn needs its own speech.
        let echo = openai::echoing(Credential::Key(OPENAI_KEY));
        let behind = match service {
            Service::Record => stack.cosmos.endpoint(),
            Service::Queue => stack.bus.base_url().to_owned(),
            Service::Voice => stack.speech.url(),
            Service::Agent => echo.url(),
        };
        let network = Front::before(&behind).await;
        stack.cosmos.known_as(network.url());
        let mut settings = vec![("OPENAI_ENDPOINT", echo.url()), ("SSL_CERT_FILE", network.ca_file().display().to_string())];
        settings.push((service.setting(), network.url()));
        stack.handler.restart_with(settings).await;
        let place = Self { service, stack: Stack { openai: echo, ..stack }, network };
        eventually("it serves", || place.handler().output(), async || place.handler().send("GET", "/api/ready", None).await.filter(|a| a.status == 200)).await;
        place
    }

    fn handler(&self) -> &Arc<Handler> {
        &self.stack.handler
    }

    /// One turn with speech, which must be answered 200, whole but for the service, and in time.
    async fn say(&self, call: &Call, turn: &str) -> Answer {
        let watch = Stopwatch::start();
        let text = format!("these are the words of {turn} in {}", call.id);
        let answer = call.turn(json!({"turnId": turn, "text": text})).await;
        let answer = answer.unwrap_or_else(|| panic!("no answer:\n{}", self.handler().output()));
        assert_eq!((answer.status, &answer.body["degraded"]), (200, &json!(false)), "{answer:?}\n{}", self.handler().output());
        watch.below(self.service.deadlines().1 + ALLOWANCE, turn);
        answer
    }

    /// A turn of each call at once; how many lacked what the service gives.
    async fn all_say(&self, calls: &[Call], turn: &str) -> usize {
        let answers = join_all(calls.iter().map(|call| self.say(call, turn))).await;
        answers.iter().filter(|answer| self.service.is_missed(answer)).count()
    }

    /// Says turns until one is whole; their names.
    async fn recovers(&self, call: &Call, since: Stopwatch) -> Vec<String> {
        let mut turns = Vec::new();
        loop {
            let turn = format!("after-{}", turns.len());
            let missed = self.service.is_missed(&self.say(call, &turn).await);
            turns.push(turn);
            if !missed {
                return turns;
            }
            assert!(!since.is_over(RECOVERY), "{:?} is not whole again:\n{}", self.service, self.handler().output());
            tokio::time::sleep(Duration::from_millis(250)).await;
        }
    }

    /// Waits until the archive of a call has these turns, and no others.
    async fn archived(&self, call: &Call, turns: &[String], since: Stopwatch) {
        let why = || format!("{:?}: no archive of {} in time:\n{}", self.service, call.id, self.handler().output());
        let archived = since.in_time(RECOVERY + ALLOWANCE, why, call.archived(turns.len())).await;
        assert_eq!(turn_ids(&archived), turns);
        assert!(archived.header.complete);
    }

    /// What a call goes through in one of the ways; from the end of the fault to that of the last archive.
    async fn goes_through(&self, way: Way) -> Duration {
        let calls: Vec<Call> = std::iter::repeat_with(|| Call::new(self.handler())).take(CALLERS).collect();
        for (number, call) in calls.iter().enumerate() {
            call.connect().await;
            call.participants(&format!("+1425555010{number}")).await;
        }
        assert_eq!(self.all_say(&calls, "before").await, 0, "all is well");
        self.stack.delivered().await;

        let complained = self.service.complaints(self.handler());
        self.network.behave(way);
        let missed = self.all_say(&calls, "during-0").await + self.all_say(&calls, "during-1").await;
        let began_meanwhile = Call::new(self.handler());
        began_meanwhile.connect().await;
        self.say(&began_meanwhile, "only").await;
        let worth_waiting = self.service == Service::Agent && matches!(way, Way::Delay(_));
        assert_eq!(missed > 0, self.service.is_heard() && !worth_waiting, "{:?} {way:?}: {missed} answers", self.service);
        let ended = !self.service.is_heard();
        if ended {
            for call in calls.iter().chain([&began_meanwhile]) {
                call.disconnect().await;
            }
        }
        if !worth_waiting {
            let met = async || (self.service.complaints(self.handler()) > complained).then_some(());
            eventually(&format!("{:?} {way:?} is met", self.service), || self.handler().output(), met).await;
        }

        self.network.behave(Way::Pass);
        let since = Stopwatch::start();
        let mut turns = ["before", "during-0", "during-1"].map(str::to_owned).to_vec();
        if !ended {
            let after = self.recovers(&calls[0], since).await;
            for call in calls.iter().chain([&began_meanwhile]) {
                call.disconnect().await;
            }
            let said = turns.clone();
            turns.extend(after);
            self.archived(&calls[0], &turns, since).await;
            turns = said;
        }
        for call in &calls[usize::from(!ended)..] {
            self.archived(call, &turns, since).await;
        }
        self.archived(&began_meanwhile, &["only".to_owned()], since).await;
        let took = since.elapsed();
        self.stack.delivered().await;
        took
    }
}

/// A service behind every way that a network can be bad in, one after the other.
async fn every_way(service: Service) {
    let place = Place::with(service).await;
    for way in service.ways() {
        let took = place.goes_through(way).await;
        println!("{service:?} {way:?}: the last archive {:.1} s after its end", took.as_secs_f64());
        assert_eq!((place.stack.pump.failed(), place.stack.pump.dead()), (0, 0), "an outage burns no delivery: {way:?}");
    }
    assert_eq!(place.stack.complaints(), Vec::<String>::new(), "nothing garbled was sent");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_record() {
    every_way(Service::Record).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_queue() {
    every_way(Service::Queue).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_voice() {
    every_way(Service::Voice).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_agent() {
    every_way(Service::Agent).await;
}
