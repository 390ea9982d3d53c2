//! What is noted of every operation on Redis: its commands or its script, the first key, the kinds of all keys and whose they
//! are, bytes, result and time.
//!
//! Room in the audit log is made before the operation, so that nothing touches personal data unnoted: where the log
//! takes nothing, Redis counts as away.

use std::borrow::Cow;
use std::pin::pin;
use std::task::Poll;

use redis::{Arg, Cmd, Pipeline, RedisWrite, Script, ScriptInvocation, ToRedisArgs, Value};
use tokio::time::Instant;

use super::AsyncAzureRedisManager;
use crate::error::Result;
use crate::ports::audit::{Keys, Note};

/// Commands whose second word is no key. MEMORY reads sizes alone.
const KEYLESS: [&[u8]; 7] = [b"PING", b"INFO", b"SCAN", b"CLUSTER", b"CONFIG", b"TIME", b"MEMORY"];

/// A script with the name under which it is noted.
pub(super) struct Named {
    name: &'static str,
    script: Script,
}

impl Named {
    pub(super) fn new(name: &'static str, code: &str) -> Self {
        Self { name, script: Script::new(code) }
    }

    pub(super) fn prepare_invoke(&self) -> Invocation<'_> {
        Invocation { name: self.name, keys: Keys::default(), bytes: 0, script: self.script.prepare_invoke() }
    }
}

/// A script with its keys and arguments.
pub(super) struct Invocation<'a> {
    name: &'static str,
    keys: Keys,
    bytes: usize,
    script: ScriptInvocation<'a>,
}

impl<'a> Invocation<'a> {
    pub(super) fn key(&mut self, key: impl Into<String>) -> &mut Self {
        let key = key.into();
        self.bytes += key.len();
        self.script.key(key.as_str());
        self.keys.add(&key);
        self
    }

    pub(super) fn arg<T: ToRedisArgs>(&mut self, arg: T) -> &mut Self {
        let mut size = Size(0);
        arg.write_redis_args(&mut size);
        self.bytes += size.0;
        self.script.arg(arg);
        self
    }

    pub(super) const fn script(&self) -> &ScriptInvocation<'a> {
        &self.script
    }
}

/// Counts the bytes of arguments.
struct Size(usize);

impl RedisWrite for Size {
    fn write_arg(&mut self, arg: &[u8]) {
        self.0 += arg.len();
    }

    fn writer_for_next_arg(&mut self) -> impl std::io::Write + '_ {
        self
    }
}

impl std::io::Write for Size {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0 += bytes.len();
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

/// One operation, as it will be noted.
pub(super) struct Operation {
    action: Cow<'static, str>,
    keys: Keys,
    sent: usize,
    count: u64,
}

impl Operation {
    /// Commands that are sent together, named by their different words.
    pub(super) fn of<'a>(commands: impl Iterator<Item = &'a Cmd>) -> Self {
        let mut this = Self { action: Cow::Borrowed(""), keys: Keys::default(), sent: 0, count: 0 };
        let (mut action, mut names): (String, [&[u8]; 8]) = ("redis.".to_owned(), [b""; 8]);
        let mut different = 0;
        for command in commands {
            this.count += 1;
            let mut words = command.args_iter().map(|arg| match arg {
                Arg::Simple(word) => word,
                _ => b"",
            });
            let name = words.next().unwrap_or_default();
            if different < names.len() && !names.contains(&name) {
                names[different] = name;
                if different > 0 {
                    action.push('+');
                }
                action.push_str(std::str::from_utf8(name).unwrap_or("?"));
                different += 1;
            }
            let key = words.next().unwrap_or_default();
            if let (false, Ok(key)) = (KEYLESS.contains(&name), std::str::from_utf8(key)) {
                this.keys.add(key);
            }
            this.sent += name.len() + key.len() + words.map(<[u8]>::len).sum::<usize>();
        }
        this.action = Cow::Owned(action);
        this
    }

    /// A script.
    pub(super) fn script(invocation: &Invocation<'_>) -> Self {
        Self { action: Cow::Borrowed(invocation.name), keys: invocation.keys.clone(), sent: invocation.bytes, count: 1 }
    }

    /// Pipelines that are sent at once.
    pub(super) fn pipelines(pipelines: &[Pipeline]) -> Self {
        Self::of(pipelines.iter().flat_map(Pipeline::cmd_iter))
    }
}

/// What an answer weighs.
pub(super) trait Weight {
    /// Bytes of its values.
    fn weight(&self) -> usize;
}

impl Weight for () {
    fn weight(&self) -> usize {
        0
    }
}

impl Weight for Value {
    fn weight(&self) -> usize {
        match self {
            Self::BulkString(bytes) => bytes.len(),
            Self::SimpleString(text) | Self::VerbatimString { text, .. } => text.len(),
            Self::Array(values) | Self::Set(values) => values.weight(),
            Self::Map(pairs) => pairs.iter().map(|(name, value)| name.weight() + value.weight()).sum(),
            Self::Int(_) | Self::Double(_) => 8,
            _ => 0,
        }
    }
}

impl<T: Weight> Weight for Vec<T> {
    fn weight(&self) -> usize {
        self.iter().map(Weight::weight).sum()
    }
}

impl AsyncAzureRedisManager {
    /// Runs an operation and notes it. Where there is room for the note it is put together while Redis works.
    pub(super) async fn audited<T: Weight>(&self, describe: impl FnOnce() -> Operation, work: impl Future<Output = Result<T>>) -> Result<T> {
        if !self.audit.is_on() {
            return work.await;
        }
        let (operation, room, began, result);
        if let Some(there) = self.audit.room_now() {
            let mut work = pin!(work);
            began = Instant::now();
            let sent = futures::poll!(work.as_mut());
            // The connection's task runs before this one goes on.
            tokio::task::yield_now().await;
            operation = describe();
            room = Some(there).filter(|_| operation.keys.is_personal() || self.audit.is_sampled());
            result = match sent {
                Poll::Ready(result) => result,
                Poll::Pending => work.await,
            };
        } else {
            operation = describe();
            let personal = operation.keys.is_personal();
            room = if personal || self.audit.is_sampled() { Some(self.audit.room(personal).await?) } else { None };
            began = Instant::now();
            result = work.await;
        }
        let Some(room) = room else { return result };
        let received = result.as_ref().map_or(0, Weight::weight);
        let note = Note::new(operation.action).store("redis").keys(operation.keys).count(operation.count).result(&result).took(began.elapsed());
        room.note(note.bytes((operation.sent + received) as u64));
        result
    }
}
