//! The tables of the embedded queue and the statements on them.
//!
//! Every function runs inside a transaction of the caller and is told the time: whether a message is due, a lock
//! still held or a duplicate still remembered is judged in the statement, never by a sweeper. Times are milliseconds
//! since 1970; a `due_at` of 0 means at once.

use std::time::Duration;

use rusqlite::{OptionalExtension as _, Row, Transaction, named_params, params};

use super::{Delivery, MAX_DELIVERIES, QueueStats};
use crate::error::Result;
use crate::model::time::Timestamp;
use crate::ports::embedded::failure;
use crate::ports::queue::Message;

pub(super) const SCHEMA: &str = "
CREATE TABLE IF NOT EXISTS queue_messages (
    sequence INTEGER PRIMARY KEY AUTOINCREMENT,
    message_id TEXT NOT NULL,
    lane TEXT NOT NULL,
    correlation_id TEXT NOT NULL,
    label TEXT NOT NULL,
    traceparent TEXT,
    enqueued_at INTEGER NOT NULL,
    due_at INTEGER NOT NULL,
    delivery_count INTEGER NOT NULL DEFAULT 0,
    lock_token TEXT,
    locked_until INTEGER NOT NULL DEFAULT 0,
    dead INTEGER NOT NULL DEFAULT 0,
    dead_reason TEXT,
    dead_description TEXT,
    body TEXT NOT NULL
);
CREATE INDEX IF NOT EXISTS queue_lanes ON queue_messages (lane, sequence, due_at) WHERE dead = 0;
CREATE INDEX IF NOT EXISTS queue_due ON queue_messages (due_at) WHERE dead = 0 AND due_at > 0;
CREATE INDEX IF NOT EXISTS queue_locks ON queue_messages (lane, dead, locked_until) WHERE lock_token IS NOT NULL;
CREATE INDEX IF NOT EXISTS queue_dead ON queue_messages (sequence) WHERE dead = 1;
CREATE TABLE IF NOT EXISTS queue_seen (message_id TEXT PRIMARY KEY, seen_at INTEGER NOT NULL) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS queue_seen_at ON queue_seen (seen_at);
";

/// Hops from lane to lane along the index (not over every waiting message), takes the first due message of each lane
/// that has no live lock, the oldest first.
const HEADS: &str = "
WITH RECURSIVE lanes (lane) AS (
    SELECT MIN(lane) FROM queue_messages WHERE dead = 0
    UNION ALL
    SELECT (SELECT MIN(lane) FROM queue_messages WHERE dead = 0 AND lane > lanes.lane) FROM lanes WHERE lanes.lane IS NOT NULL
), heads (sequence) AS (
    SELECT (SELECT sequence FROM queue_messages WHERE dead = 0 AND lane = lanes.lane AND due_at <= :now ORDER BY sequence LIMIT 1)
    FROM lanes
    WHERE lanes.lane IS NOT NULL AND NOT EXISTS (
        SELECT 1 FROM queue_messages WHERE lane = lanes.lane AND dead = 0 AND lock_token IS NOT NULL AND locked_until > :now)
)
SELECT sequence FROM heads WHERE sequence IS NOT NULL ORDER BY sequence LIMIT :max";

const DEAD_HEADS: &str = "SELECT sequence FROM queue_messages WHERE dead = 1 AND locked_until <= :now ORDER BY sequence LIMIT :max";

const COLUMNS: &str = "sequence, message_id, lane, correlation_id, label, traceparent, enqueued_at, due_at, delivery_count, \
    coalesce(lock_token, '') AS lock_token, locked_until, dead_reason, dead_description, body";

/// Writes one message unless its id was seen within `window`. True where it was written.
pub(super) fn insert(tx: &Transaction<'_>, now: Timestamp, message: &Message, window: Duration) -> Result<bool> {
    let horizon = now.plus_millis(-millis(window)).millis();
    let seen = "INSERT INTO queue_seen (message_id, seen_at) VALUES (:id, :now) ON CONFLICT DO UPDATE SET seen_at = :now WHERE seen_at <= :horizon";
    let fresh = execute(tx, seen, named_params! {":id": message.message_id, ":now": now.millis(), ":horizon": horizon})?;
    if fresh == 0 {
        return Ok(false);
    }
    execute(tx, "DELETE FROM queue_seen WHERE seen_at <= ?1", params![horizon])?;
    let due = message.not_before.filter(|at| *at > now);
    let insert =
        "INSERT INTO queue_messages (message_id, lane, correlation_id, label, traceparent, enqueued_at, due_at, body) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)";
    let values = params![
        message.message_id,
        message.session_id,
        message.correlation_id,
        message.label,
        message.traceparent,
        due.unwrap_or(now).millis(),
        due.map_or(0, Timestamp::millis),
        message.body,
    ];
    execute(tx, insert, values)?;
    Ok(true)
}

