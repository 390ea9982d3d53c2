//! Calls in the layouts of an earlier generation: reading them, taking them over, migrating all of them.

mod migrate;
mod properties;
mod reading;
mod store;

use std::collections::BTreeMap;
use std::path::Path;

use rtvoice::model::ids::CallId;
use rtvoice::model::legacy::{Content, LegacyKey, LegacyRaw};
use rtvoice::model::time::Timestamp;
use rtvoice::ports::state::keys::RedisKeyManager;
use serde_json::Value;

/// The call of most fixtures.
const CALL: &str = "401f3500-7c21-4d0a-9b6e-5f2c8a91d301";
/// The time of all imports.
const NOW: Timestamp = Timestamp::from_millis(1_768_471_200_000);

fn call(id: &str) -> CallId {
    CallId::parse(id).expect("a sound id")
}

fn fixture(name: &str) -> Value {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/acs").join(format!("legacy_redis_{name}.json"));
    serde_json::from_str(&std::fs::read_to_string(path).expect("a fixture")).expect("JSON")
}

fn strings(value: &Value) -> Vec<String> {
    value.as_array().expect("a list").iter().map(|item| item.as_str().expect("a text").to_owned()).collect()
}

fn pairs(value: &Value) -> Vec<(String, String)> {
    value.as_object().expect("an object").iter().map(|(name, text)| (name.clone(), text.as_str().expect("a text").to_owned())).collect()
}

/// A fixture as the key that the store would find for this call.
fn key_of(id: &str, fixture: &Value) -> LegacyKey {
    let content = match fixture["type"].as_str().expect("a type") {
        "hash" => Content::Hash(pairs(&fixture["fields"]).into_iter().collect()),
        "list" => Content::List(strings(&fixture["items"])),
        "string" => Content::Text(fixture["value"].as_str().expect("a text").to_owned()),
        "stream" => {
            let entries = fixture["entries"].as_array().expect("entries").iter();
            Content::Stream(entries.map(|entry| (entry["id"].as_str().expect("an id").to_owned(), pairs(&entry["fields"]))).collect())
        }
        other => panic!("unknown type {other}"),
    };
    let ttl = u64::try_from(fixture["ttl_seconds"].as_i64().expect("a TTL")).ok();
    key(id, fixture["key"].as_str().expect("a name"), ttl, content)
}

fn key(id: &str, name: &str, ttl: Option<u64>, content: Content) -> LegacyKey {
    let known = RedisKeyManager::legacy_keys(&call(id));
    let (role, _) = known.into_iter().find(|(_, known)| known == name).expect("a legacy key of this call");
    LegacyKey { name: name.to_owned(), role, ttl, content }
}

fn hash(fields: &[(&str, &str)]) -> Content {
    Content::Hash(fields.iter().map(|(name, text)| ((*name).to_owned(), (*text).to_owned())).collect::<BTreeMap<_, _>>())
}

fn raw(keys: impl IntoIterator<Item = LegacyKey>) -> LegacyRaw {
    LegacyRaw { keys: keys.into_iter().collect() }
}
