//! A call as the contract of the state port describes it, in a few plain collections.

use std::collections::{BTreeMap, BTreeSet};

use rtvoice::model::call::{CallStatus, Outcome};

/// What a step of a generated story does to one call.
#[derive(Debug, Clone)]
pub enum Step {
    /// An event with one of a few ids, or without one.
    Apply(Option<u8>, Event),
    /// One of a few turns, which sets or removes one of a few context keys.
    Commit(u8, Option<(u8, bool)>),
    /// The confirmation of a turn, or of the end with `None`.
    Settle(Option<u8>),
    /// Closing with what is there; with `true` one thing is withheld from the archive.
    Close(bool),
    /// The context expires.
    Forget,
}

/// What an event does.
#[derive(Debug, Clone)]
pub enum Event {
    Connect,
    End(u8),
    Note(u8),
    Participants(i64),
}

/// What a commit comes to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Answer {
    New(u64),
    Known(u64),
    Ended,
}

/// The model of one call.
#[derive(Debug, Clone, Default)]
pub struct Call {
    pub archived: bool,
    pub status: Option<CallStatus>,
    pub reason: Option<u8>,
    pub note: Option<u8>,
    pub participants: Option<i64>,
    pub turns: Vec<u8>,
    pub outbox: BTreeSet<Option<u8>>,
    pub context: BTreeMap<u8, u64>,
    pub rebuilt: bool,
    events: BTreeSet<u8>,
    has_context: bool,
}

impl Call {
    fn ended(&self) -> bool {
        self.status == Some(CallStatus::Ended)
    }

    /// Creates the context where it is missing, and notes whether it had been there before.
    fn open_context(&mut self) {
        self.rebuilt |= !self.has_context && !self.turns.is_empty();
        self.has_context = true;
    }

    /// Applies an event.
    pub fn apply(&mut self, id: Option<u8>, event: &Event) -> Outcome {
        if self.archived {
            return Outcome::Archived;
        }
        if id.is_some_and(|id| !self.events.insert(id)) {
            return Outcome::Duplicate;
        }
        let ended = self.ended();
        if !ended {
            self.status.get_or_insert(CallStatus::Provisional);
        }
        match event {
            Event::Note(value) => self.note = Some(*value),
            Event::Participants(sequence) => self.participants = self.participants.max(Some(*sequence)),
            Event::Connect if !ended => {
                self.status = Some(CallStatus::Connected);
                self.open_context();
            }
            Event::End(reason) if !ended => {
                self.status = Some(CallStatus::Ended);
                self.reason = Some(*reason);
                self.outbox.insert(None);
            }
            Event::Connect | Event::End(_) => {}
        }
        if ended { Outcome::AlreadyEnded } else { Outcome::Applied }
    }

    /// Commits a turn.
    pub fn commit(&mut self, turn: u8, change: Option<(u8, bool)>) -> Answer {
        if let Some(place) = self.turns.iter().position(|known| *known == turn) {
            return Answer::Known(place as u64 + 1);
        }
        if self.archived || self.ended() {
            return Answer::Ended;
        }
        self.status.get_or_insert(CallStatus::Provisional);
        self.open_context();
        self.turns.push(turn);
        self.outbox.insert(Some(turn));
        let seq = self.turns.len() as u64;
        match change {
            Some((key, true)) => drop(self.context.insert(key, seq)),
            Some((key, false)) => drop(self.context.remove(&key)),
            None => {}
        }
        Answer::New(seq)
    }

    /// Closes, where all that is there is archived.
    pub fn close(&mut self, withheld: bool) -> bool {
        if withheld && !(self.outbox.is_empty() && self.turns.is_empty()) {
            return false;
        }
        *self = Self { archived: true, ..Self::default() };
        true
    }

    /// Lets the context expire; false where there is none.
    pub fn forget(&mut self) -> bool {
        self.context.clear();
        self.rebuilt = false;
        std::mem::take(&mut self.has_context)
    }
}
