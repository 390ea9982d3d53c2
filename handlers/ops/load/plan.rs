//! What is played: the calls of a run, drawn from a seed, so that the same numbers give the same run again.

use fastrand::Rng;

/// What callers say. Some of it is personal, as in life; every number is one that is reserved for fiction.
const SAID: [&str; 12] = [
    "Good morning, I would like to know where my order is",
    "My phone number is four two five five five five oh one eight seven",
    "It should have come on Tuesday, or on Wednesday at the latest",
    "No, nobody has called me about it so far",
    "What are your opening hours on the weekend?",
    "You can write to quill.farthing@example.org",
    "And can I change the appointment to next Monday?",
    "I paid with a card and I would like an invoice",
    "Could you say that again, please?",
    "The line was bad, I did not get that",
    "Is there somebody I could speak to in person?",
    "All right then, thank you very much for your help",
];

/// How calls are drawn: shares from 0 to 1.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Mix {
    /// Turns of a call.
    pub turns: u32,
    /// Turns after which no new phrase is asked for.
    pub repeated: f64,
    /// Events and turns that are delivered twice.
    pub duplicated: f64,
    /// Calls whose events come in another order.
    pub reordered: f64,
}

/// How often, and when, something is delivered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Delivery {
    /// Once.
    Once,
    /// Twice at once.
    Together,
    /// Again after the answer.
    Again,
}

/// One turn.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PlannedTurn {
    /// Its id.
    pub id: String,
    /// What is said.
    pub text: &'static str,
    /// How often it is delivered.
    pub delivery: Delivery,
    /// A phrase that nobody has asked for before.
    pub phrase: Option<String>,
}

/// One call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PlannedCall {
    /// The caller's number.
    pub caller: String,
    /// How often CallConnected is delivered.
    pub connected: Delivery,
    /// CallConnected comes after the first turn, and once more after the end.
    pub reordered: bool,
    /// Its turns.
    pub turns: Vec<PlannedTurn>,
    /// How often CallDisconnected is delivered.
    pub disconnected: Delivery,
}

impl PlannedCall {
    /// Call `number` of the run with this seed.
    pub fn draw(mix: Mix, seed: u64, number: u64) -> Self {
        // A generator for each call: calls are drawn in any order, by any number of tasks.
        let mut rng = Rng::with_seed(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15).wrapping_add(number));
        let delivery = |rng: &mut Rng| match rng.f64() < mix.duplicated {
            false => Delivery::Once,
            true if rng.bool() => Delivery::Together,
            true => Delivery::Again,
        };
        let turns = (1..=mix.turns).map(|turn| {
            let phrase =
                (rng.f64() >= mix.repeated).then(|| format!("This is sentence {turn} of call {number}, and nobody has said {:08x} before.", rng.u32(..)));
            PlannedTurn { id: format!("t{turn}"), text: SAID[rng.usize(..SAID.len())], delivery: delivery(&mut rng), phrase }
        });
        let turns = turns.collect();
        Self {
            caller: format!("+1425555{:04}", 100 + number % 100),
            connected: delivery(&mut rng),
            reordered: rng.f64() < mix.reordered,
            turns,
            disconnected: delivery(&mut rng),
        }
    }
}
