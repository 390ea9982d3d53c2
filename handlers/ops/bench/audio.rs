//! A spoken phrase of 160 KiB: from Redis and from the first level, against a bare handler with a plain GET; and turns while
//! phrases are fetched.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use tokio::time::{Instant, MissedTickBehavior, interval};

use super::RowName;
use super::bare::Bare;
use super::report::{Goal, Row};
use super::stage::{BLOCKS, CONCURRENT, Stage};
use super::turns::{BEHIND, Caller};
use super::wire::{Taken, Wire, closed, get};
use crate::app::App;
use crate::error::{Error, Kind, Result};
use crate::model::phrase::hex;
use crate::ports::state::redis::BareRedis;

/// Bytes of the phrase: five seconds of speech.
const PHRASE: usize = 160 * 1024;
/// Listeners at once.
const LISTENERS: usize = 16;
/// Phrases fetched each second beside turns: 32 MB/s.
const BESIDE: u64 = 200;

/// A connection that fetches one path.
struct Listener {
    wire: Wire,
    path: Arc<str>,
}

impl Listener {
    async fn many(port: u16, count: usize, path: &str) -> Result<Vec<Self>> {
        let path: Arc<str> = path.into();
        let mut all = Vec::with_capacity(count);
        for _ in 0..count {
            all.push(Self { wire: Wire::open(port).await?, path: Arc::clone(&path) });
        }
        Ok(all)
    }

    async fn fetch(mut self) -> Result<Self> {
        let (status, body) = self.wire.exchange(&get(&self.path)).await?;
        let (status, length) = (status, body.len());
        if status == 200 && length == PHRASE {
            Ok(self)
        } else {
            Err(Error::new(Kind::Unavailable, format!("a phrase was answered {status} with {length} bytes")))
        }
    }
}

/// The rows.
pub(super) async fn rows(stage: &Stage) -> Result<Vec<Row>> {
    let arm = stage.arm("audio", true);
    // No first level: every fetch goes to Redis.
    let shared = stage.serve(&arm, &[("TTS_L1_BYTES", "0".to_owned())]).await?;
    let first = stage.serve(&arm, &[]).await?;
    let hash = hex(&[7; 32]);
    let audio: Vec<u8> = b"RIFF".iter().copied().chain((0_u8..=250).cycle()).take(PHRASE).collect();
    let app = App::new(arm.clone())?;
    if !app.state.keep_audio(&hash, Bytes::from(audio), app.clock.now()).await? {
        return Err(Error::new(Kind::Unavailable, "Redis has no room for a phrase: it is above 60 % of its memory"));
    }
    app.audit.close().await?;
    let redis = Arc::new(BareRedis::connect(&arm).await?);
    let bare = Bare::get(Arc::clone(&redis), redis.audio_key(&hash)).await?;
    let path = format!("/api/tts/{hash}");
    let arms = [(shared.port, path.as_str()), (first.port, path.as_str()), (bare.port, "/")];
    let (mut listeners, mut taken) = (Vec::new(), [Taken::default(), Taken::default(), Taken::default()]);
    for (port, path) in arms {
        listeners.push(Listener::many(port, LISTENERS, path).await?);
    }
    for block in 0..BLOCKS as usize {
        for place in 0..listeners.len() {
            let turn = (block + place) % listeners.len();
            let (block, back) = closed(std::mem::take(&mut listeners[turn]), stage.block(), Listener::fetch).await?;
            taken[turn].add(block);
            listeners[turn] = back;
        }
    }
    shared.stop().await?;
    let mut rows = phrase_rows(&mut taken);
    let mut callers = Caller::many(&first, CONCURRENT, BEHIND).await?;
    let (mut alone, mut beside, mut fetched) = (Taken::default(), Taken::default(), 0);
    for block in 0..BLOCKS * 2 {
        if (block + block / 2) % 2 == 0 {
            let load = tokio::spawn(listen(first.port, path.clone(), stage.block()));
            let (taken, back) = closed(callers, stage.block(), Caller::turn).await?;
            fetched += load.await.map_err(Error::internal)??;
            beside.add(taken);
            callers = back;
        } else {
            let (taken, back) = closed(callers, stage.block(), Caller::turn).await?;
            alone.add(taken);
            callers = back;
        }
    }
    first.stop().await?;
    let seconds = stage.seconds.as_secs_f64();
    rows.push(
        Row::new(RowName::Tts, format!("turns at 64 concurrent while {BESIDE} phrases a second are fetched"), beside.rate(), "per second")
            .limit(alone.rate(), "the same turns alone")
            .goal(Goal::Share(0.8))
            .note(format!("{:.0} phrases a second were answered; generator, handler and Redis share the machine", f64::from(fetched) / seconds)),
    );
    Ok(rows)
}

fn phrase_rows(taken: &mut [Taken; 3]) -> Vec<Row> {
    let [shared, first, bare] = taken;
    let limit = "bare axum handler, plain GET";
    vec![
        Row::new(RowName::Tts, "phrases of 160 KiB at 16 concurrent, from Redis", shared.rate(), "per second")
            .limit(bare.rate(), limit)
            .goal(Goal::Share(0.85)),
        Row::new(RowName::Tts, "the same, p50", shared.millis(50.0), "ms").limit(bare.millis(50.0), limit),
        Row::new(RowName::Tts, "the same, from the first level", first.rate(), "per second").limit(bare.rate(), limit).goal(Goal::Share(2.4)),
    ]
}

/// Fetches phrases at a steady rate; how many were answered in time.
async fn listen(port: u16, path: String, time: Duration) -> Result<u32> {
    let mut free = Listener::many(port, LISTENERS, &path).await?;
    let mut running = tokio::task::JoinSet::new();
    let mut tick = interval(Duration::from_micros(1_000_000 / BESIDE));
    tick.set_missed_tick_behavior(MissedTickBehavior::Burst);
    let (until, mut fetched) = (Instant::now() + time, 0);
    while Instant::now() < until {
        tick.tick().await;
        while let Some(done) = running.try_join_next() {
            free.push(done.map_err(Error::internal)??);
            fetched += 1;
        }
        // Where all are busy the fetch is left out: the rate that was reached is told.
        if let Some(listener) = free.pop() {
            running.spawn(listener.fetch());
        }
    }
    while let Some(done) = running.join_next().await {
        done.map_err(Error::internal)??;
        fetched += 1;
    }
    Ok(fetched)
}
