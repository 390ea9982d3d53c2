//! A strict mail server on a free loopback port: TLS from the first byte or by STARTTLS with a certificate of its own, logins with
//! TLS alone, every command in its order. It keeps the letters that it took and a list of what was wrong.
//!
//! It runs on a thread of its own and ends when dropped. Faults meet the step that they name, one each, in order.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use rustls::SupportedProtocolVersion;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio::io::{AsyncBufReadExt as _, AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _, BufReader};
use tokio_rustls::TlsAcceptor;

pub const USER: &str = "rtvoice";
pub const PASSWORD: &str = "c2VjcmV0-mail";

/// When TLS begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Speaks {
    Implicit,
    StartTls,
    Clear,
}

/// How a server is made.
#[derive(Clone)]
pub struct Options {
    pub speaks: Speaks,
    /// Ways to log in; none: nobody need.
    pub auth: Option<&'static str>,
    pub versions: &'static [&'static SupportedProtocolVersion],
    pub expired: bool,
    /// A recipient that is not known.
    pub unknown: Option<&'static str>,
}

impl Default for Options {
    fn default() -> Self {
        Self { speaks: Speaks::StartTls, auth: Some("PLAIN LOGIN"), versions: rustls::ALL_VERSIONS, expired: false, unknown: None }
    }
}

/// What goes wrong.
#[derive(Debug, Clone, Copy)]
pub enum Trouble {
    /// This is said in place of the right answer.
    Say(&'static str),
    Hang,
    Cut,
}

/// A letter that was taken.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Letter {
    pub from: String,
    pub to: Vec<String>,
    pub user: Option<String>,
    pub secure: bool,
    pub text: String,
}

impl Letter {
    /// A header's value, unfolded; it must stand there once.
    #[track_caller]
    pub fn header(&self, name: &str) -> String {
        let (head, _) = self.text.split_once("\n\n").expect("a head and a body");
        let head = head.replace("\n ", " ");
        let mut found = head.lines().filter_map(|line| line.strip_prefix(&format!("{name}: ")));
        let value = found.next().unwrap_or_else(|| panic!("no header {name} in {head}")).to_owned();
        assert_eq!(found.next(), None, "{name} stands twice");
        value
    }

    pub fn body(&self) -> &str {
        self.text.split_once("\n\n").expect("a head and a body").1
    }
}

#[derive(Default)]
struct Record {
    faults: Vec<(&'static str, Trouble)>,
    letters: Vec<Letter>,
    complaints: Vec<String>,
    steps: Vec<String>,
}

/// The running server.
pub struct MailServer {
    address: SocketAddr,
    folder: tempfile::TempDir,
    record: Arc<Mutex<Record>>,
    stop: Option<tokio::sync::oneshot::Sender<()>>,
    thread: Option<std::thread::JoinHandle<()>>,
}

impl MailServer {
    pub fn start(options: Options) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        super::redis::certificates::write(folder.path(), options.expired);
        let chain = vec![CertificateDer::from_pem_file(folder.path().join("server.pem")).expect("a certificate")];
        let key = PrivateKeyDer::from_pem_file(folder.path().join("server.key")).expect("a key");
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let config = rustls::ServerConfig::builder_with_provider(provider).with_protocol_versions(options.versions).expect("versions");
        let acceptor = TlsAcceptor::from(Arc::new(config.with_no_client_auth().with_single_cert(chain, key).expect("a sound pair")));
        let record = Arc::<Mutex<Record>>::default();
        let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
        let (bound, address) = std::sync::mpsc::channel();
        let shared = Arc::clone(&record);
        let thread = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
            runtime.block_on(async move {
                let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a free port");
                bound.send(listener.local_addr().expect("an address")).expect("the test waits for it");
                let accept = async {
                    loop {
                        let (stream, _) = listener.accept().await.expect("a connection");
                        tokio::spawn(serve(stream, acceptor.clone(), options.clone(), Arc::clone(&shared)));
                    }
                };
                tokio::select! { () = accept => {}, _ = stopped => {} }
            });
        });
        Self { address: address.recv().expect("it starts"), folder, record, stop: Some(stop), thread: Some(thread) }
    }

    fn record(&self) -> MutexGuard<'_, Record> {
        self.record.lock().expect("unpoisoned")
    }

    /// Settings that lead here.
    pub fn settings(&self, tls: &'static str) -> Vec<(&'static str, String)> {
        let mut settings = vec![
            ("ALERT_MAIL_HOST", "127.0.0.1".to_owned()),
            ("ALERT_MAIL_PORT", self.address.port().to_string()),
            ("ALERT_MAIL_TLS", tls.to_owned()),
            ("ALERT_MAIL_FROM", "alerts@contoso.example".to_owned()),
            ("ALERT_MAIL_TO", "oncall@contoso.example, second@contoso.example".to_owned()),
        ];
        if tls != "none" {
            settings.push(("ALERT_MAIL_USER", USER.to_owned()));
            settings.push(("ALERT_MAIL_PASSWORD", PASSWORD.to_owned()));
            settings.push(("SSL_CERT_FILE", self.authority().display().to_string()));
        }
        settings
    }

    /// The authority of its certificate.
    pub fn authority(&self) -> PathBuf {
        self.folder.path().join("ca.pem")
    }

    /// The next sessions meet these troubles at these steps: connect, a command, or `message`.
    pub fn inject(&self, faults: impl IntoIterator<Item = (&'static str, Trouble)>) {
        self.record().faults.extend(faults);
    }

    pub fn letters(&self) -> Vec<Letter> {
        self.record().letters.clone()
    }

    pub fn complaints(&self) -> Vec<String> {
        self.record().complaints.clone()
    }

    /// The steps of all sessions, in order; `connect` begins one.
    pub fn steps(&self) -> Vec<String> {
        self.record().steps.clone()
    }

    /// How many sessions there were.
    pub fn sessions(&self) -> usize {
        self.steps().iter().filter(|step| *step == "connect").count()
    }
}

