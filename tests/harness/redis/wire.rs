//! The Redis protocol by hand, over the server's Unix socket: looking at what is stored must not depend on the
//! client under test, nor on TLS.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::time::Duration;

/// An answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reply {
    Simple(String),
    Error(String),
    Integer(i64),
    Bulk(Vec<u8>),
    Nil,
    Array(Vec<Reply>),
}

impl Reply {
    /// The text of a string answer.
    pub fn text(self) -> String {
        match self {
            Self::Simple(text) => text,
            Self::Bulk(bytes) => String::from_utf8(bytes).expect("text"),
            other => panic!("not a text: {other:?}"),
        }
    }

    /// The number, none where the server refused (another node of the cluster has the key).
    pub fn number(self) -> Option<i64> {
        match self {
            Self::Integer(number) => Some(number),
            Self::Error(_) => None,
            other => panic!("not a number: {other:?}"),
        }
    }

    /// The bytes of a string answer; none where there is nothing.
    pub fn bytes(self) -> Option<Vec<u8>> {
        match self {
            Self::Bulk(bytes) => Some(bytes),
            Self::Nil => None,
            other => panic!("not bytes: {other:?}"),
        }
    }

    /// Panics unless the answer is OK.
    pub fn expect_ok(self) {
        assert_eq!(self, Self::Simple("OK".to_owned()));
    }

    /// The items of an array.
    pub fn array(self) -> Vec<Self> {
        match self {
            Self::Array(items) => items,
            other => panic!("not an array: {other:?}"),
        }
    }
}

/// One connection.
pub struct Wire {
    stream: BufReader<UnixStream>,
}

impl Wire {
    /// Connects; an answer may take a minute, for machines with much else to do.
    pub fn connect(socket: &Path) -> std::io::Result<Self> {
        let stream = UnixStream::connect(socket)?;
        stream.set_read_timeout(Some(Duration::from_secs(60)))?;
        Ok(Self { stream: BufReader::new(stream) })
    }

    /// How long an answer may take.
    pub fn patience(&mut self, limit: Duration) {
        self.stream.get_ref().set_read_timeout(Some(limit)).expect("a timeout above 0");
    }

    /// Sends one command and reads its answer.
    pub fn command(&mut self, words: &[&str]) -> Reply {
        self.try_command(words).expect("an answer")
    }

    /// Sends one command and reads its answer, where there is one.
    pub fn try_command(&mut self, words: &[&str]) -> std::io::Result<Reply> {
        self.raw(&words.iter().map(|word| word.as_bytes()).collect::<Vec<_>>())
    }

    /// The same with words that are any bytes.
    pub fn raw(&mut self, words: &[&[u8]]) -> std::io::Result<Reply> {
        let mut bytes = format!("*{}\r\n", words.len()).into_bytes();
        for word in words {
            bytes.extend_from_slice(format!("${}\r\n", word.len()).as_bytes());
            bytes.extend_from_slice(word);
            bytes.extend_from_slice(b"\r\n");
        }
        self.stream.get_mut().write_all(&bytes)?;
        self.read()
    }

    fn read(&mut self) -> std::io::Result<Reply> {
        let mut line = String::new();
        if self.stream.read_line(&mut line)? == 0 {
            return Err(std::io::ErrorKind::UnexpectedEof.into());
        }
        let line = line.trim_end();
        let number = || line[1..].parse::<i64>().expect("a number");
        Ok(match line.as_bytes()[0] {
            b'+' => Reply::Simple(line[1..].to_owned()),
            b'-' => Reply::Error(line[1..].to_owned()),
            b':' => Reply::Integer(number()),
            b'$' | b'*' if number() < 0 => Reply::Nil,
            b'$' => {
                let mut bytes = vec![0; usize::try_from(number()).expect("a length") + 2];
                self.stream.read_exact(&mut bytes)?;
                bytes.truncate(bytes.len() - 2);
                Reply::Bulk(bytes)
            }
            b'*' => Reply::Array((0..number()).map(|_| self.read()).collect::<std::io::Result<_>>()?),
            other => panic!("unknown type {other}"),
        })
    }

    /// All keys of this pattern with the milliseconds they have left; negative where a key has no TTL.
    pub fn keys(&mut self, pattern: &str) -> Vec<(String, i64)> {
        let (mut cursor, mut found) = ("0".to_owned(), Vec::new());
        loop {
            let mut page = self.command(&["SCAN", &cursor, "MATCH", pattern, "COUNT", "1000"]).array();
            let keys = page.pop().expect("keys").array();
            cursor = page.pop().expect("a cursor").text();
            for key in keys.into_iter().map(Reply::text) {
                match self.command(&["PTTL", &key]).number().expect("a number") {
                    // Gone in between.
                    -2 => {}
                    left => found.push((key, left)),
                }
            }
            if cursor == "0" {
                found.sort();
                found.dedup();
                return found;
            }
        }
    }
}
