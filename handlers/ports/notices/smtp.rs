//! One conversation with a mail server (RFC 5321): greeting, TLS where it is asked for, authentication, one message to all its
//! recipients.
//!
//! In: the settings and a message of 7-bit lines. Out: how many recipients the server took it for. Nothing is sent in clear but
//! where the settings allow it: what came before TLS is forgotten (RFC 3207, 4.2), and a user's name never goes before it. Errors
//! say at which step the server said no and with which code, never its words: servers quote addresses.

use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use rustls::pki_types::ServerName;
use tokio::io::{AsyncBufReadExt as _, AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _, BufReader};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

use crate::config::{MailConfig, MailTls};
use crate::error::{Error, Kind};
use crate::ports::exchange::{Attempt, Failure};

/// What errors call it.
pub const SERVICE: &str = "the mail server";
/// Longest line of an answer, and most lines of one: four times what the standard asks for.
const LINE: u64 = 2048;
const LINES: usize = 100;

trait Wire: AsyncRead + AsyncWrite + Unpin + Send {}

impl<T: AsyncRead + AsyncWrite + Unpin + Send> Wire for T {}

/// What a server answered.
struct Answer {
    code: u16,
    lines: Vec<String>,
}

impl Answer {
    /// What follows a word of EHLO, where the server knows it.
    fn offers(&self, word: &str) -> Option<Vec<String>> {
        self.lines.iter().skip(1).find_map(|line| {
            let mut words = line.split([' ', '=']).map(str::to_ascii_uppercase);
            (words.next()? == word).then(|| words.collect())
        })
    }
}

/// A server that has greeted us.
pub struct Conversation {
    stream: BufReader<Box<dyn Wire>>,
    hello: String,
    /// What it answered to EHLO.
    able: Answer,
    secure: bool,
}

