//! Calls and turns on Redis.

use async_trait::async_trait;
use redis::{Pipeline, Value, pipe};

use super::auditing::Invocation;
use super::{AsyncAzureRedisManager, content, entry, fields, millis, packed, parts, read, unpacked};
use crate::error::{Error, Result};
use crate::model::call::{Applied, CallChange, CallStatus, Effect, Outcome, Session, field};
use crate::model::conversation::{CONTEXT_BYTES, CONTEXT_KEYS, Committed, Entry, Loaded, PROFILE_KEY, TurnCommit, UserChange, Window};
use crate::model::ids::{CallId, TurnId};
use crate::model::stages::Millis;
use crate::model::time::Timestamp;
use crate::ports::clock::{Clock as _, SystemClock};
use crate::ports::state::keys::{CallKey, TtlPolicy};
use crate::ports::state::{Calls, Known, StageTimes, Survey};

/// What every commit says.
pub(super) struct Commit<'a> {
    pub(super) call: &'a CallId,
    pub(super) turn: &'a str,
    pub(super) now: Timestamp,
    /// The turn's frame without its number.
    pub(super) content: &'a [u8],
    /// `keep`, `set` or `remove`, and the user.
    pub(super) user: (&'a str, &'a str),
    /// The call's wrapped key, or empty.
    pub(super) wrap: &'a str,
    /// How many pairs of the context follow.
    pub(super) sets: usize,
    /// How many revisions follow them.
    pub(super) revisions: usize,
}

impl AsyncAzureRedisManager {
    /// The entry at one place of the history.
    async fn entry_at(&self, call: &CallId, seq: u64) -> Result<Option<(u64, Entry)>> {
        let mut look = pipe();
        look.cmd("LINDEX").arg(self.key(call, CallKey::History)).arg(seq.saturating_sub(1));
        let [frame]: [Value; 1] = exact(self.pipeline(&look).await?)?;
        read::<Option<Vec<u8>>>(frame)?.map(|frame| entry(&frame)).transpose()
    }

    /// What a turn loads with.
    pub(super) fn load_commands(&self, call: &CallId, turn: &TurnId) -> Pipeline {
        let on = |name, key| super::on(name, &self.key(call, key));
        let (mut session, mut history, mut turns) = (on("HMGET", CallKey::Session), on("LRANGE", CallKey::History), on("HGET", CallKey::Turns));
        session.arg(field::STATUS).arg(field::KEY);
        history.arg(-self.look_back).arg(-1);
        turns.arg(turn.as_str());
        let mut look = Pipeline::with_capacity(6);
        look.add_command(session).add_command(on("EXISTS", CallKey::Summary)).add_command(on("HGETALL", CallKey::Context));
        look.add_command(history).add_command(turns).add_command(on("HGETALL", CallKey::Auth));
        look
    }

    /// The commit script up to where its pairs, revisions and deletions begin.
    pub(super) fn commit_script(&self, commit: &Commit<'_>) -> Invocation<'_> {
        let mut invocation = self.turn_keys(&self.scripts.commit, commit.call);
        invocation.arg(commit.turn).arg(commit.now.millis()).arg(commit.content);
        for policy in [TtlPolicy::SessionHistory, TtlPolicy::ConversationContext, TtlPolicy::Outbox] {
            invocation.arg(self.ttl(policy));
        }
        invocation.arg(commit.user.0).arg(commit.user.1);
        invocation.arg(CONTEXT_KEYS).arg(CONTEXT_BYTES).arg(commit.wrap).arg(commit.sets).arg(commit.revisions);
        invocation
    }

    /// The settle script; `times` are the field of the stage times and what it holds, or empty.
    pub(super) fn settle_script(&self, call: &CallId, field: &str, rev: u32, times: &(String, String)) -> Invocation<'_> {
        let mut invocation = self.scripts.settle.on([self.key(call, CallKey::Outbox), self.key(call, CallKey::Turns)]);
        invocation.arg(field).arg(rev).arg(&times.0).arg(&times.1);
        invocation
    }

    fn look_at(&self, call: &CallId) -> Pipeline {
        let mut look = pipe();
        look.hgetall(self.key(call, CallKey::Session)).exists(self.key(call, CallKey::Summary)).hlen(self.key(call, CallKey::Outbox));
        look
    }

    fn activity(&self, call: &CallId, activity: Option<Timestamp>) -> Pipeline {
        let key = self.keys.open_calls_of(call);
        let mut change = pipe();
        match activity {
            Some(at) => change.zadd(&key, call.as_str(), at.millis()).ignore().expire(&key, seconds(self.ttl(TtlPolicy::OpenCalls))).ignore(),
            None => change.zrem(&key, call.as_str()).ignore(),
        };
        change
    }
}

