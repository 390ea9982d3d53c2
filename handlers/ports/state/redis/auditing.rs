//! What is noted of every operation on Redis: its commands or its script, the first key, the kinds of all keys and whose they
//! are, bytes, result and time.
//!
//! Room in the audit log is made before the operation, so that nothing touches personal data unnoted: where the log
//! takes nothing, Redis counts as away.

use std::borrow::Cow;
use std::pin::pin;
use std::task::Poll;

use redis::aio::ConnectionLike;
use redis::{Arg, Cmd, ErrorKind, Pipeline, RedisResult, Script, ServerErrorKind, ToRedisArgs, Value};
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

    /// The script on these keys.
    pub(super) fn on<const N: usize>(&self, keys: [String; N]) -> Invocation<'_> {
        // As much as a commit needs, so that it is put together without growing.
        let mut command = Cmd::with_capacity(N + 24, 1536);
        command.arg("EVALSHA").arg(self.script.get_hash()).arg(N);
        for key in keys {
            command.arg(key);
        }
        Invocation { name: self.name, script: &self.script, keys: N, command }
    }
}

/// A script with its keys and arguments, as it goes out.
pub(super) struct Invocation<'a> {
    name: &'static str,
    script: &'a Script,
    keys: usize,
    command: Cmd,
}

impl Invocation<'_> {
    pub(super) fn arg<T: ToRedisArgs>(&mut self, arg: T) -> &mut Self {
        self.command.arg(arg);
        self
    }

    /// Sends it; where the server does not have the script, the script first.
    pub(super) async fn send(&self, mut connection: impl ConnectionLike) -> RedisResult<Value> {
        match self.command.query_async(&mut connection).await {
            Err(e) if e.kind() == ErrorKind::Server(ServerErrorKind::NoScript) => {
                self.script.load_async(&mut connection).await?;
                self.command.query_async(&mut connection).await
            }
            result => result,
        }
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
        let (mut action, mut names): (String, [&[u8]; 8]) = (String::with_capacity(48), [b""; 8]);
        action.push_str("redis.");
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
        let mut this = Self { action: Cow::Borrowed(invocation.name), keys: Keys::default(), sent: 0, count: 1 };
        // Behind the command, the script's hash and the number of keys.
        for (n, arg) in invocation.command.args_iter().skip(3).enumerate() {
            let Arg::Simple(arg) = arg else { continue };
            this.sent += arg.len();
            if n < invocation.keys
                && let Ok(key) = std::str::from_utf8(arg)
            {
                this.keys.add(key);
            }
        }
        this
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