fn broken(source: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Failure {
    Failure::again(Error::unavailable(SERVICE, source))
}

/// An answer that says no. Trying again at once would not help: a pause might.
fn refused(step: &str, code: u16) -> Failure {
    let detail = format!("{SERVICE} answered {step} with {code}");
    Failure::last(Error::new(if (400..500).contains(&code) { Kind::Unavailable } else { Kind::Denied }, detail))
}

/// What the server lacks for these settings.
fn lacks(what: &str) -> Failure {
    Failure::last(Error::new(Kind::Denied, format!("{SERVICE} does not offer {what}")))
}

impl Conversation {
    /// Connects, greets, and secures and authenticates the connection as the settings say.
    pub async fn begin(config: &MailConfig, tls: Option<rustls::ClientConfig>) -> Attempt<Self> {
        let stream = TcpStream::connect((config.host.as_str(), config.port)).await.map_err(broken)?;
        let hello = match stream.local_addr().map_err(broken)?.ip() {
            std::net::IpAddr::V4(ip) => format!("[{ip}]"),
            std::net::IpAddr::V6(ip) => format!("[IPv6:{ip}]"),
        };
        let stream: Box<dyn Wire> = match (&tls, config.tls) {
            (Some(tls), MailTls::Implicit) => secured(&config.host, tls, Box::new(stream)).await?,
            _ => Box::new(stream),
        };
        let able = Answer { code: 0, lines: Vec::new() };
        let mut talk = Self { stream: BufReader::new(stream), hello, able, secure: config.tls == MailTls::Implicit };
        let greeting = talk.answer().await?;
        if greeting.code != 220 {
            return Err(refused("the connection", greeting.code));
        }
        talk.greet().await?;
        if let (Some(tls), MailTls::StartTls) = (&tls, config.tls) {
            talk = talk.start_tls(&config.host, tls).await?;
        }
        if let Some((user, password)) = &config.login {
            talk.log_in(user, password.expose()).await?;
        }
        Ok(talk)
    }

    async fn greet(&mut self) -> Attempt<()> {
        let hello = format!("EHLO {}", self.hello);
        self.able = self.ask("EHLO", &hello, 250).await?;
        Ok(())
    }

    async fn start_tls(mut self, host: &str, tls: &rustls::ClientConfig) -> Attempt<Self> {
        if self.able.offers("STARTTLS").is_none() {
            return Err(lacks("STARTTLS"));
        }
        self.ask("STARTTLS", "STARTTLS", 220).await?;
        if !self.stream.buffer().is_empty() {
            // Somebody on the way has put in what would count as said under TLS.
            return Err(Failure::last(Error::new(Kind::Denied, format!("{SERVICE} said something before TLS began"))));
        }
        let stream = secured(host, tls, self.stream.into_inner()).await?;
        let mut talk = Self { stream: BufReader::new(stream), secure: true, ..self };
        talk.greet().await?;
        Ok(talk)
    }

    async fn log_in(&mut self, user: &str, password: &str) -> Attempt<()> {
        if !self.secure {
            return Err(lacks("TLS, without which nobody logs in"));
        }
        let ways = self.able.offers("AUTH").unwrap_or_default();
        if ways.iter().any(|way| way == "PLAIN") {
            let secret = STANDARD.encode(format!("\0{user}\0{password}"));
            self.ask("AUTH", &format!("AUTH PLAIN {secret}"), 235).await?;
        } else if ways.iter().any(|way| way == "LOGIN") {
            self.ask("AUTH", "AUTH LOGIN", 334).await?;
            self.ask("AUTH", &STANDARD.encode(user), 334).await?;
            self.ask("AUTH", &STANDARD.encode(password), 235).await?;
        } else {
            return Err(lacks("AUTH PLAIN or AUTH LOGIN"));
        }
        Ok(())
    }

    /// Names sender and recipients. How many of them the server takes mail for, and the code for the last one it does not.
    pub async fn address(&mut self, config: &MailConfig) -> Attempt<(usize, Option<u16>)> {
        self.ask("MAIL", &format!("MAIL FROM:<{}>", config.from), 250).await?;
        let (mut taken, mut no) = (0, None);
        for to in &config.to {
            self.say(&format!("RCPT TO:<{to}>")).await?;
            match self.answer().await?.code {
                250 | 251 => taken += 1,
                code => no = Some(code),
            }
        }
        match no {
            Some(code) if taken == 0 => Err(refused("RCPT", code)),
            no => Ok((taken, no)),
        }
    }

    /// Hands over the message. Once all of it is sent the server may have it, whatever becomes of its answer.
    pub async fn hand_over(&mut self, message: &str) -> Attempt<()> {
        self.ask("DATA", "DATA", 354).await?;
        let mut data = String::with_capacity(message.len() + 64);
        for line in message.lines() {
            if line.starts_with('.') {
                data.push('.');
            }
            data.push_str(line);
            data.push_str("\r\n");
        }
        data.push('.');
        let sent = async {
            self.say(&data).await?;
            self.answer().await
        };
        let answer = sent.await.map_err(|failure| Failure::last(failure.into_error()))?;
        if answer.code == 250 { Ok(()) } else { Err(refused("the message", answer.code)) }
    }

    /// Says good-bye; what was handed over stands, whether the server hears it or not.
    pub async fn end(mut self) {
        let _ = self.ask("QUIT", "QUIT", 221).await;
    }

    async fn ask(&mut self, step: &str, line: &str, expected: u16) -> Attempt<Answer> {
        self.say(line).await?;
        let answer = self.answer().await?;
        if answer.code == expected { Ok(answer) } else { Err(refused(step, answer.code)) }
    }

    async fn say(&mut self, line: &str) -> Attempt<()> {
        let line = format!("{line}\r\n");
        let stream = self.stream.get_mut();
        stream.write_all(line.as_bytes()).await.map_err(broken)?;
        stream.flush().await.map_err(broken)
    }

    /// Reads `250-first`, `250 last`.
    async fn answer(&mut self) -> Attempt<Answer> {
        let mut lines = Vec::new();
        while lines.len() < LINES {
            let mut line = Vec::new();
            (&mut self.stream).take(LINE).read_until(b'\n', &mut line).await.map_err(broken)?;
            let line = line.strip_suffix(b"\n").ok_or_else(|| broken("an answer was cut off"))?;
            let line = String::from_utf8_lossy(line).trim_end().to_owned();
            let code = line.get(..3).and_then(|code| code.parse::<u16>().ok()).filter(|code| (200..600).contains(code));
            let (Some(code), mark) = (code, line.as_bytes().get(3)) else { return Err(broken("an answer without a code")) };
            lines.push(line.get(4..).unwrap_or_default().to_owned());
            match mark {
                Some(b'-') => {}
                None | Some(b' ') => return Ok(Answer { code, lines }),
                Some(_) => return Err(broken("an answer without a code")),
            }
        }
        Err(broken("an answer without an end"))
    }
}

async fn secured(host: &str, tls: &rustls::ClientConfig, stream: Box<dyn Wire>) -> Attempt<Box<dyn Wire>> {
    let name = ServerName::try_from(host.to_owned()).map_err(|e| Failure::last(Error::internal(e)))?;
    let stream = TlsConnector::from(Arc::new(tls.clone())).connect(name, stream).await.map_err(broken)?;
    Ok(Box::new(stream))
}