/// What [`AsyncAzureRedisManager::look_at`] found.
fn survey(call: &CallId, answers: Vec<Value>) -> Result<Survey> {
    let [session, archived, waiting]: [Value; 3] = exact(answers)?;
    Ok(Survey { call: call.clone(), session: Session::from_fields(fields(session)?), archived: read(archived)?, waiting: read(waiting)? })
}

/// The answers of a pipeline, as many as it has commands.
pub(super) fn exact<T, const N: usize>(answers: Vec<T>) -> Result<[T; N]> {
    answers.try_into().map_err(|_| Error::internal("a pipeline answered with another number of values"))
}

/// Stage times as they stand in the turns hash: five numbers, `-` for none.
pub(super) fn stage_text(times: StageTimes) -> String {
    let speech = times.speech_ms.map_or_else(|| "-".to_owned(), |ms| Millis(ms).to_string());
    let hit = times.speech_hit.map_or("-", |hit| if hit { "1" } else { "0" });
    format!("{} {} {} {speech} {hit}", Millis(times.load_ms), Millis(times.reply_ms), Millis(times.commit_ms))
}

pub(super) fn stage_times(text: &str) -> Option<StageTimes> {
    let mut parts = text.split(' ');
    let mut next = || parts.next();
    let (load, reply, commit, speech, hit) = (next()?, next()?, next()?, next()?, next()?);
    Some(StageTimes {
        load_ms: load.parse().ok()?,
        reply_ms: reply.parse().ok()?,
        commit_ms: commit.parse().ok()?,
        speech_ms: speech.parse().ok(),
        speech_hit: match hit {
            "1" => Some(true),
            "0" => Some(false),
            _ => None,
        },
    })
}

#[async_trait]
impl Calls for AsyncAzureRedisManager {
    async fn register(&self, call: &CallId, now: Timestamp) -> Result<Known> {
        // In a cluster the open set is in another slot; on one connection both go out together all the same.
        let mut look = pipe();
        look.exists(self.key(call, CallKey::Summary)).hgetall(self.key(call, CallKey::Session));
        let [known, _]: [Vec<Value>; 2] = exact(self.together(&[look, self.activity(call, Some(now))]).await?)?;
        let [archived, session]: [Value; 2] = exact(known)?;
        if read(archived)? {
            self.touch_open(call, None).await?;
            return Ok(Known::Archived);
        }
        Ok(Session::from_fields(fields(session)?).map_or(Known::Nothing, Known::Open))
    }

    async fn apply(&self, change: &CallChange) -> Result<Applied> {
        let (effect, argument, participants, phone) = match &change.effect {
            Effect::Connect => ("connect", String::new(), "", ""),
            Effect::End { reason } => ("end", reason.clone(), "", ""),
            Effect::Note => ("note", String::new(), "", ""),
            Effect::Participants { sequence, participants, phone_user } => {
                ("participants", sequence.to_string(), participants.as_str(), phone_user.as_ref().map_or("", |u| u.as_str()))
            }
        };
        let mut invocation = self.turn_keys(&self.scripts.apply, &change.call);
        invocation.arg(change.event_id.as_deref().unwrap_or("")).arg(effect).arg(change.at.millis()).arg(change.now.millis());
        for policy in [TtlPolicy::SessionHistory, TtlPolicy::Ended, TtlPolicy::ConversationContext, TtlPolicy::Outbox] {
            invocation.arg(self.ttl(policy));
        }
        invocation.arg(argument).arg(&packed(participants)[..]).arg(phone).arg(change.key.as_deref().unwrap_or(""));
        for (name, value) in &change.fields {
            invocation.arg(*name).arg(&packed(value)[..]);
        }
        let (word, rest) = parts(self.script(&invocation).await?)?;
        let outcome = match word.as_str() {
            "applied" => Outcome::Applied,
            "duplicate" => Outcome::Duplicate,
            "ended" => Outcome::AlreadyEnded,
            "rekey" => Outcome::Rekey,
            _ => Outcome::Archived,
        };
        let rest = if outcome == Outcome::Rekey { Vec::new() } else { rest };
        let session = rest.into_iter().next().map(fields).transpose()?.and_then(Session::from_fields);
        Ok(Applied { outcome, session })
    }

