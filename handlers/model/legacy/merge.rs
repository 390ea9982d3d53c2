//! Several records of one conversation made one, without doubling what stands in more than one of them.
//!
//! A record is one source (a hash, a list), made of sequences (its agents' lists). Each sequence is aligned with what
//! is there by the common subsequence that holds most of what was said; each message of a source meets at most one message that is there, and
//! each that is there is met at most once by a source. So no message is lost, and a phrase that was said twice within
//! one source stays twice. What only the new sequence has goes right before the next message that both have, or to
//! the end.

use std::collections::HashMap;

use super::message::Message;

/// Cells of the alignment table above which the cheaper, greedy alignment is used: 8 MB, filled in a few milliseconds on the
/// path of the turn that takes the call over. What both have in common at their ends is not in the table.
const CELLS: usize = 1_000_000;

/// Takes one source's sequences into the conversation.
pub(super) fn absorb(base: &mut Vec<Message>, sequences: Vec<Vec<Message>>) {
    let mut met = vec![false; base.len()];
    for sequence in sequences {
        let free: Vec<usize> = (0..base.len()).filter(|&place| !met[place]).collect();
        let counts = counts(base);
        let pairs = align(&free.iter().map(|&place| (&base[place], counts[place])).collect::<Vec<_>>(), &sequence);
        let anchors: Vec<Option<usize>> = pairs.into_iter().map(|pair| pair.map(|place| free[place])).collect();
        (*base, met) = weave(std::mem::take(base), met, sequence, &anchors);
    }
}

/// Puts a sequence into the base; `anchors` tells for each of its messages the place it was met at, ascending.
fn weave(base: Vec<Message>, met: Vec<bool>, sequence: Vec<Message>, anchors: &[Option<usize>]) -> (Vec<Message>, Vec<bool>) {
    let mut there = base.into_iter().zip(met).enumerate().peekable();
    let (mut messages, mut flags) = (Vec::new(), Vec::new());
    let mut waiting = Vec::new();
    let mut push = |message, flag| {
        messages.push(message);
        flags.push(flag);
    };
    for (message, anchor) in sequence.into_iter().zip(anchors) {
        let Some(anchor) = anchor else {
            waiting.push(message);
            continue;
        };
        while let Some((_, (other, flag))) = there.next_if(|(place, _)| place < anchor) {
            push(other, flag);
        }
        for new in waiting.drain(..) {
            push(new, true);
        }
        if let Some((_, (mut other, _))) = there.next() {
            other.enrich(message);
            push(other, true);
        }
    }
    for (_, (other, flag)) in there {
        push(other, flag);
    }
    for new in waiting {
        push(new, true);
    }
    (messages, flags)
}

/// A message that is there, and what it counts for.
type Place<'a> = (&'a Message, u64);

/// For each message of `b` the place in `a` that it is the same as: ascending, each place once.
fn align(a: &[Place<'_>], b: &[Message]) -> Vec<Option<usize>> {
    let head = a.iter().zip(b).take_while(|((x, _), y)| x.same(y)).count();
    let (a_rest, b_rest) = (&a[head..], &b[head..]);
    let tail = a_rest.iter().rev().zip(b_rest.iter().rev()).take_while(|((x, _), y)| x.same(y)).count();
    let (a_mid, b_mid) = (&a_rest[..a_rest.len() - tail], &b_rest[..b_rest.len() - tail]);
    let middle = if a_mid.len().saturating_mul(b_mid.len()) <= CELLS { longest(a_mid, b_mid) } else { greedy(a_mid, b_mid) };
    let front = (0..head).map(Some);
    let back = (0..tail).map(|i| Some(a.len() - tail + i));
    front.chain(middle.into_iter().map(|place| place.map(|p| p + head))).chain(back).collect()
}

/// What each message that is there counts for. One with words counts for more than any number without, and one whose
/// words stand there once for more than any number of repeated ones: prompts, empty messages and a repeated "yes"
/// must not draw an alignment away from what was said.
fn counts(base: &[Message]) -> Vec<u64> {
    let mut times: HashMap<(&str, &str), u32> = HashMap::new();
    for message in base {
        *times.entry((&message.role, message.text.as_deref().unwrap_or_default())).or_default() += 1;
    }
    let count = |message: &Message| match &message.text {
        Some(text) if matches!(message.role.as_str(), "user" | "assistant") => {
            if times.get(&(message.role.as_str(), text.as_str())) == Some(&1) {
                1 << 40
            } else {
                1 << 20
            }
        }
        _ => 1,
    };
    base.iter().map(count).collect()
}

/// A common subsequence of the greatest weight.
fn longest(a: &[Place<'_>], b: &[Message]) -> Vec<Option<usize>> {
    let width = b.len() + 1;
    // weights[i * width + j]: what a[i..] and b[j..] have in common at best.
    let mut weights = vec![0u64; (a.len() + 1) * width];
    for i in (0..a.len()).rev() {
        for j in (0..b.len()).rev() {
            weights[i * width + j] =
                if a[i].0.same(&b[j]) { weights[(i + 1) * width + j + 1] + a[i].1 } else { weights[(i + 1) * width + j].max(weights[i * width + j + 1]) };
        }
    }
    let mut found = vec![None; b.len()];
    let (mut i, mut j) = (0, 0);
    while i < a.len() && j < b.len() {
        if a[i].0.same(&b[j]) {
            found[j] = Some(i);
            (i, j) = (i + 1, j + 1);
        } else if weights[(i + 1) * width + j] >= weights[i * width + j + 1] {
            i += 1;
        } else {
            j += 1;
        }
    }
    found
}

/// A common subsequence: each message of `b` meets the next one that is the same, at most a window ahead.
fn greedy(a: &[Place<'_>], b: &[Message]) -> Vec<Option<usize>> {
    /// How far ahead one message may be looked for: a repeated word at the far end must not swallow all between.
    const WINDOW: usize = 512;
    let mut from = 0;
    let mut meet = |message: &Message| {
        let place = a.iter().enumerate().skip(from).take(WINDOW).find(|(_, (other, _))| other.same(message)).map(|(place, _)| place)?;
        from = place + 1;
        Some(place)
    };
    b.iter().map(&mut meet).collect()
}