impl Drop for MailServer {
    fn drop(&mut self) {
        self.stop.take().map(|stop| stop.send(()));
        self.thread.take().map(std::thread::JoinHandle::join);
    }
}

trait Wire: AsyncRead + AsyncWrite + Unpin + Send {}

impl<T: AsyncRead + AsyncWrite + Unpin + Send> Wire for T {}

struct Session {
    stream: BufReader<Box<dyn Wire>>,
    options: Options,
    record: Arc<Mutex<Record>>,
    secure: bool,
    greeted: bool,
    user: Option<String>,
    from: Option<String>,
    to: Vec<String>,
}

/// The session is over.
struct Over;

async fn serve(stream: tokio::net::TcpStream, acceptor: TlsAcceptor, options: Options, record: Arc<Mutex<Record>>) {
    let secure = options.speaks == Speaks::Implicit;
    let stream: Box<dyn Wire> = if secure {
        let Ok(stream) = acceptor.accept(stream).await else { return };
        Box::new(stream)
    } else {
        Box::new(stream)
    };
    let stream = BufReader::new(stream);
    let mut session = Session { stream, options, record, secure, greeted: false, user: None, from: None, to: Vec::new() };
    if session.step("connect", "220 mail.test ESMTP").await.is_err() {
        return;
    }
    while let Ok(line) = session.line().await {
        let (verb, rest) = line.split_once(' ').map_or((line.as_str(), ""), |(verb, rest)| (verb, rest));
        let verb = verb.to_ascii_uppercase();
        if verb == "STARTTLS" {
            let Ok(_) = session.step("STARTTLS", "220 go ahead").await else { return };
            if session.secure || session.options.speaks != Speaks::StartTls || !session.stream.buffer().is_empty() {
                session.complain("STARTTLS at the wrong time, or something behind it");
            }
            let Ok(stream) = acceptor.accept(session.stream.into_inner()).await else { return };
            session = Session { stream: BufReader::new(Box::new(stream)), secure: true, greeted: false, ..session };
        } else if session.command(&verb, rest).await.is_err() {
            return;
        }
    }
}

impl Session {
    fn complain(&self, what: &str) {
        self.record.lock().expect("unpoisoned").complaints.push(what.to_owned());
    }

    async fn say(&mut self, text: &str) -> Result<(), Over> {
        let stream = self.stream.get_mut();
        stream.write_all(format!("{text}\r\n").as_bytes()).await.map_err(|_| Over)?;
        stream.flush().await.map_err(|_| Over)
    }

    /// Answers a step as it should be answered, or as the next fault of this step has it.
    async fn step(&mut self, step: &'static str, answer: &str) -> Result<bool, Over> {
        let trouble = {
            let mut record = self.record.lock().expect("unpoisoned");
            record.steps.push(step.to_owned());
            let place = record.faults.iter().position(|(at, _)| *at == step);
            place.map(|place| record.faults.remove(place).1)
        };
        match trouble {
            None => self.say(answer).await.map(|()| true),
            Some(Trouble::Say(text)) => self.say(text).await.map(|()| false),
            Some(Trouble::Cut) => Err(Over),
            Some(Trouble::Hang) => std::future::pending().await,
        }
    }

    async fn wrong(&mut self, what: &str, answer: &str) -> Result<(), Over> {
        self.complain(what);
        self.say(answer).await
    }

    async fn line(&mut self) -> Result<String, Over> {
        let mut line = Vec::new();
        (&mut self.stream).take(4096).read_until(b'\n', &mut line).await.map_err(|_| Over)?;
        if line.is_empty() {
            return Err(Over);
        }
        let Some(line) = line.strip_suffix(b"\r\n") else {
            self.complain("a line that does not end in CR LF");
            return Err(Over);
        };
        if !line.is_ascii() || line.len() > 998 {
            self.complain("a line that is too long or not of 7 bits");
        }
        Ok(String::from_utf8_lossy(line).into_owned())
    }

