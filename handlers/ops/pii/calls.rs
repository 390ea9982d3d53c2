//! Lines that wait for later lines of their calls.
//!
//! In: lines in order. Out: answers in the same order, each as soon as nothing can change it any more. What waits, and
//! what is remembered of calls, is bounded in lines and bytes; at the bound the oldest is answered as it stands. Fails
//! where writing fails.

use std::collections::{HashMap, VecDeque};
use std::io::{self, Write};
use std::rc::Rc;

use super::{Line, PiiCommand, alone, answer};
use crate::privacy::detect::{Remembered, Role, detect_newest};

/// Lines of one call that are read together.
const TOGETHER: usize = 12;

/// Most lines that wait or are remembered.
const LINES: usize = 8192;

/// Most bytes that wait or are remembered, what was read in texts included.
const BYTES: usize = 64 << 20;

/// A longer text is no turn of a conversation: it is read alone.
const TURN: usize = 8 << 10;

/// A line that is remembered for the next ones of its call.
#[derive(Debug)]
struct Turn {
    /// Which line of the input it is, counted over good lines.
    number: u64,
    id: String,
    said: Remembered,
    /// What it counts for in bytes.
    bytes: usize,
    /// It may still change.
    open: bool,
}

/// What stands in the queue for a line.
#[derive(Debug)]
enum Slot {
    /// Its answer.
    Ready(Vec<u8>),
    /// It is one of this call's turns.
    Held(Rc<str>),
}

/// The lines on their way through.
#[derive(Debug)]
pub(super) struct Calls {
    command: PiiCommand,
    /// Number of the first line in `queue`.
    first: u64,
    queue: VecDeque<Slot>,
    calls: HashMap<Rc<str>, VecDeque<Turn>>,
    /// Remembered turns by age: call and number.
    ages: VecDeque<(Rc<str>, u64)>,
    /// Bytes in `queue` and `calls`.
    bytes: usize,
}

impl Calls {
    /// Nothing on its way.
    pub fn new(command: PiiCommand) -> Self {
        Self { command, first: 0, queue: VecDeque::new(), calls: HashMap::new(), ages: VecDeque::new(), bytes: 0 }
    }

    /// Takes a line and writes what is ready.
    pub fn take(&mut self, line: Line, output: &mut dyn Write) -> io::Result<()> {
        let Line { id, text, call, role } = line;
        match call {
            Some(call) if text.len() <= TURN => self.join(call, id, text, role),
            _ if self.queue.is_empty() => {
                self.first += 1;
                return output.write_all(&alone(self.command, &id, &text));
            }
            _ => self.push(Slot::Ready(alone(self.command, &id, &text))),
        }
        self.write(output)?;
        while self.queue.len() + self.ages.len() > LINES || self.bytes > BYTES {
            if !self.give_way(output)? {
                break;
            }
        }
        Ok(())
    }

    /// Writes all that waits.
    pub fn finish(&mut self, output: &mut dyn Write) -> io::Result<()> {
        while !self.queue.is_empty() {
            self.settle_first();
            self.write(output)?;
        }
        Ok(())
    }

    fn push(&mut self, slot: Slot) {
        if let Slot::Ready(answer) = &slot {
            self.bytes += answer.len();
        }
        self.queue.push_back(slot);
    }

    /// Reads a line together with the ones before it in its call.
    fn join(&mut self, call: String, id: String, text: String, role: Role) {
        let number = self.first + self.queue.len() as u64;
        let call: Rc<str> = self.calls.get_key_value(call.as_str()).map_or_else(|| call.into(), |(known, _)| Rc::clone(known));
        self.ages.push_back((Rc::clone(&call), number));
        self.queue.push_back(Slot::Held(Rc::clone(&call)));
        let turns = self.calls.entry(Rc::clone(&call)).or_default();
        turns.push_back(Turn { number, id, said: Remembered::new(role, text), bytes: 0, open: true });
        let mut left = Vec::new();
        while turns.len() > TOGETHER {
            left.extend(turns.pop_front());
        }
        let mut said: Vec<&mut Remembered> = turns.iter_mut().map(|t| &mut t.said).collect();
        detect_newest(&mut said);
        let mut done = Vec::new();
        for turn in turns.iter_mut().filter(|t| t.open) {
            turn.open = turn.said.may_continue();
            if !turn.open {
                done.push(turn.number);
            }
        }
        if let Some(newest) = turns.back_mut() {
            newest.bytes = newest.said.bytes();
            self.bytes += newest.bytes;
        }
        for turn in left {
            self.bytes = self.bytes.saturating_sub(turn.bytes);
            self.settle(&turn);
        }
        self.settle_turns(&call, &done);
    }

    /// Answers turns that stay remembered.
    fn settle_turns(&mut self, call: &str, numbers: &[u64]) {
        let command = self.command;
        let Some(turns) = self.calls.get(call) else { return };
        for turn in turns.iter().filter(|t| numbers.contains(&t.number)) {
            let Some(at) = turn.number.checked_sub(self.first).and_then(|at| usize::try_from(at).ok()) else { continue };
            if let Some(slot @ Slot::Held(_)) = self.queue.get_mut(at) {
                let ready = answer(command, &turn.id, turn.said.text(), &turn.said.spans());
                self.bytes += ready.len();
                *slot = Slot::Ready(ready);
            }
        }
    }

    /// Answers a turn that is forgotten.
    fn settle(&mut self, turn: &Turn) {
        let Some(at) = turn.number.checked_sub(self.first).and_then(|at| usize::try_from(at).ok()) else { return };
        if let Some(slot @ Slot::Held(_)) = self.queue.get_mut(at) {
            let ready = answer(self.command, &turn.id, turn.said.text(), &turn.said.spans());
            self.bytes += ready.len();
            *slot = Slot::Ready(ready);
        }
    }

    /// Answers the first line as it stands.
    fn settle_first(&mut self) {
        let first = self.first;
        if let Some(Slot::Held(call)) = self.queue.front() {
            let call = call.clone();
            self.settle_turns(&call, &[first]);
            // A turn that is remembered no longer was settled when it was forgotten.
            if let Some(slot @ Slot::Held(_)) = self.queue.front_mut() {
                *slot = Slot::Ready(Vec::new());
            }
        }
    }

    /// Writes the answers at the head of the queue.
    fn write(&mut self, output: &mut dyn Write) -> io::Result<()> {
        while let Some(Slot::Ready(answer)) = self.queue.front() {
            output.write_all(answer)?;
            self.bytes = self.bytes.saturating_sub(answer.len());
            self.queue.pop_front();
            self.first += 1;
        }
        Ok(())
    }

    /// Makes room: answers the oldest line that waits, forgets the oldest turn. False where there is nothing left.
    fn give_way(&mut self, output: &mut dyn Write) -> io::Result<bool> {
        if let Some((call, number)) = self.ages.pop_front() {
            let mut forgotten = None;
            if let Some(turns) = self.calls.get_mut(&call) {
                if turns.front().is_some_and(|t| t.number == number) {
                    forgotten = turns.pop_front();
                }
                if turns.is_empty() {
                    self.calls.remove(&call);
                }
            }
            if let Some(turn) = forgotten {
                self.bytes = self.bytes.saturating_sub(turn.bytes);
                self.settle(&turn);
            }
            self.write(output)?;
            return Ok(true);
        }
        if self.queue.is_empty() {
            return Ok(false);
        }
        self.settle_first();
        self.write(output)?;
        Ok(true)
    }
}
