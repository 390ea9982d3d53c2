//! The embedded file itself: writes that wait are made durable together, and each stands or falls alone.

use std::path::{Path, PathBuf};
use std::sync::mpsc;

use rtvoice::error::{Error, Kind, Result};
use rtvoice::ports::embedded::{Embedded, failure};
use rusqlite::{Connection, Transaction};

fn file() -> (tempfile::TempDir, PathBuf, Embedded) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("rtvoice.db");
    let file = Embedded::open(&path).unwrap();
    file.prepare("CREATE TABLE IF NOT EXISTS noted (n INTEGER PRIMARY KEY)").unwrap();
    (folder, path, file)
}

fn note(tx: &Transaction<'_>, n: i64) -> Result<()> {
    tx.execute("INSERT INTO noted (n) VALUES (?1)", [n]).map(drop).map_err(failure)
}

fn refused(tx: &Transaction<'_>, n: i64) -> Result<()> {
    note(tx, n)?;
    Err(Error::input("n", "must not be taken"))
}

/// What another process sees.
fn seen(path: &Path) -> Vec<i64> {
    let connection = Connection::open(path).unwrap();
    let mut statement = connection.prepare("SELECT n FROM noted ORDER BY n").unwrap();
    statement.query_map([], |row| row.get(0)).unwrap().collect::<rusqlite::Result<_>>().unwrap()
}

#[tokio::test]
async fn writes_that_wait_share_a_commit_and_each_stands_alone() {
    let (_folder, path, file) = file();
    let (go, gate) = mpsc::channel::<()>();
    let (began, begun) = tokio::sync::oneshot::channel();
    let writing = file.clone();
    let first = tokio::spawn(async move {
        let work = move |tx: &Transaction<'_>| {
            began.send(()).map_err(|()| Error::internal("nobody waits"))?;
            gate.recv().map_err(Error::internal)?;
            note(tx, 1)
        };
        writing.write(work).await
    });
    begun.await.unwrap();
    // These find somebody writing and wait; the first of their commit and a later one fail.
    let (a, b, c) = (file.write(|tx| refused(tx, 2)), file.write(|tx| note(tx, 3)), file.write(|tx| refused(tx, 4)));
    let beside = path.clone();
    let last = file.write(move |tx| {
        note(tx, 5)?;
        let ours: i64 = tx.query_row("SELECT count(*) FROM noted", [], |row| row.get(0)).map_err(failure)?;
        Ok((ours, seen(&beside)))
    });
    // Joined work is begun in its order: the gate opens once all wait.
    let (a, b, c, last, ()) = tokio::join!(biased; a, b, c, last, async { go.send(()).unwrap() });
    first.await.unwrap().unwrap();
    b.unwrap();
    assert_eq!((a.unwrap_err().kind, c.unwrap_err().kind), (Kind::BadInput, Kind::BadInput));
    // Within the last one 1, 3 and 5 are written, and only 1 is durable: 3 and 5 came with one commit.
    assert_eq!(last.unwrap(), (3, vec![1]));
    assert_eq!(seen(&path), [1, 3, 5]);
}

#[tokio::test]
async fn a_read_waits_for_no_write_and_sees_what_was_durable() {
    let (_folder, _path, file) = file();
    file.write(|tx| note(tx, 1)).await.unwrap();
    let (go, gate) = mpsc::channel::<()>();
    let write = file.write(move |tx| {
        note(tx, 2)?;
        gate.recv().map_err(Error::internal)
    });
    let count = || file.read(|tx| tx.query_row("SELECT count(*) FROM noted", [], |row| row.get::<_, i64>(0)).map_err(failure));
    let read = async {
        // The write ends only after this: were the read to wait for it, neither would end.
        let counted = tokio::time::timeout(std::time::Duration::from_secs(60), count()).await;
        go.send(()).unwrap();
        counted
    };
    let (written, counted) = tokio::join!(write, read);
    written.unwrap();
    assert_eq!(counted.expect("the read waited for the write").unwrap(), 1);
    assert_eq!(count().await.unwrap(), 2);
}

#[tokio::test]
async fn a_connection_that_reads_cannot_write() {
    let (_folder, path, file) = file();
    assert_eq!(file.read(|tx| note(tx, 1)).await.unwrap_err().kind, Kind::Unavailable);
    assert_eq!(seen(&path), [0; 0]);
}

#[tokio::test]
async fn a_write_that_panics_fails_alone_or_with_its_commit_and_the_next_one_is_taken() {
    let (_folder, path, file) = file();
    let failed = file.write::<(), _>(|tx| {
        note(tx, 1)?;
        panic!("a defect")
    });
    assert_eq!(failed.await.unwrap_err().kind, Kind::Internal);
    file.write(|tx| note(tx, 2)).await.unwrap();
    assert_eq!(seen(&path), [2]);
}