    async fn command(&mut self, verb: &str, rest: &str) -> Result<(), Over> {
        match verb {
            "EHLO" => self.hello(rest).await,
            "QUIT" => {
                self.step("QUIT", "221 bye").await?;
                Err(Over)
            }
            _ if !self.greeted => self.wrong("a command before EHLO", "503 EHLO first").await,
            "AUTH" if !self.secure => self.wrong("AUTH in clear", "538 not in clear").await,
            "AUTH" => self.log_in(rest).await,
            "MAIL" | "RCPT" | "DATA" if self.options.speaks == Speaks::StartTls && !self.secure => self.wrong("mail in clear", "530 STARTTLS first").await,
            "MAIL" | "RCPT" | "DATA" if self.options.auth.is_some() && self.user.is_none() => self.wrong("mail without a login", "530 log in first").await,
            "MAIL" => match path(rest, "FROM:") {
                Some(from) if self.from.is_none() => {
                    if self.step("MAIL", "250 ok").await? {
                        self.from = Some(from);
                    }
                    Ok(())
                }
                _ => self.wrong(&format!("MAIL {rest}"), "501 what?").await,
            },
            "RCPT" => match path(rest, "TO:") {
                Some(to) if self.from.is_some() && self.options.unknown == Some(to.as_str()) => self.say("550 no such user").await,
                Some(to) if self.from.is_some() => {
                    if self.step("RCPT", "250 ok").await? {
                        self.to.push(to);
                    }
                    Ok(())
                }
                _ => self.wrong(&format!("RCPT {rest}"), "501 what?").await,
            },
            "DATA" if rest.is_empty() && !self.to.is_empty() => self.data().await,
            _ => self.wrong(&format!("{verb} {rest}"), "500 what?").await,
        }
    }

    async fn hello(&mut self, name: &str) -> Result<(), Over> {
        if !(name.starts_with('[') && name.ends_with(']')) {
            return self.wrong(&format!("EHLO {name}"), "501 who?").await;
        }
        let mut answer = "250-mail.test\r\n250-SIZE 1000000\r\n".to_owned();
        answer += match self.options.auth.filter(|_| self.secure) {
            Some(ways) => format!("250-AUTH {ways}\r\n"),
            None => String::new(),
        }
        .as_str();
        answer += if self.options.speaks == Speaks::StartTls && !self.secure { "250 STARTTLS" } else { "250 ENHANCEDSTATUSCODES" };
        self.greeted |= self.step("EHLO", &answer).await?;
        Ok(())
    }

    async fn log_in(&mut self, rest: &str) -> Result<(), Over> {
        let ways = self.options.auth.unwrap_or_default();
        let (way, first) = rest.split_once(' ').unwrap_or((rest, ""));
        if !ways.split(' ').any(|offered| offered == way) {
            return self.wrong(&format!("AUTH {way}"), "504 not that way").await;
        }
        let decode = |text: &str| STANDARD.decode(text).ok().and_then(|bytes| String::from_utf8(bytes).ok()).unwrap_or_default();
        let told = if way == "PLAIN" {
            decode(first)
        } else {
            self.say(&format!("334 {}", STANDARD.encode("Username:"))).await?;
            let user = decode(&self.line().await?);
            self.say(&format!("334 {}", STANDARD.encode("Password:"))).await?;
            format!("\0{user}\0{}", decode(&self.line().await?))
        };
        if told != format!("\0{USER}\0{PASSWORD}") {
            return self.say("535 no").await;
        }
        if self.step("AUTH", "235 welcome").await? {
            self.user = Some(USER.to_owned());
        }
        Ok(())
    }

    async fn data(&mut self) -> Result<(), Over> {
        if !self.step("DATA", "354 go on").await? {
            return Ok(());
        }
        let mut text = String::new();
        loop {
            let line = self.line().await?;
            if line == "." {
                break;
            }
            text.push_str(line.strip_prefix('.').unwrap_or(&line));
            text.push('\n');
        }
        let letter =
            Letter { from: self.from.take().unwrap_or_default(), to: std::mem::take(&mut self.to), user: self.user.clone(), secure: self.secure, text };
        {
            let mut record = self.record.lock().expect("unpoisoned");
            let refused = record.faults.iter().any(|(at, trouble)| *at == "message" && matches!(trouble, Trouble::Say(_)));
            if !refused {
                record.letters.push(letter);
            }
        }
        self.step("message", "250 queued").await.map(drop)
    }
}

/// The address between `<` and `>`, with nothing behind it.
fn path(rest: &str, word: &str) -> Option<String> {
    let address = rest.strip_prefix(word)?.strip_prefix('<')?.strip_suffix('>')?;
    (address.contains('@') && !address.contains(['<', '>', ' '])).then(|| address.to_owned())
}
