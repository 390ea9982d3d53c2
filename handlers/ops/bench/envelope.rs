//! What HTTP and the host's envelope add: a refused turn against a bare handler that parses the same body, and the same
//! turns as plain requests and inside envelopes.

use bytes::Bytes;

use super::RowName;
use super::bare::Bare;
use super::report::{Goal, Row};
use super::stage::{BLOCKS, CONCURRENT, Stage};
use super::turns::{BEHIND, Caller, turn_body};
use super::wire::{Taken, Wire, closed, post};
use crate::error::Result;

/// A connection that sends the same request again and again.
struct Repeating {
    wire: Wire,
    request: std::sync::Arc<[u8]>,
}

impl Repeating {
    async fn many(port: u16, count: usize, request: Vec<u8>) -> Result<Vec<Self>> {
        let request: std::sync::Arc<[u8]> = request.into();
        let mut all = Vec::with_capacity(count);
        for _ in 0..count {
            all.push(Self { wire: Wire::open(port).await?, request: std::sync::Arc::clone(&request) });
        }
        Ok(all)
    }

    async fn step(mut self) -> Result<Self> {
        let request = std::sync::Arc::clone(&self.request);
        self.wire.exchange(&request).await?;
        Ok(self)
    }
}

/// HTTP alone: a turn that is refused before it touches anything, against a bare handler.
pub(super) async fn http(stage: &Stage) -> Result<Vec<Row>> {
    let arm = stage.arm("http", true);
    let handler = stage.serve(&arm, &[]).await?;
    // An id that is no identifier: everything up to the function's own reading of its input runs, and nothing after it.
    let body = turn_body(1).replace("\"t1\"", "\"t 1\"");
    let request = post("/api/calls/bench/turns", &body);
    let answer = Bytes::copy_from_slice(Wire::open(handler.port).await?.exchange(&request).await?.1);
    let bare = Bare::echo(answer).await?;
    let mut ours = Repeating::many(handler.port, CONCURRENT, request).await?;
    let mut theirs = Repeating::many(bare.port, CONCURRENT, post("/", &body)).await?;
    let (mut of_ours, mut of_theirs) = (Taken::default(), Taken::default());
    for block in 0..BLOCKS * 2 {
        if (block + block / 2) % 2 == 0 {
            let (taken, back) = closed(ours, stage.block(), Repeating::step).await?;
            of_ours.add(taken);
            ours = back;
        } else {
            let (taken, back) = closed(theirs, stage.block(), Repeating::step).await?;
            of_theirs.add(taken);
            theirs = back;
        }
    }
    handler.stop().await?;
    let limit = "bare axum handler, same body and answer";
    Ok(vec![
        Row::new(RowName::Http, "requests at 64 concurrent, a refused turn", of_ours.rate(), "per second")
            .limit(of_theirs.rate(), limit)
            .note("routing, span, deadline, panic guard, checks of the input, and a log line per refusal are what the bare handler has not"),
        Row::new(RowName::Http, "the same, p50", of_ours.millis(50.0), "ms").limit(of_theirs.millis(50.0), limit),
    ])
}

/// Turns inside envelopes against the same turns as plain requests.
pub(super) async fn enveloped(stage: &Stage) -> Result<Vec<Row>> {
    let arm = stage.arm("envelope", true);
    let handler = stage.serve(&arm, &[]).await?;
    let mut callers = Caller::many(&handler, CONCURRENT, BEHIND).await?;
    let (mut wrapped, mut plain) = (Taken::default(), Taken::default());
    for block in 0..BLOCKS * 2 {
        let in_envelopes = (block + block / 2) % 2 == 0;
        let ready = callers.into_iter().map(|caller| caller.in_envelopes(in_envelopes)).collect();
        let (taken, back) = closed(ready, stage.block(), Caller::turn).await?;
        if in_envelopes {
            wrapped.add(taken)
        } else {
            plain.add(taken)
        }
        callers = back;
    }
    handler.stop().await?;
    Ok(vec![
        Row::new(RowName::Envelope, "turns at 64 concurrent in envelopes", wrapped.rate(), "per second")
            .limit(plain.rate(), "the same turns as plain requests")
            .goal(Goal::Share(0.85)),
        Row::new(RowName::Envelope, "the same, p50", wrapped.millis(50.0), "ms").limit(plain.millis(50.0), "the same turns as plain requests"),
    ])
}
