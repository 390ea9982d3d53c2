//! Redis's primitives on SQLite: keys that expire, with hash fields, list items, scored members or a value.
//!
//! A key that has expired is treated as absent everywhere, whether or not its row is still there. A key that loses
//! its last field or member goes with it, as in Redis. Fails with `Unavailable` where the file fails.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use rusqlite::{OptionalExtension as _, Params, Row, Transaction, params};

use crate::error::Result;
use crate::model::time::Timestamp;
use crate::ports::audit::Keys;
use crate::ports::embedded::failure;

/// The tables; everything of a key goes with its row in `state_keys`.
pub(super) const SCHEMA: &str = "
CREATE TABLE IF NOT EXISTS state_keys (
    id INTEGER PRIMARY KEY,
    key TEXT NOT NULL UNIQUE,
    expires_at INTEGER NOT NULL
);
CREATE INDEX IF NOT EXISTS state_keys_by_expiry ON state_keys (expires_at);
CREATE TABLE IF NOT EXISTS state_fields (
    key_id INTEGER NOT NULL REFERENCES state_keys (id) ON DELETE CASCADE,
    field TEXT NOT NULL,
    value TEXT NOT NULL,
    PRIMARY KEY (key_id, field)
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS state_items (
    key_id INTEGER NOT NULL REFERENCES state_keys (id) ON DELETE CASCADE,
    position INTEGER NOT NULL,
    value TEXT NOT NULL,
    PRIMARY KEY (key_id, position)
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS state_members (
    key_id INTEGER NOT NULL REFERENCES state_keys (id) ON DELETE CASCADE,
    member TEXT NOT NULL,
    score INTEGER NOT NULL,
    PRIMARY KEY (key_id, member)
) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS state_members_by_score ON state_members (key_id, score, member);
CREATE TABLE IF NOT EXISTS state_values (
    key_id INTEGER PRIMARY KEY REFERENCES state_keys (id) ON DELETE CASCADE,
    value BLOB NOT NULL
);
";

/// Expired keys that one write removes at most: a batch must not hold up a turn.
const PURGE: i64 = 8;

/// How long a key is to live, in milliseconds from now.
#[derive(Debug, Clone, Copy)]
pub(super) enum Life {
    /// Exactly this long.
    Anew(i64),
    /// This long, or longer where it already does.
    AtLeast(i64),
}

/// The id of a key's row, good within its transaction.
#[derive(Debug, Clone, Copy)]
pub(super) struct KeyId(i64);

/// What a transaction touched.
#[derive(Debug, Default)]
pub(super) struct Seen {
    /// The keys.
    pub keys: Keys,
    /// How often a key was looked for.
    pub looks: u64,
}

/// What a transaction touched, told to whoever runs it.
pub(super) type Watch = Arc<Mutex<Seen>>;

/// The tables within one transaction, at one moment.
pub(super) struct Table<'a> {
    tx: &'a Transaction<'a>,
    now: Timestamp,
    seen: &'a Watch,
}

impl<'a> Table<'a> {
    pub(super) const fn new(tx: &'a Transaction<'a>, now: Timestamp, seen: &'a Watch) -> Self {
        Self { tx, now, seen }
    }

    fn look(&self, key: &str) {
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        seen.looks += 1;
        seen.keys.add(key);
    }

    /// The moment at which expiry is judged.
    pub(super) const fn now(&self) -> Timestamp {
        self.now
    }

    fn run(&self, sql: &str, params: impl Params) -> Result<usize> {
        self.tx.prepare_cached(sql).and_then(|mut statement| statement.execute(params)).map_err(failure)
    }

    fn one<T>(&self, sql: &str, params: impl Params, read: impl FnOnce(&Row<'_>) -> rusqlite::Result<T>) -> Result<Option<T>> {
        self.tx.prepare_cached(sql).and_then(|mut statement| statement.query_row(params, read).optional()).map_err(failure)
    }

    fn many<T, C: FromIterator<T>>(&self, sql: &str, params: impl Params, read: impl FnMut(&Row<'_>) -> rusqlite::Result<T>) -> Result<C> {
        self.tx.prepare_cached(sql).and_then(|mut statement| statement.query_map(params, read)?.collect()).map_err(failure)
    }

    /// Removes a few expired keys.
    pub(super) fn purge(&self) -> Result<()> {
        let sql = "DELETE FROM state_keys WHERE id IN (SELECT id FROM state_keys WHERE expires_at <= ?1 ORDER BY expires_at LIMIT ?2)";
        self.run(sql, params![self.now.millis(), PURGE]).map(drop)
    }

    /// At most `limit` keys after this one, in the order of their names, with their expiries in milliseconds.
    pub(super) fn keys_after(&self, after: &str, limit: u64) -> Result<Vec<(String, i64)>> {
        let sql = "SELECT key, expires_at FROM state_keys WHERE key > ?1 AND expires_at > ?2 ORDER BY key LIMIT ?3";
        self.many(sql, params![after, self.now.millis(), whole(limit)], |row| Ok((row.get(0)?, row.get(1)?)))
    }

    /// Bytes of what a key holds, its name included; what SQLite adds is left out.
    pub(super) fn bytes(&self, key: &str) -> Result<u64> {
        let Some(id) = self.id(key)? else { return Ok(0) };
        let sql = "SELECT
            (SELECT coalesce(sum(length(CAST(field AS BLOB)) + length(CAST(value AS BLOB))), 0) FROM state_fields WHERE key_id = ?1)
            + (SELECT coalesce(sum(length(CAST(value AS BLOB))), 0) FROM state_items WHERE key_id = ?1)
            + (SELECT coalesce(sum(length(CAST(member AS BLOB)) + 8), 0) FROM state_members WHERE key_id = ?1)
            + (SELECT coalesce(sum(length(value)), 0) FROM state_values WHERE key_id = ?1)";
        let bytes = self.one(sql, [id.0], |row| row.get::<_, i64>(0))?;
        Ok(bytes.map_or(0, i64::unsigned_abs) + key.len() as u64)
    }

    fn id(&self, key: &str) -> Result<Option<KeyId>> {
        self.look(key);
        self.one("SELECT id FROM state_keys WHERE key = ?1 AND expires_at > ?2", params![key, self.now.millis()], |row| row.get(0).map(KeyId))
    }

    pub(super) fn exists(&self, key: &str) -> Result<bool> {
        Ok(self.id(key)?.is_some())
    }

    /// Seconds that the key has left, rounded up.
    pub(super) fn seconds_left(&self, key: &str) -> Result<Option<u64>> {
        self.look(key);
        let at =
            self.one("SELECT expires_at FROM state_keys WHERE key = ?1 AND expires_at > ?2", params![key, self.now.millis()], |row| row.get::<_, i64>(0))?;
        Ok(at.map(|at| u64::try_from(Timestamp::from_millis(at).since(self.now)).unwrap_or(0).div_ceil(1000)))
    }

    /// Finds or creates a key and gives it this life. Something must be put under a new one.
    pub(super) fn open(&self, key: &str, life: Life) -> Result<KeyId> {
        self.look(key);
        let (millis, keep) = parts(life);
        self.run("DELETE FROM state_keys WHERE key = ?1 AND expires_at <= ?2", params![key, self.now.millis()])?;
        let sql = "INSERT INTO state_keys (key, expires_at) VALUES (?1, ?2)
            ON CONFLICT (key) DO UPDATE SET expires_at = max(excluded.expires_at, CASE WHEN ?3 THEN expires_at ELSE 0 END)
            RETURNING id";
        let at = self.now.plus_millis(millis).millis();
        self.tx.prepare_cached(sql).and_then(|mut statement| statement.query_row(params![key, at, keep], |row| row.get(0))).map(KeyId).map_err(failure)
    }

    /// Gives an existing key this life; nothing where it is absent.
    pub(super) fn touch(&self, key: &str, life: Life) -> Result<()> {
        self.look(key);
        let (millis, keep) = parts(life);
        let sql = "UPDATE state_keys SET expires_at = max(?2, CASE WHEN ?3 THEN expires_at ELSE 0 END) WHERE key = ?1 AND expires_at > ?4";
        self.run(sql, params![key, self.now.plus_millis(millis).millis(), keep, self.now.millis()]).map(drop)
    }

    pub(super) fn remove(&self, key: &str) -> Result<()> {
        self.look(key);
        self.run("DELETE FROM state_keys WHERE key = ?1", [key]).map(drop)
    }

    /// All fields of a hash.
    pub(super) fn fields(&self, key: &str) -> Result<BTreeMap<String, String>> {
        let Some(id) = self.id(key)? else { return Ok(BTreeMap::new()) };
        self.many("SELECT field, value FROM state_fields WHERE key_id = ?1", [id.0], |row| Ok((row.get(0)?, row.get(1)?)))
    }

    /// Names of all fields of a hash.
    pub(super) fn field_names(&self, key: &str) -> Result<Vec<String>> {
        let Some(id) = self.id(key)? else { return Ok(Vec::new()) };
        self.many("SELECT field FROM state_fields WHERE key_id = ?1 ORDER BY field", [id.0], |row| row.get(0))
    }

    pub(super) fn field(&self, key: &str, field: &str) -> Result<Option<String>> {
        let Some(id) = self.id(key)? else { return Ok(None) };
        self.one("SELECT value FROM state_fields WHERE key_id = ?1 AND field = ?2", params![id.0, field], |row| row.get(0))
    }

    pub(super) fn set(&self, id: KeyId, field: &str, value: &str) -> Result<()> {
        let sql = "INSERT INTO state_fields (key_id, field, value) VALUES (?1, ?2, ?3) ON CONFLICT (key_id, field) DO UPDATE SET value = excluded.value";
        self.run(sql, params![id.0, field, value]).map(drop)
    }

    /// Sets a field that is not there yet.
    pub(super) fn set_new(&self, id: KeyId, field: &str, value: &str) -> Result<bool> {
        let sql = "INSERT INTO state_fields (key_id, field, value) VALUES (?1, ?2, ?3) ON CONFLICT (key_id, field) DO NOTHING";
        self.run(sql, params![id.0, field, value]).map(|rows| rows > 0)
    }

    pub(super) fn unset(&self, key: &str, field: &str) -> Result<()> {
        let Some(id) = self.id(key)? else { return Ok(()) };
        self.run("DELETE FROM state_fields WHERE key_id = ?1 AND field = ?2", params![id.0, field])?;
        self.run("DELETE FROM state_keys WHERE id = ?1 AND NOT EXISTS (SELECT 1 FROM state_fields WHERE key_id = ?1)", [id.0]).map(drop)
    }

    /// Appends to a list.
    pub(super) fn append(&self, id: KeyId, value: &str) -> Result<()> {
        let sql = "INSERT INTO state_items (key_id, position, value)
            SELECT ?1, coalesce(max(position) + 1, 0), ?2 FROM state_items WHERE key_id = ?1";
        self.run(sql, params![id.0, value]).map(drop)
    }

    /// Replaces the item at one position of a list.
    pub(super) fn replace(&self, key: &str, position: u64, value: &str) -> Result<()> {
        let Some(id) = self.id(key)? else { return Ok(()) };
        self.run("UPDATE state_items SET value = ?3 WHERE key_id = ?1 AND position = ?2", params![id.0, whole(position), value]).map(drop)
    }

    /// Items in a list. Lists only grow at their end, so the last position tells.
    pub(super) fn length(&self, key: &str) -> Result<u64> {
        let Some(id) = self.id(key)? else { return Ok(0) };
        let length = self.one("SELECT coalesce(max(position) + 1, 0) FROM state_items WHERE key_id = ?1", [id.0], |row| row.get::<_, i64>(0))?;
        Ok(length.and_then(|n| u64::try_from(n).ok()).unwrap_or(0))
    }

    /// At most `count` items with their positions, from position `from` on.
    pub(super) fn items(&self, key: &str, from: u64, count: u64) -> Result<Vec<(u64, String)>> {
        let Some(id) = self.id(key)? else { return Ok(Vec::new()) };
        let sql = "SELECT position, value FROM state_items WHERE key_id = ?1 AND position >= ?2 ORDER BY position LIMIT ?3";
        self.many(sql, params![id.0, whole(from), whole(count)], |row| Ok((row.get::<_, i64>(0)?.unsigned_abs(), row.get(1)?)))
    }

    /// Adds a member, or moves it to this score.
    pub(super) fn add(&self, id: KeyId, member: &str, score: i64) -> Result<()> {
        let sql = "INSERT INTO state_members (key_id, member, score) VALUES (?1, ?2, ?3) ON CONFLICT (key_id, member) DO UPDATE SET score = excluded.score";
        self.run(sql, params![id.0, member, score]).map(drop)
    }

    pub(super) fn has(&self, key: &str, member: &str) -> Result<bool> {
        let Some(id) = self.id(key)? else { return Ok(false) };
        let found = self.one("SELECT 1 FROM state_members WHERE key_id = ?1 AND member = ?2", params![id.0, member], |_| Ok(()))?;
        Ok(found.is_some())
    }

    pub(super) fn take_out(&self, key: &str, member: &str) -> Result<()> {
        let Some(id) = self.id(key)? else { return Ok(()) };
        self.run("DELETE FROM state_members WHERE key_id = ?1 AND member = ?2", params![id.0, member])?;
        self.without_members(id)
    }

    /// Takes out all members with a score of at most `score`.
    pub(super) fn take_out_up_to(&self, key: &str, score: i64) -> Result<()> {
        let Some(id) = self.id(key)? else { return Ok(()) };
        self.run("DELETE FROM state_members WHERE key_id = ?1 AND score <= ?2", params![id.0, score])?;
        self.without_members(id)
    }

    fn without_members(&self, id: KeyId) -> Result<()> {
        self.run("DELETE FROM state_keys WHERE id = ?1 AND NOT EXISTS (SELECT 1 FROM state_members WHERE key_id = ?1)", [id.0]).map(drop)
    }

    /// Members with their scores, the lowest first, equal ones by their bytes.
    pub(super) fn members(&self, key: &str, skip: u64, limit: u64) -> Result<Vec<(String, i64)>> {
        let Some(id) = self.id(key)? else { return Ok(Vec::new()) };
        let sql = "SELECT member, score FROM state_members WHERE key_id = ?1 ORDER BY score, member LIMIT ?3 OFFSET ?2";
        self.many(sql, params![id.0, whole(skip), whole(limit)], |row| Ok((row.get(0)?, row.get(1)?)))
    }

    pub(super) fn value(&self, key: &str) -> Result<Option<Vec<u8>>> {
        let Some(id) = self.id(key)? else { return Ok(None) };
        self.one("SELECT value FROM state_values WHERE key_id = ?1", [id.0], |row| row.get(0))
    }

    /// Whether the key holds a value, without reading it.
    pub(super) fn has_value(&self, key: &str) -> Result<bool> {
        let Some(id) = self.id(key)? else { return Ok(false) };
        self.one("SELECT 1 FROM state_values WHERE key_id = ?1", [id.0], |_| Ok(())).map(|found| found.is_some())
    }

    /// Replaces whatever the key holds by a value.
    pub(super) fn set_value(&self, key: &str, value: &[u8], life: Life) -> Result<()> {
        self.remove(key)?;
        let id = self.open(key, life)?;
        self.run("INSERT INTO state_values (key_id, value) VALUES (?1, ?2)", params![id.0, value]).map(drop)
    }
}

const fn parts(life: Life) -> (i64, bool) {
    match life {
        Life::Anew(millis) => (millis, false),
        Life::AtLeast(millis) => (millis, true),
    }
}

/// SQLite counts in signed numbers.
fn whole(n: u64) -> i64 {
    i64::try_from(n).unwrap_or(i64::MAX)
}
