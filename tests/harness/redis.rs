//! Real `redis-server` processes on free loopback ports: single, with TLS, or a cluster.
//!
//! Each runs under a watchdog shell that ends it, and only it, when the server is dropped or the test process is gone
//! for whatever reason; so servers may stand in statics. Fails by panic, with the server's log.

pub mod certificates;
mod cluster;
mod proof;
mod refusing;
mod wire;

use std::io::{BufRead as _, BufReader, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::Mutex;
use std::time::Duration;

use rtvoice::config::Config;
use rtvoice::ports::clock::{Clock as _, SystemClock};
use tempfile::TempDir;

use super::port::free_port;

pub use cluster::RedisCluster;
pub use refusing::Refusing;
pub use wire::{Reply, Wire};

/// Starts the server, tells its process id, and ends it when its own input ends. Only a word of `keep` spares the
/// folder: nobody is left to remove it when the test process is gone.
const WATCHDOG: &str = r#"redis-server "$@" >>"$0/log" 2>&1 & echo $!; read -r word; kill -9 $!; wait $! 2>/dev/null; [ "$word" = keep ] || rm -rf "$0""#;

/// Polls, 5 ms apart, before a wait is given up: 20 s.
const POLLS: u32 = 4000;

/// How a server is to run.
#[derive(Debug, Clone, Default)]
pub struct Options {
    /// Password of the default user.
    pub password: Option<&'static str>,
    /// Keeps an append-only file, synced on every write.
    pub aof: bool,
    /// TLS on TCP only, with these versions, such as `TLSv1.3`.
    pub tls: Option<&'static str>,
    /// Its certificate has expired.
    pub expired: bool,
    /// Further arguments, such as `--maxmemory`.
    pub extra: Vec<&'static str>,
    /// A node of a cluster, see [`RedisCluster`], that takes another one for dead after so many milliseconds of silence.
    pub cluster: Option<u32>,
}

struct Process {
    shell: Child,
    input: ChildStdin,
    pid: u32,
}

/// One running server.
pub struct RedisServer {
    options: Options,
    folder: TempDir,
    port: u16,
    bus_port: u16,
    process: Mutex<Option<Process>>,
}

impl RedisServer {
    /// Starts a server and waits until it answers.
    pub fn start(options: Options) -> Self {
        let folder = tempfile::Builder::new().prefix("rv").tempdir().expect("a folder");
        if options.tls.is_some() {
            certificates::write(folder.path(), options.expired);
        }
        let server = Self { options, folder, port: free_port(), bus_port: free_port(), process: Mutex::new(None) };
        server.restart();
        server
    }

    /// A plain server without a password.
    pub fn single() -> Self {
        Self::start(Options::default())
    }

    /// A server that speaks TLS alone, in this version (`TLSv1.3` or `TLSv1.2`).
    pub fn tls(version: &'static str) -> Self {
        Self::start(Options { tls: Some(version), ..Options::default() })
    }

    /// Starts the server again on its port and folder, after ending it where it runs.
    pub fn restart(&self) {
        self.kill();
        let mut shell = Command::new("sh")
            .arg("-c")
            .arg(WATCHDOG)
            .arg(self.folder.path())
            .args(self.arguments())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("a shell");
        let input = shell.stdin.take().expect("the shell's input");
        let mut line = String::new();
        BufReader::new(shell.stdout.take().expect("the shell's output")).read_line(&mut line).expect("a process id");
        let pid = line.trim().parse().expect("a process id");
        *self.process.lock().expect("no test panicked here") = Some(Process { shell, input, pid });
        wait_for("redis-server answers", || self.log(), || self.try_wire().is_some_and(|mut wire| wire.command(&["PING"]) == Reply::Simple("PONG".into())));
    }

    /// Ends the server at once (SIGKILL).
    pub fn kill(&self) {
        if let Some(mut process) = self.process.lock().expect("no test panicked here").take() {
            // Where the shell is gone already, so is the server.
            let _ = process.input.write_all(b"keep\n");
            drop(process.input);
            process.shell.wait().expect("the shell ends");
        }
    }

    /// Freezes the server: it accepts bytes and answers nothing.
    pub fn pause(&self) {
        self.signal("-STOP");
    }

    /// Lets a frozen server go on.
    pub fn resume(&self) {
        self.signal("-CONT");
    }

    fn signal(&self, signal: &str) {
        let pid = self.process.lock().expect("no test panicked here").as_ref().expect("a running server").pid;
        assert!(Command::new("kill").args([signal, &pid.to_string()]).status().expect("kill runs").success());
    }

    /// A fresh connection past all protection, for looking at what is stored.
    pub fn wire(&self) -> Wire {
        self.try_wire().expect("a running server")
    }

    fn try_wire(&self) -> Option<Wire> {
        let mut wire = Wire::connect(&self.folder.path().join("s")).ok()?;
        if let Some(password) = self.options.password {
            wire.command(&["AUTH", password]).expect_ok();
        }
        Some(wire)
    }

    /// The certificate authority of a server with TLS.
    pub fn ca_file(&self) -> PathBuf {
        self.folder.path().join("ca.pem")
    }

    /// Where its files lie.
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// The port on 127.0.0.1.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// The settings that lead to this server.
    pub fn settings(&self) -> Vec<(&'static str, String)> {
        let mut settings = vec![("REDIS_HOST", "127.0.0.1".to_owned()), ("REDIS_PORT", self.port.to_string())];
        if let Some(password) = self.options.password {
            settings.push(("REDIS_ACCESS_KEY", password.to_owned()));
        }
        if self.options.tls.is_some() {
            settings.push(("REDIS_SSL", "true".to_owned()));
            settings.push(("SSL_CERT_FILE", self.ca_file().display().to_string()));
        }
        settings
    }

    fn log(&self) -> String {
        std::fs::read_to_string(self.folder.path().join("log")).unwrap_or_default()
    }

    fn arguments(&self) -> Vec<String> {
        let path = |name: &str| self.folder.path().join(name).display().to_string();
        let (plain, tls) = if self.options.tls.is_some() { (0, self.port) } else { (self.port, 0) };
        let mut line = format!("--bind 127.0.0.1 --port {plain} --loglevel warning --dir {} --unixsocket {}", path(""), path("s"));
        line.push_str(if self.options.aof { " --appendonly yes --appendfsync always" } else { " --appendonly no" });
        if let Some(versions) = self.options.tls {
            let (cert, key, ca) = (path("server.pem"), path("server.key"), path("ca.pem"));
            line.push_str(&format!(
                " --tls-port {tls} --tls-cert-file {cert} --tls-key-file {key} --tls-ca-cert-file {ca} --tls-auth-clients no --tls-protocols {versions}"
            ));
        }
        if let Some(password) = self.options.password {
            line.push_str(&format!(" --requirepass {password}"));
        }
        if let Some(patience) = self.options.cluster {
            line.push_str(&format!(" --cluster-enabled yes --cluster-node-timeout {patience} --cluster-port {}", self.bus_port));
        }
        let mut arguments: Vec<String> = line.split(' ').map(str::to_owned).collect();
        arguments.extend(["--save".to_owned(), String::new()]);
        arguments.extend(self.options.extra.iter().map(|&extra| extra.to_owned()));
        arguments
    }
}

impl Drop for RedisServer {
    fn drop(&mut self) {
        self.kill();
    }
}

/// A configuration of these settings, in environment `test` and under a prefix of its own unless they say otherwise.
pub fn config_for(settings: &[(&'static str, String)]) -> Config {
    let fresh = format!("t-{}", &SystemClock.new_id()[..16]);
    let lookup = |name: &str| {
        let given = settings.iter().rev().find(|(key, _)| *key == name).map(|(_, value)| value.clone());
        given.or_else(|| match name {
            "ENVIRONMENT" => Some("test".to_owned()),
            "APP_PREFIX" => Some(fresh.clone()),
            _ => None,
        })
    };
    Config::from_lookup(lookup, Path::new(".").to_owned()).expect("sound settings")
}

/// Waits for a condition; panics with the log when it does not come.
fn wait_for(what: &str, log: impl Fn() -> String, condition: impl Fn() -> bool) {
    for _ in 0..POLLS {
        if condition() {
            return;
        }
        std::thread::sleep(Duration::from_millis(5));
    }
    panic!("waited in vain until {what}:\n{}", log());
}
