//! A stand-in for a Redis that refuses every script in words of the test's own, for servers of other versions than the
//! one at hand. Everything else is answered with OK.

use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;

/// The running stand-in; it ends when dropped.
pub struct Refusing {
    port: u16,
    task: JoinHandle<()>,
}

impl Refusing {
    /// Starts it; `error` is what scripts are answered with, without the leading `-`.
    pub async fn start(error: String) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let port = listener.local_addr().expect("its address").port();
        let task = tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                tokio::spawn(serve(client, error.clone()));
            }
        });
        Self { port, task }
    }

    /// Where it listens on 127.0.0.1.
    pub fn port(&self) -> u16 {
        self.port
    }
}

impl Drop for Refusing {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn serve(client: TcpStream, error: String) {
    let mut client = BufReader::new(client);
    // Ends with the connection, in the middle of a command or between two.
    while let Ok(Some(name)) = command(&mut client).await {
        let answer = if name.eq_ignore_ascii_case("EVALSHA") { format!("-{error}\r\n") } else { "+OK\r\n".to_owned() };
        if client.write_all(answer.as_bytes()).await.is_err() {
            return;
        }
    }
}

/// Reads one command and tells its name; none at the end of the connection.
async fn command(client: &mut BufReader<TcpStream>) -> std::io::Result<Option<String>> {
    let mut line = String::new();
    if client.read_line(&mut line).await? == 0 {
        return Ok(None);
    }
    let words: usize = number(&line, '*');
    let mut name = None;
    for _ in 0..words {
        let mut length = String::new();
        client.read_line(&mut length).await?;
        let mut word = vec![0; number(&length, '$') + 2];
        client.read_exact(&mut word).await?;
        name.get_or_insert_with(|| String::from_utf8_lossy(&word[..word.len() - 2]).into_owned());
    }
    Ok(name)
}

fn number(line: &str, sign: char) -> usize {
    line.trim_end().strip_prefix(sign).and_then(|n| n.parse().ok()).expect("a length")
}