/// Which of the two queues a message stands in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Side {
    Live,
    Dead,
}

/// Locks up to `max` messages, in the main queue at most one per lane. Exhausted messages met on the way go to the
/// dead letters, and the next of their lane takes their turn; the second value says how many.
pub(super) fn lock(
    tx: &Transaction<'_>,
    side: Side,
    now: Timestamp,
    (max, lock): (usize, Duration),
    mut token: impl FnMut() -> String,
) -> Result<(Vec<Delivery>, usize)> {
    let (heads, limit) = match side {
        Side::Live => (HEADS, MAX_DELIVERIES),
        Side::Dead => (DEAD_HEADS, u32::MAX),
    };
    let until = now.plus_millis(millis(lock)).millis();
    let (mut taken, mut buried) = (Vec::new(), 0);
    while taken.len() < max {
        let before = buried;
        for sequence in sequences(tx, heads, now, max - taken.len())? {
            match lock_one(tx, sequence, limit, &token(), until)? {
                Some(delivery) => taken.push(delivery),
                None => buried += bury(tx, sequence)?,
            }
        }
        if buried == before {
            break;
        }
    }
    Ok((taken, buried))
}

fn sequences(tx: &Transaction<'_>, heads: &str, now: Timestamp, max: usize) -> Result<Vec<i64>> {
    let max = i64::try_from(max).unwrap_or(i64::MAX);
    let mut statement = tx.prepare_cached(heads).map_err(failure)?;
    let rows = statement.query_map(named_params! {":now": now.millis(), ":max": max}, |row| row.get(0)).map_err(failure)?;
    rows.collect::<rusqlite::Result<_>>().map_err(failure)
}

/// None where the message has had all its deliveries.
fn lock_one(tx: &Transaction<'_>, sequence: i64, limit: u32, token: &str, until: i64) -> Result<Option<Delivery>> {
    let sql = format!(
        "UPDATE queue_messages SET delivery_count = delivery_count + 1, lock_token = ?2, locked_until = ?3 \
         WHERE sequence = ?1 AND delivery_count < ?4 RETURNING {COLUMNS}"
    );
    let mut statement = tx.prepare_cached(&sql).map_err(failure)?;
    statement.query_row(params![sequence, token, until, limit], delivery).optional().map_err(failure)
}

/// Moves a message to the dead letters, free to be taken there.
fn bury(tx: &Transaction<'_>, sequence: i64) -> Result<usize> {
    let sql = "UPDATE queue_messages SET dead = 1, lock_token = NULL, locked_until = 0, dead_reason = 'MaxDeliveryCountExceeded', dead_description = ?2 WHERE sequence = ?1";
    let description = format!("Message could not be consumed after {MAX_DELIVERIES} delivery attempts.");
    execute(tx, sql, params![sequence, description])
}

/// Removes a message whose lock is still held. False where the lock was lost.
pub(super) fn complete(tx: &Transaction<'_>, now: Timestamp, sequence: i64, token: &str) -> Result<bool> {
    let sql = "DELETE FROM queue_messages WHERE sequence = ?1 AND lock_token = ?2 AND locked_until > ?3";
    Ok(execute(tx, sql, params![sequence, token, now.millis()])? == 1)
}

/// Gives a message back; one of the main queue that has had all its deliveries goes to the dead letters. False where
/// the lock was lost.
pub(super) fn abandon(tx: &Transaction<'_>, now: Timestamp, sequence: i64, token: &str) -> Result<bool> {
    let sql = "UPDATE queue_messages SET lock_token = NULL, locked_until = 0 WHERE sequence = ?1 AND lock_token = ?2 AND locked_until > ?3 \
               RETURNING dead = 0 AND delivery_count >= ?4";
    let mut statement = tx.prepare_cached(sql).map_err(failure)?;
    let values = params![sequence, token, now.millis(), MAX_DELIVERIES];
    let exhausted: Option<bool> = statement.query_row(values, |row| row.get(0)).optional().map_err(failure)?;
    if exhausted == Some(true) {
        bury(tx, sequence)?;
    }
    Ok(exhausted.is_some())
}

