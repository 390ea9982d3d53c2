//! The agent without a service: answers by keyword from a file that anyone can read and change.
//!
//! In: a prompt. Out: the reply of the first rule whose keyword occurs in it, in the caller's language where the file
//! has it; on the first turn with the greeting before it. The same prompt always gets the same reply. Answering
//! cannot fail; reading a file can, with an error that names the field.

use std::collections::BTreeMap;
use std::path::Path;

use async_trait::async_trait;
use serde_json::{Map, Value};

use super::{Prompt, Replies, Reply, spoken};
use crate::error::{Error, Kind, Result};
use crate::model::phrase::composed;

/// The file that is built in.
const BUILTIN: &str = include_str!("../../../prompts/agent.json");

/// Longest name that is spoken, in characters.
const MAX_NAME: usize = 60;

/// The agent. Its file is `{"language": tag, "scripts": {tag: script}}`, where `language` chooses the script for
/// callers whose language has none, and a script is
/// `{"greeting", "name", "default", "rules": [{"keywords": [..], "reply", "unauthenticated"?}]}`.
/// `{name}` in a text becomes the caller's name, or the script's `name` where it is unknown; `unauthenticated` is said
/// in place of `reply` to a caller who is not authenticated. Keywords are lower case and match whole words.
#[derive(Debug, Clone)]
pub struct ScriptedAgent {
    language: String,
    scripts: BTreeMap<String, Script>,
}

#[derive(Debug, Clone)]
struct Script {
    greeting: String,
    name: String,
    default: String,
    rules: Vec<Rule>,
}

#[derive(Debug, Clone)]
struct Rule {
    /// Normalised as [`words`] does it.
    keywords: Vec<String>,
    reply: String,
    unauthenticated: Option<String>,
}

impl ScriptedAgent {
    /// The agent of `prompts/agent.json` as it was when the binary was built.
    pub fn builtin() -> Result<Self> {
        Self::from_json(BUILTIN)
    }

    /// The agent of a file; it must be readable UTF-8.
    pub fn load(path: &Path) -> Result<Self> {
        let text = std::fs::read_to_string(path).map_err(|e| Error::new(Kind::Setting, "the agent's file cannot be read").because(e))?;
        Self::from_json(&text)
    }

    /// The agent of this text; `BadInput` names the field at fault, such as `scripts.en.rules[2].keywords[0]`.
    pub fn from_json(text: &str) -> Result<Self> {
        let value: Value = serde_json::from_str(text).map_err(|e| Error::input("agent", format!("must be JSON (line {}, column {})", e.line(), e.column())))?;
        let root = Object::new(&value, "agent", "", &["language", "scripts"])?;
        let language = root.text("language")?.to_ascii_lowercase();
        let mut scripts = BTreeMap::new();
        for (tag, script) in root.object("scripts")? {
            crate::model::phrase::check_language("scripts", tag)?;
            scripts.insert(tag.to_ascii_lowercase(), Script::read(script, &format!("scripts.{tag}"))?);
        }
        if !scripts.contains_key(&language) {
            return Err(Error::input("language", "must be one of the languages in scripts"));
        }
        Ok(Self { language, scripts })
    }

    /// The script of what was just said, else of the profile, else of the file.
    fn script(&self, prompt: Prompt<'_>) -> Option<&Script> {
        let profile = fact(prompt.profile, "language");
        let known = prompt.language.into_iter().chain(profile).find_map(|tag| self.script_of(tag));
        known.or_else(|| self.scripts.get(&self.language))
    }

    /// The script of a tag, else of its first part.
    fn script_of(&self, tag: &str) -> Option<&Script> {
        let tag = tag.to_ascii_lowercase();
        self.scripts.get(&tag).or_else(|| self.scripts.get(tag.split('-').next().unwrap_or_default()))
    }
}

#[async_trait]
impl Replies for ScriptedAgent {
    async fn reply(&self, prompt: Prompt<'_>) -> Result<Reply> {
        let script = self.script(prompt).ok_or_else(|| Error::new(Kind::Internal, "the scripted agent has no script"))?;
        let authenticated = prompt.auth.and_then(|auth| auth.get("authenticated")).and_then(Value::as_bool).unwrap_or(false);
        let answer = script.answer(prompt.text, authenticated);
        let said = if prompt.history.is_empty() { format!("{} {answer}", script.greeting) } else { answer.to_owned() };
        let name = fact(prompt.profile, "name")
            .map(|name| spoken::clean(&name.chars().take(MAX_NAME).collect::<String>()))
            .filter(|name| !name.is_empty() && !name.starts_with('['));
        let text = spoken::clean(&said.replace("{name}", name.as_deref().unwrap_or(&script.name)));
        Ok(Reply { text, source: "scripted" })
    }

