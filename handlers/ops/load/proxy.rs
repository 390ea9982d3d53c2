//! A TCP proxy between a client and a server on this machine, which does to the bytes what a bad network does.
//!
//! In: a port on 127.0.0.1, and the way it behaves, which may change at any time and holds for open connections as for new
//! ones. It knows nothing of the protocol inside. Fails only where no port is free; a server that is away is a connection that
//! closes at once.

use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::time::sleep;
use tokio_util::task::AbortOnDropHandle;

use crate::error::{Error, Result};

/// Most bytes that pass at once.
const BUFFER: usize = 64 * 1024;
/// Parts of a second in which throttled bytes pass.
const PARTS: u32 = 20;

/// How the proxy behaves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Way {
    /// Everything passes.
    Pass,
    /// Each piece passes this much later.
    Delay(Duration),
    /// This many bytes a second pass, in each direction of a connection.
    Throttle(u32),
    /// Connections are closed; new ones, too.
    Cut,
    /// Nothing passes. What was sent meanwhile passes afterwards, as on a network that was parted.
    BlackHole,
    /// The server is told that the connection is over, and the client is not: its side stays open and silent, also when
    /// everything passes again for new connections.
    HalfClose,
    /// One byte in this many of what the server says is changed. Where nothing on top has checksums, the client believes it.
    Corrupt(u32),
}

impl Way {
    /// Its name in a report.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Pass => "pass",
            Self::Delay(_) => "delay",
            Self::Throttle(_) => "throttle",
            Self::Cut => "cut",
            Self::BlackHole => "blackHole",
            Self::HalfClose => "halfClose",
            Self::Corrupt(_) => "corrupt",
        }
    }
}

/// A running proxy; it ends when dropped, and its connections with it.
#[derive(Debug)]
pub struct Proxy {
    port: u16,
    way: watch::Sender<Way>,
    _task: AbortOnDropHandle<()>,
}

impl Proxy {
    /// Starts it in front of a port on 127.0.0.1; everything passes.
    pub async fn start(target: u16) -> Result<Self> {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.map_err(Error::internal)?;
        let port = listener.local_addr().map_err(Error::internal)?.port();
        let (way, ways) = watch::channel(Way::Pass);
        let task = tokio::spawn(async move {
            let mut open = tokio::task::JoinSet::new();
            loop {
                tokio::select! {
                    accepted = listener.accept() => if let Ok((client, _)) = accepted {
                        open.spawn(connection(client, target, ways.clone()));
                    },
                    Some(_) = open.join_next() => {}
                }
            }
        });
        Ok(Self { port, way, _task: AbortOnDropHandle::new(task) })
    }

    /// Where it listens on 127.0.0.1.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Behaves like this from now on.
    pub fn behave(&self, way: Way) {
        self.way.send_replace(way);
    }
}

async fn connection(client: TcpStream, target: u16, mut ways: watch::Receiver<Way>) {
    let admitted = ways.wait_for(|way| *way != Way::BlackHole).await.map(|way| *way);
    if matches!(admitted, Err(_) | Ok(Way::Cut)) {
        return;
    }
    let Ok(server) = TcpStream::connect(("127.0.0.1", target)).await else { return };
    // Without it small pieces would wait for each other; where it cannot be set they do.
    let _ = (client.set_nodelay(true), server.set_nodelay(true));
    let ((from_client, to_client), (from_server, to_server)) = (client.into_split(), server.into_split());
    let (there, back) = (pump(from_client, to_server, ways.clone(), false), pump(from_server, to_client, ways.clone(), true));
    let cut = async {
        // The sender is gone only when the proxy is.
        let _ = ways.wait_for(|way| *way == Way::Cut).await;
    };
    // One direction that has ended ends the connection, unless it is half closed: then both hang until they are cut.
    tokio::select! { () = there => {}, () = back => {}, () = cut => {} }
}

/// Passes bytes on in one direction until that ends; `answers` for the one from the server.
async fn pump(mut from: OwnedReadHalf, mut to: OwnedWriteHalf, mut ways: watch::Receiver<Way>, answers: bool) {
    let mut buffer = vec![0; BUFFER];
    let mut passed = 0;
    loop {
        let way = *ways.borrow_and_update();
        let most = match way {
            Way::HalfClose => return half_closed(to, answers).await,
            Way::BlackHole => {
                if ways.changed().await.is_err() {
                    return;
                }
                continue;
            }
            Way::Throttle(bytes) => (bytes / PARTS).max(1) as usize,
            _ => BUFFER,
        };
        let read = tokio::select! {
            read = from.read(&mut buffer[..most.min(BUFFER)]) => read,
            changed = ways.changed() => match changed { Ok(()) => continue, Err(_) => return },
        };
        let Ok(read @ 1..) = read else {
            // A server whose client was half closed ends its side: the client is not told of that either.
            return if *ways.borrow() == Way::HalfClose {
                half_closed(to, answers).await
            };
        };
        match way {
            Way::Delay(by) => sleep(by).await,
            Way::Throttle(_) => sleep(Duration::from_secs(1) / PARTS).await,
            Way::Corrupt(one_in) if answers => passed = corrupt(&mut buffer[..read], one_in, passed),
            _ => {}
        }
        // What was read before nothing passed any more waits, too.
        if ways.wait_for(|way| *way != Way::BlackHole).await.is_err() || to.write_all(&buffer[..read]).await.is_err() {
            return;
        }
    }
}

/// Ends the direction to the server, and keeps the other one open for good.
async fn half_closed(mut to: OwnedWriteHalf, answers: bool) {
    if !answers {
        // Where the server is gone already there is nobody to tell.
        let _ = to.shutdown().await;
    }
    std::future::pending().await
}

/// Changes one byte in so many; how many have passed since the last one.
fn corrupt(bytes: &mut [u8], one_in: u32, mut passed: u32) -> u32 {
    for byte in bytes {
        passed += 1;
        if passed >= one_in {
            *byte ^= 0x01;
            passed = 0;
        }
    }
    passed
}
