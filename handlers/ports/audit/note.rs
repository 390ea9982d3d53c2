//! What is noted: everything of an entry but its place in the chain, which it gets when it is written.

use std::borrow::Cow;
use std::sync::Arc;
use std::time::Duration;

use super::keys::{Keys, Owner};
use crate::error::{Kind, Result};
use crate::model::ids::CallId;
use crate::model::time::Timestamp;

/// Most bytes of one text of an entry: a batch must fit into a document.
const TEXT: usize = 200;

/// Who did it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Actor {
    /// The app itself, outside any invocation.
    System,
    /// Somebody at a command line; the name of the account would be personal.
    Cli,
    /// A person who is named by a role or a token.
    Operator(String),
    /// A function.
    Function(&'static str),
}

impl std::fmt::Display for Actor {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::System => f.write_str("system"),
            Self::Cli => f.write_str("cli"),
            Self::Operator(name) => write!(f, "operator:{name}"),
            Self::Function(name) => write!(f, "function:{name}"),
        }
    }
}

/// What was touched in a store.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Touched {
    /// A key: data type, component, and the key itself, of which only a keyed hash is written.
    Key(&'static str, &'static str, Box<str>),
    /// The keys of one operation; of the first one a keyed hash is written, of all the kinds and whose they are.
    Keys(Keys),
    /// A field, a container or a setting by its name.
    Named(Cow<'static, str>),
}

/// One thing that happened.
#[derive(Debug, Clone)]
pub struct Note {
    pub(super) at: Option<Timestamp>,
    pub(super) actor: Option<Actor>,
    pub(super) action: Cow<'static, str>,
    pub(super) subject: Option<Box<str>>,
    pub(super) call: Option<Box<str>>,
    pub(super) store: Option<&'static str>,
    pub(super) touched: Option<Touched>,
    pub(super) bytes: u64,
    pub(super) count: u64,
    pub(super) result: &'static str,
    pub(super) correlation: Option<Arc<str>>,
    pub(super) us: u64,
    pub(super) personal: bool,
}

impl Note {
    /// Something done, such as `profile.read`: counted once, done well, and on personal data. Actor and correlation are those of
    /// the invocation that is running.
    pub fn new(action: impl Into<Cow<'static, str>>) -> Self {
        Self {
            at: None,
            actor: None,
            action: shortened(action.into()),
            subject: None,
            call: None,
            store: None,
            touched: None,
            bytes: 0,
            count: 1,
            result: "ok",
            correlation: None,
            us: 0,
            personal: true,
        }
    }

    /// Who did it.
    #[must_use]
    pub fn actor(mut self, actor: Actor) -> Self {
        self.actor = Some(match actor {
            Actor::Operator(name) => Actor::Operator(shortened(name.into()).into_owned()),
            other => other,
        });
        self
    }

    /// Token of the person it concerns; never an id or a number of a person.
    #[must_use]
    pub fn subject(mut self, token: &str) -> Self {
        self.subject = Some(token[..token.floor_char_boundary(TEXT)].into());
        self
    }

    /// The call that it concerns. Whose call it is, the log knows as soon as one entry names both.
    #[must_use]
    pub fn call(mut self, call: &CallId) -> Self {
        self.call = Some(call.as_str().into());
        self
    }

    /// The store that it touched: `redis`, `cosmos`, `embedded`, `queue` or `keys`.
    #[must_use]
    pub fn store(mut self, store: &'static str) -> Self {
        self.store = Some(store);
        self
    }

    /// The container, field or setting that it touched, by its name.
    #[must_use]
    pub fn named(mut self, name: impl Into<Cow<'static, str>>) -> Self {
        self.touched = Some(Touched::Named(shortened(name.into())));
        self
    }

    /// The key that it touched. The key itself is never written.
    #[must_use]
    pub fn key(mut self, data_type: &'static str, component: &'static str, key: impl Into<Box<str>>) -> Self {
        self.touched = Some(Touched::Key(data_type, component, key.into()));
        self
    }

    /// The keys that an operation touched; none where it touched none.
    #[must_use]
    pub fn keys(mut self, keys: Keys) -> Self {
        self.touched = (!keys.is_empty()).then_some(Touched::Keys(keys));
        self
    }

    /// The calls that it concerns, each once.
    pub(super) fn calls(&self) -> Vec<&str> {
        let mut calls: Vec<&str> = self.call.iter().map(AsRef::as_ref).collect();
        if let Some(Touched::Keys(keys)) = &self.touched {
            for owner in keys.owners() {
                if let Owner::Call(call) = owner
                    && !calls.contains(&call)
                {
                    calls.push(call);
                }
            }
        }
        calls
    }

    /// The person whom it concerns, where it says so itself.
    pub(super) fn person(&self) -> Option<&str> {
        let by_key = || match &self.touched {
            Some(Touched::Keys(keys)) => keys.owners().find_map(|owner| if let Owner::User(user) = owner { Some(user) } else { None }),
            _ => None,
        };
        self.subject.as_deref().or_else(by_key)
    }

    /// About how many usual entries it is as long as.
    pub(super) fn weight(&self) -> usize {
        match &self.touched {
            Some(Touched::Keys(keys)) => 1 + keys.more() / 8,
            _ => 1,
        }
    }

    /// Bytes that went either way.
    #[must_use]
    pub const fn bytes(mut self, bytes: u64) -> Self {
        self.bytes = bytes;
        self
    }

    /// How many commands, documents or whatever the action counts.
    #[must_use]
    pub const fn count(mut self, count: u64) -> Self {
        self.count = count;
        self
    }

    /// How it ended.
    #[must_use]
    pub fn result<T>(mut self, result: &Result<T>) -> Self {
        self.result = match result {
            Ok(_) => "ok",
            Err(e) => e.kind.row().slug,
        };
        self
    }

    /// How it ended, where a kind says it.
    #[must_use]
    pub const fn failed(mut self, kind: Kind) -> Self {
        self.result = kind.row().slug;
        self
    }

    /// What else came of it, such as `refused`.
    #[must_use]
    pub const fn outcome(mut self, word: &'static str) -> Self {
        self.result = word;
        self
    }

    /// How long it took.
    #[must_use]
    pub fn took(mut self, time: Duration) -> Self {
        self.us = u64::try_from(time.as_micros()).unwrap_or(u64::MAX);
        self
    }

    /// Touches nothing personal: where there is no room it may be left out, and the settings may sample it.
    #[must_use]
    pub const fn impersonal(mut self) -> Self {
        self.personal = false;
        self
    }
}

fn shortened(text: Cow<'static, str>) -> Cow<'static, str> {
    if text.len() <= TEXT { text } else { Cow::Owned(text[..text.floor_char_boundary(TEXT)].to_owned()) }
}