    async fn load(&self, call: &CallId, turn: &TurnId) -> Result<Loaded> {
        let look = self.load_commands(call, turn);
        let [session, archived, context, history, saved, auth]: [Value; 6] = exact(self.pipeline(&look).await?)?;
        let mut window = Window::default();
        for frame in read::<Vec<Vec<u8>>>(history)? {
            let (seq, entry) = entry(&frame)?;
            window.seqs.push(seq);
            window.entries.push(entry);
        }
        let saved = match read::<Option<u64>>(saved)? {
            None => None,
            Some(seq) => match window.seqs.iter().position(|s| *s == seq) {
                Some(place) => Some((seq, window.entries[place].clone())),
                None => self.entry_at(call, seq).await?,
            },
        };
        let [status, key]: [Option<Vec<u8>>; 2] = exact(read(session)?)?;
        Ok(Loaded {
            // What opens a session sets its status.
            status: status.map(|status| CallStatus::parse(&unpacked(status))),
            key: key.map(unpacked),
            archived: read(archived)?,
            context: fields(context)?,
            window,
            saved,
            auth: super::auth::state(&fields(auth)?)?,
        })
    }

    async fn commit(&self, turn: &TurnCommit) -> Result<Committed> {
        let user = match &turn.user {
            UserChange::Set(user) => ("set", user.as_str()),
            UserChange::Remove => ("remove", ""),
            UserChange::Keep => ("keep", ""),
        };
        let mut invocation = self.commit_script(&Commit {
            call: &turn.call,
            turn: &turn.entry.turn_id,
            now: turn.now,
            content: &content(&turn.entry)?,
            user,
            wrap: turn.key.as_deref().unwrap_or(""),
            sets: turn.patch.set.len(),
            revisions: turn.revisions.len(),
        });
        for (key, value) in &turn.patch.set {
            invocation.arg(key).arg(&packed(value)[..]);
        }
        for (seq, entry) in &turn.revisions {
            invocation.arg(*seq).arg(&entry.turn_id).arg(content(entry)?);
        }
        for key in &turn.patch.delete {
            invocation.arg(key);
        }
        let (word, rest) = parts(self.script(&invocation).await?)?;
        match (word.as_str(), rest.into_iter().next()) {
            ("new", Some(seq)) => Ok(Committed::New(read(seq)?)),
            ("known", Some(frame)) => {
                let frame: Vec<u8> = read(frame)?;
                let (seq, entry) = entry(&frame)?;
                Ok(Committed::Known(seq, entry))
            }
            ("ended", _) => Ok(Committed::Ended),
            ("full", _) => Ok(Committed::ContextFull),
            ("stale", _) => Ok(Committed::Stale),
            ("rekey", _) => Ok(Committed::Rekey),
            _ => Err(Error::internal("the commit script answered something unknown")),
        }
    }

    async fn settle(&self, call: &CallId, field: &str, rev: u32, stages: Option<(&TurnId, StageTimes)>) -> Result<()> {
        let times = stages.map(|(turn, times)| (format!(":{turn}"), stage_text(times))).unwrap_or_default();
        let invocation = self.settle_script(call, field, rev, &times);
        self.script(&invocation).await.map(drop)
    }

    async fn attach_profile(&self, call: &CallId, facts: &str) -> Result<()> {
        let mut invocation = self.scripts.attach_profile.on([self.key(call, CallKey::Session), self.key(call, CallKey::Context)]);
        invocation.arg(&packed(facts)[..]).arg(self.ttl(TtlPolicy::ConversationContext)).arg(SystemClock.now().millis());
        debug_assert_eq!(PROFILE_KEY, "_profile", "the script names the key");
        self.script(&invocation).await.map(drop)
    }

    async fn open_calls(&self, partition: u8, skip: u64, limit: u64) -> Result<Vec<(CallId, Timestamp)>> {
        if limit == 0 {
            return Ok(Vec::new());
        }
        let mut look = pipe();
        let end = skip.saturating_add(limit - 1);
        look.cmd("ZRANGE").arg(self.keys.open_calls(partition)).arg(skip).arg(end).arg("WITHSCORES");
        let [members]: [Value; 1] = exact(self.pipeline(&look).await?)?;
        let members: Vec<(String, f64)> = read(members)?;
        // Scores are whole milliseconds, far below 2^53.
        members.into_iter().map(|(id, score)| Ok((CallId::parse(id)?, Timestamp::from_millis(score as i64)))).collect()
    }

    async fn survey(&self, calls: &[CallId]) -> Result<Vec<Survey>> {
        let looks: Vec<Pipeline> = calls.iter().map(|call| self.look_at(call)).collect();
        self.together(&looks).await?.into_iter().zip(calls).map(|(answers, call)| survey(call, answers)).collect()
    }

    async fn touch_open(&self, call: &CallId, activity: Option<Timestamp>) -> Result<()> {
        self.pipeline(&self.activity(call, activity)).await.map(drop)
    }
}

/// A TTL as the client wants it.
pub(super) fn seconds(ttl: u64) -> i64 {
    i64::try_from(ttl).unwrap_or(i64::MAX)
}

/// A time in a stored field.
pub(super) fn time(text: &str) -> Timestamp {
    millis(text)
}
