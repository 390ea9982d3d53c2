//! A `redis-server` of this process's own, on a free port of this machine, with an append-only file in a folder of its own.
//!
//! It runs below a shell that waits for words on its input: the server is frozen, let go on and ended by its process id, and
//! ended as well when this process is gone, however that happens. Fails with `Setting` where there is no `redis-server`.

use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::TcpStream;
use tokio::process::{Child, ChildStdin, Command};
use tokio::time::{Instant, sleep, timeout};

use crate::error::{Error, Kind, Result};

/// `stop` freezes the server and `cont` lets it go on; any other word, and the end of the input, ends it.
const WATCHDOG: &str = r#"redis-server "$@" >>"$0/redis.log" 2>&1 & while read -r word; do case "$word" in stop) kill -STOP $!;; cont) kill -CONT $!;; *) break;; esac; done; kill -9 $! 2>/dev/null; wait $! 2>/dev/null"#;
/// How long it may take until it answers: it may have a file to read.
const STARTING: Duration = Duration::from_secs(20);
/// Between two looks.
const LOOK: Duration = Duration::from_millis(10);
/// How long a command may take.
const COMMAND: Duration = Duration::from_secs(5);
/// Where ports are looked for: below those that the system gives to outgoing connections, so that nobody takes it meanwhile.
const PORTS: std::ops::Range<u16> = 20_000..30_000;

struct Process {
    shell: Child,
    words: ChildStdin,
}

/// The server, which may be running.
pub struct RedisServer {
    folder: PathBuf,
    port: u16,
    process: Option<Process>,
}

impl RedisServer {
    /// Starts a server with its files in `folder`, and waits until it answers.
    pub async fn start(folder: &Path) -> Result<Self> {
        let there = Command::new("redis-server").arg("--version").stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).status().await;
        there.map_err(|e| Error::input("--faults", "needs redis-server on the PATH, for example after `apt-get install redis-server`").because(e))?;
        let mut server = Self { folder: folder.to_owned(), port: free_port()?, process: None };
        server.restart().await?;
        Ok(server)
    }

    /// Its port on 127.0.0.1.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Starts it again on its port and its files, after ending it where it runs.
    pub async fn restart(&mut self) -> Result<()> {
        self.kill().await;
        let port = self.port.to_string();
        let folder = self.folder.display().to_string();
        let arguments = ["--bind", "127.0.0.1", "--port", &port, "--dir", &folder, "--loglevel", "warning", "--save", ""];
        let durable = ["--appendonly", "yes", "--appendfsync", "everysec", "--maxmemory-policy", "noeviction"];
        let mut command = Command::new("sh");
        command.args(["-c", WATCHDOG]).arg(&self.folder).args(arguments).args(durable);
        command.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null());
        // Ctrl-C in the terminal is for this process alone, which then ends the server.
        #[cfg(unix)]
        command.process_group(0);
        let mut shell = command.spawn().map_err(|e| Error::internal(e).because("sh cannot be started"))?;
        let words = shell.stdin.take().ok_or_else(|| Error::internal("the shell has no input"))?;
        self.process = Some(Process { shell, words });
        self.answers().await
    }

    async fn answers(&self) -> Result<()> {
        let until = Instant::now() + STARTING;
        while self.command("PING").await.is_err() {
            if Instant::now() >= until {
                let log = std::fs::read_to_string(self.folder.join("redis.log")).unwrap_or_default();
                let last = log.lines().next_back().unwrap_or("it wrote nothing").to_owned();
                return Err(Error::new(Kind::Unavailable, format!("redis-server did not answer within {} s", STARTING.as_secs())).because(last));
            }
            sleep(LOOK).await;
        }
        Ok(())
    }

    /// Ends it at once (SIGKILL).
    pub async fn kill(&mut self) {
        if let Some(Process { mut shell, words }) = self.process.take() {
            drop(words);
            // An error means that the shell is gone, and the server with it.
            let _ = shell.wait().await;
        }
    }

    /// Freezes it (SIGSTOP).
    pub async fn freeze(&mut self) -> Result<()> {
        self.say("stop\n").await
    }

    /// Lets it go on (SIGCONT).
    pub async fn thaw(&mut self) -> Result<()> {
        self.say("cont\n").await
    }

    async fn say(&mut self, word: &str) -> Result<()> {
        let Some(process) = &mut self.process else { return Err(Error::internal("redis-server is not running")) };
        process.words.write_all(word.as_bytes()).await.map_err(Error::internal)
    }

    /// Sends one command past every proxy; it must be answered with a simple string.
    pub async fn command(&self, line: &str) -> Result<()> {
        let exchange = async {
            let mut stream = BufReader::new(TcpStream::connect(("127.0.0.1", self.port)).await?);
            stream.write_all(format!("{line}\r\n").as_bytes()).await?;
            let mut answer = String::new();
            stream.read_line(&mut answer).await?;
            std::io::Result::Ok(answer)
        };
        let answer = timeout(COMMAND, exchange).await.map_err(|_| Error::deadline("Redis", COMMAND))?.map_err(|e| Error::unavailable("Redis", e))?;
        if answer.starts_with('+') { Ok(()) } else { Err(Error::unavailable("Redis", answer.trim_end().to_owned())) }
    }
}

fn free_port() -> Result<u16> {
    let first = fastrand::u16(PORTS);
    let free = (first..PORTS.end).chain(PORTS.start..first).find(|port| TcpListener::bind(("127.0.0.1", *port)).is_ok());
    free.ok_or_else(|| Error::new(Kind::Setting, "no port of this machine is free"))
}
