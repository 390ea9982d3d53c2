//! A TCP proxy between the app and its Redis that writes down what goes over the wire, and that can lose the answers
//! to one thing that is sent.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinHandle;

/// What was sent until an answer came, and how many bytes the answer had.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Exchange {
    pub sent: Vec<u8>,
    pub received: usize,
}

impl Exchange {
    /// The commands in it, word by word.
    pub fn commands(&self) -> Vec<Vec<String>> {
        let mut rest = &self.sent[..];
        let mut commands = Vec::new();
        while let Some(words) = number(&mut rest, b'*') {
            let word = |rest: &mut &[u8]| {
                let length = number(rest, b'$')?;
                let word = String::from_utf8_lossy(rest.get(..length)?).into_owned();
                *rest = rest.get(length + 2..)?;
                Some(word)
            };
            commands.push((0..words).filter_map(|_| word(&mut rest)).collect());
        }
        commands
    }
}

/// The number of a line that begins with this mark. What is sealed may hold line ends, so lengths are what counts.
fn number(rest: &mut &[u8], mark: u8) -> Option<usize> {
    let end = rest.windows(2).position(|pair| pair == b"\r\n")?;
    let line = rest[..end].strip_prefix(&[mark])?;
    *rest = &rest[end + 2..];
    std::str::from_utf8(line).ok()?.parse().ok()
}

#[derive(Default)]
struct Record {
    exchanges: Vec<Exchange>,
    answered: bool,
    lose: Option<Vec<u8>>,
    losing: bool,
}

struct Shared {
    record: Mutex<Record>,
    cut: watch::Sender<u32>,
}

/// The running proxy; it ends when dropped.
pub struct Proxy {
    port: u16,
    shared: Arc<Shared>,
    task: JoinHandle<()>,
}

impl Proxy {
    /// Starts it in front of a port on 127.0.0.1.
    pub async fn start(target: u16) -> Self {
        Self::slow(target, Duration::ZERO).await
    }

    /// The same with answers that are held back this long.
    pub async fn slow(target: u16, delay: Duration) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let port = listener.local_addr().expect("its address").port();
        let shared = Arc::new(Shared { record: Mutex::default(), cut: watch::Sender::new(0) });
        let shared_ = Arc::clone(&shared);
        let task = tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                tokio::spawn(connection(Arc::clone(&shared_), client, target, delay));
            }
        });
        Self { port, shared, task }
    }

    /// Where it listens.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Forgets what it wrote down.
    pub fn clear(&self) {
        let mut record = self.shared.record.lock().expect("unpoisoned");
        (record.exchanges, record.answered) = (Vec::new(), false);
    }

    /// What went over the wire since [`Self::clear`].
    pub fn exchanges(&self) -> Vec<Exchange> {
        self.shared.record.lock().expect("unpoisoned").exchanges.clone()
    }

    /// From the next bytes to the server on that hold `needle`, no answer comes back.
    pub fn lose_answers_from(&self, needle: &str) {
        self.shared.record.lock().expect("unpoisoned").lose = Some(needle.as_bytes().to_vec());
    }

    /// Whether answers are being lost.
    pub fn is_losing(&self) -> bool {
        self.shared.record.lock().expect("unpoisoned").losing
    }

    /// Cuts all connections and loses nothing any more.
    pub fn heal(&self) {
        let mut record = self.shared.record.lock().expect("unpoisoned");
        (record.lose, record.losing) = (None, false);
        self.shared.cut.send_modify(|n| *n += 1);
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn connection(shared: Arc<Shared>, client: TcpStream, target: u16, delay: Duration) {
    let mut cut = shared.cut.subscribe();
    let server = TcpStream::connect(("127.0.0.1", target)).await.expect("the server");
    client.set_nodelay(true).expect("an option");
    server.set_nodelay(true).expect("an option");
    let ((mut from_client, mut to_client), (mut from_server, mut to_server)) = (client.into_split(), server.into_split());
    let out = async {
        let mut buffer = vec![0; 1 << 20];
        while let Ok(n @ 1..) = from_client.read(&mut buffer).await {
            shared.record.lock().expect("unpoisoned").sent(&buffer[..n]);
            if to_server.write_all(&buffer[..n]).await.is_err() {
                break;
            }
        }
    };
    let back = async {
        let mut buffer = vec![0; 1 << 20];
        while let Ok(n @ 1..) = from_server.read(&mut buffer).await {
            tokio::time::sleep(delay).await;
            let lost = shared.record.lock().expect("unpoisoned").received(n);
            if !lost && to_client.write_all(&buffer[..n]).await.is_err() {
                break;
            }
        }
    };
    tokio::select! {
        () = out => {}
        () = back => {}
        _ = cut.changed() => {}
    }
}

impl Record {
    fn sent(&mut self, bytes: &[u8]) {
        if self.answered || self.exchanges.is_empty() {
            self.exchanges.push(Exchange::default());
            self.answered = false;
        }
        let exchange = self.exchanges.last_mut().expect("one was pushed");
        exchange.sent.extend_from_slice(bytes);
        self.losing |= self.lose.as_ref().is_some_and(|needle| exchange.sent.windows(needle.len()).any(|w| w == needle));
    }

    /// Counts an answer; true where it is lost.
    fn received(&mut self, bytes: usize) -> bool {
        self.answered = true;
        if let Some(exchange) = self.exchanges.last_mut() {
            exchange.received += bytes;
        }
        self.losing
    }
}