/// Holds a lock for longer, from now. False where it was lost.
pub(super) fn renew(tx: &Transaction<'_>, now: Timestamp, sequence: i64, token: &str, lock: Duration) -> Result<bool> {
    let sql = "UPDATE queue_messages SET locked_until = ?4 WHERE sequence = ?1 AND lock_token = ?2 AND locked_until > ?3";
    let until = now.plus_millis(millis(lock)).millis();
    Ok(execute(tx, sql, params![sequence, token, now.millis(), until])? == 1)
}

/// Gives back what the holder of this name has locked; how much it was.
pub(super) fn free(tx: &Transaction<'_>, holder: &str) -> Result<usize> {
    let sql = "UPDATE queue_messages SET lock_token = NULL, locked_until = 0 WHERE lock_token IS NOT NULL AND substr(lock_token, 1, length(?1)) = ?1";
    execute(tx, sql, [holder])
}

pub(super) fn stats(tx: &Transaction<'_>, now: Timestamp) -> Result<QueueStats> {
    let sql = "SELECT count(*) FILTER (WHERE dead = 0 AND locked_until <= :now AND due_at <= :now), \
               count(*) FILTER (WHERE dead = 0 AND locked_until > :now), \
               count(*) FILTER (WHERE dead = 0 AND due_at > :now), \
               count(*) FILTER (WHERE dead = 1), \
               min(enqueued_at) FILTER (WHERE dead = 0 AND due_at <= :now) FROM queue_messages";
    let stats = |row: &Row<'_>| {
        let count = |column: usize| row.get::<_, u32>(column).map(u64::from);
        let oldest: Option<i64> = row.get(4)?;
        Ok(QueueStats { active: count(0)?, locked: count(1)?, scheduled: count(2)?, dead: count(3)?, oldest: oldest.map(Timestamp::from_millis) })
    };
    tx.query_row(sql, named_params! {":now": now.millis()}, stats).map_err(failure)
}

pub(super) fn peek_dead(tx: &Transaction<'_>, max: usize) -> Result<Vec<Delivery>> {
    let max = i64::try_from(max).unwrap_or(i64::MAX);
    let sql = format!("SELECT {COLUMNS} FROM queue_messages WHERE dead = 1 ORDER BY sequence LIMIT ?1");
    let mut statement = tx.prepare_cached(&sql).map_err(failure)?;
    let rows = statement.query_map([max], delivery).map_err(failure)?;
    rows.collect::<rusqlite::Result<_>>().map_err(failure)
}

/// SQLite's count of commits by other connections; only that it changed means something.
pub(super) fn data_version(tx: &Transaction<'_>) -> Result<i64> {
    tx.pragma_query_value(None, "data_version", |row| row.get(0)).map_err(failure)
}

/// True where a scheduled message fell due or a lock ran out after `from` and until `to`.
pub(super) fn ripened(tx: &Transaction<'_>, from: Timestamp, to: Timestamp) -> Result<bool> {
    let sql = "SELECT EXISTS (SELECT 1 FROM queue_messages WHERE dead = 0 AND due_at > 0 AND due_at > ?1 AND due_at <= ?2) \
               OR EXISTS (SELECT 1 FROM queue_messages WHERE lock_token IS NOT NULL AND locked_until > ?1 AND locked_until <= ?2)";
    let mut statement = tx.prepare_cached(sql).map_err(failure)?;
    statement.query_row([from.millis(), to.millis()], |row| row.get(0)).map_err(failure)
}

fn delivery(row: &Row<'_>) -> rusqlite::Result<Delivery> {
    let due: i64 = row.get("due_at")?;
    Ok(Delivery {
        message: Message {
            message_id: row.get("message_id")?,
            session_id: row.get("lane")?,
            correlation_id: row.get("correlation_id")?,
            label: row.get("label")?,
            traceparent: row.get("traceparent")?,
            not_before: (due > 0).then(|| Timestamp::from_millis(due)),
            body: row.get("body")?,
        },
        sequence_number: row.get("sequence")?,
        lock_token: row.get("lock_token")?,
        locked_until: Timestamp::from_millis(row.get("locked_until")?),
        delivery_count: row.get("delivery_count")?,
        enqueued_at: Timestamp::from_millis(row.get("enqueued_at")?),
        dead_letter_reason: row.get("dead_reason")?,
        dead_letter_description: row.get("dead_description")?,
    })
}

fn execute(tx: &Transaction<'_>, sql: &str, values: impl rusqlite::Params) -> Result<usize> {
    tx.prepare_cached(sql).and_then(|mut statement| statement.execute(values)).map_err(failure)
}

fn millis(duration: Duration) -> i64 {
    i64::try_from(duration.as_millis()).unwrap_or(i64::MAX)
}
