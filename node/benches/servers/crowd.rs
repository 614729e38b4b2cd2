//! Connections that only count the bytes they get.

use std::{
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    time,
};

/// A text frame with a payload of 126 to 65,535 bytes has a head of four.
const FRAME: u64 = 4 + super::PAYLOAD as u64;
/// A wait that lasts longer than this has failed.
const PATIENCE: Duration = Duration::from_secs(60);

/// The terminals of one server.
pub struct Crowd {
    received: Arc<AtomicU64>,
    expected: u64,
    size: u64,
}

impl Crowd {
    /// Connects `size` terminals; `begin` says the first words of number n.
    pub async fn gather(address: SocketAddr, size: usize, begin: fn(usize) -> String) -> Self {
        let received = Arc::new(AtomicU64::new(0));
        for number in 0..size {
            let mut stream = TcpStream::connect(address).await.expect("the server accepts");
            let request = begin(number);
            if !request.is_empty() {
                stream.write_all(request.as_bytes()).await.expect("the server reads");
                switched(&mut stream).await;
            }
            tokio::spawn(count(stream, received.clone()));
        }
        Self { received, expected: 0, size: size as u64 }
    }

    /// The number of terminals.
    pub fn size(&self) -> usize {
        self.size as usize
    }

    /// Waits until each terminal has got so many more frames.
    pub async fn wait_for(&mut self, frames: usize) {
        self.expected += frames as u64 * self.size * FRAME;
        let all = async {
            while self.received.load(Ordering::Relaxed) < self.expected {
                time::sleep(Duration::from_micros(200)).await;
            }
        };
        time::timeout(PATIENCE, all).await.expect("every frame arrives within a minute");
        assert_eq!(self.received.load(Ordering::Relaxed), self.expected, "more bytes than were sent");
    }
}

/// A plain terminal's handshake.
pub fn handshake(number: usize) -> String {
    format!(
        "GET /ws?terminal_id=bench-{number} HTTP/1.1\r\nHost: bench\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
         Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n"
    )
}

async fn switched(stream: &mut TcpStream) {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(stream.read_u8().await.expect("the server answers"));
    }
    assert!(head.starts_with(b"HTTP/1.1 101"), "{}", String::from_utf8_lossy(&head));
}

async fn count(mut stream: TcpStream, received: Arc<AtomicU64>) {
    let mut buffer = [0; 4096];
    while let Ok(bytes @ 1..) = stream.read(&mut buffer).await {
        received.fetch_add(bytes as u64, Ordering::Relaxed);
    }
}