    fn name(&self) -> &'static str {
        "scripted"
    }
}

impl Script {
    fn read(value: &Value, path: &str) -> Result<Self> {
        let script = Object::new(value, path, &format!("{path}."), &["greeting", "name", "default", "rules"])?;
        let rules = script.list("rules")?.iter().enumerate();
        Ok(Self {
            greeting: script.text("greeting")?,
            name: script.text("name")?,
            default: script.text("default")?,
            rules: rules.map(|(n, rule)| Rule::read(rule, &format!("{path}.rules[{n}]"))).collect::<Result<_>>()?,
        })
    }

    fn answer(&self, text: &str, authenticated: bool) -> &str {
        let said = words(text);
        let rule = self.rules.iter().find(|rule| rule.keywords.iter().any(|keyword| said.contains(keyword)));
        rule.map_or(&self.default, |rule| rule.unauthenticated.as_ref().filter(|_| !authenticated).unwrap_or(&rule.reply))
    }
}

impl Rule {
    fn read(value: &Value, path: &str) -> Result<Self> {
        let rule = Object::new(value, path, &format!("{path}."), &["keywords", "reply", "unauthenticated"])?;
        let list = rule.list("keywords")?;
        let keyword = |(n, value): (usize, &Value)| {
            let lower = value.as_str().filter(|k| k.to_lowercase() == **k && k.chars().any(char::is_alphanumeric));
            lower.map(words).ok_or_else(|| Error::input(format!("{path}.keywords[{n}]"), "must be one or more words in lower case"))
        };
        let keywords = list.iter().enumerate().map(keyword).collect::<Result<Vec<_>>>()?;
        if keywords.is_empty() {
            return Err(Error::input(format!("{path}.keywords"), "must hold at least one keyword"));
        }
        let unauthenticated = if rule.has("unauthenticated") { Some(rule.text("unauthenticated")?) } else { None };
        Ok(Self { keywords, reply: rule.text("reply")?, unauthenticated })
    }
}

/// A JSON object of the file, with where it stands.
struct Object<'a> {
    map: &'a Map<String, Value>,
    prefix: String,
}

impl<'a> Object<'a> {
    fn new(value: &'a Value, path: &str, prefix: &str, fields: &[&str]) -> Result<Self> {
        let map = value.as_object().ok_or_else(|| Error::input(path, "must be a JSON object"))?;
        match map.keys().find(|key| !fields.contains(&key.as_str())) {
            Some(unknown) => Err(Error::input(format!("{prefix}{unknown}"), format!("is unknown here; known are {}", fields.join(", ")))),
            None => Ok(Self { map, prefix: prefix.to_owned() }),
        }
    }

    fn has(&self, key: &str) -> bool {
        self.map.contains_key(key)
    }

    /// A text that can be said, whose only placeholder is `{name}`.
    fn text(&self, key: &str) -> Result<String> {
        let text = self.map.get(key).and_then(Value::as_str).map(str::trim).filter(|t| !t.is_empty() && t.chars().count() <= 1000);
        let text = text.ok_or_else(|| Error::input(format!("{}{key}", self.prefix), "must be a text of 1 to 1000 characters"))?;
        if text.replace("{name}", "").contains(['{', '}']) {
            return Err(Error::input(format!("{}{key}", self.prefix), "may hold no other placeholder than {name}"));
        }
        Ok(text.to_owned())
    }

    fn list(&self, key: &str) -> Result<&'a Vec<Value>> {
        self.map.get(key).and_then(Value::as_array).ok_or_else(|| Error::input(format!("{}{key}", self.prefix), "must be a list"))
    }

    fn object(&self, key: &str) -> Result<&'a Map<String, Value>> {
        self.map.get(key).and_then(Value::as_object).ok_or_else(|| Error::input(format!("{}{key}", self.prefix), "must be a JSON object"))
    }
}

/// A text of the profile: at its top, else among its preferences.
fn fact<'a>(profile: Option<&'a Value>, name: &str) -> Option<&'a str> {
    let profile = profile?;
    profile.get(name).or_else(|| profile.get("preferences")?.get(name))?.as_str()
}

/// Lower-case words between single spaces, with one at each end, so that `contains` matches whole words.
fn words(text: &str) -> String {
    let lower = composed(text).to_lowercase();
    let mut line = String::with_capacity(lower.len() + 2);
    line.push(' ');
    for word in lower.split(|c: char| !c.is_alphanumeric()).filter(|word| !word.is_empty()) {
        line.push_str(word);
        line.push(' ');
    }
    line
}
