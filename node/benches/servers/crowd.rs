//! Connections that count what is delivered to them.

use std::{
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering::SeqCst},
    },
    time::Duration,
};

use futures_util::{StreamExt, stream};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    sync::Notify,
    task::JoinSet,
    time,
};

use super::{
    dialect::{Dialect, Turn},
    frames::{FrameReader, client_frame},
    payload::PAYLOAD,
};

/// A wait that lasts longer than this has failed.
const PATIENCE: Duration = Duration::from_secs(60);
/// Handshakes under way at the same time.
const AT_ONCE: usize = 16;

/// The terminals of one server. Dropping it closes their connections.
pub struct Crowd {
    size: usize,
    counts: Arc<Counts>,
    _readers: JoinSet<()>,
}

/// Deliveries to all terminals.
#[derive(Default)]
struct Counts {
    received: AtomicU64,
    expected: AtomicU64,
    all_came: Notify,
}

impl Crowd {
    /// Connects `size` terminals, whose numbers begin with `first`.
    pub async fn gather(address: SocketAddr, first: usize, size: usize, dialect: Dialect) -> Self {
        let counts = Arc::new(Counts::default());
        let connect = |number| connect(address, number, dialect);
        let connected: Vec<_> =
            stream::iter(first..first + size).map(connect).buffer_unordered(AT_ONCE).collect().await;
        let mut readers = JoinSet::new();
        for (stream, frames) in connected {
            readers.spawn(read(stream, frames, dialect, counts.clone()));
        }
        Self { size, counts, _readers: readers }
    }

    /// The number of terminals.
    pub fn size(&self) -> usize {
        self.size
    }

    /// Waits until each terminal has got so many more deliveries.
    pub async fn wait_for(&mut self, deliveries: usize) {
        let more = (deliveries * self.size) as u64;
        let expected = self.counts.expected.fetch_add(more, SeqCst) + more;
        let received = || self.counts.received.load(SeqCst);
        let all = async {
            while received() < expected {
                self.counts.all_came.notified().await;
            }
        };
        let waited = time::timeout(PATIENCE, all).await;
        assert!(waited.is_ok(), "{} of {expected} deliveries came within {PATIENCE:?}", received());
        assert_eq!(received(), expected, "more was delivered than was sent");
    }
}

/// Connects a terminal.
pub async fn connect(address: SocketAddr, number: usize, dialect: Dialect) -> (TcpStream, FrameReader) {
    let mut stream = TcpStream::connect(address).await.expect("the server accepts");
    let request = (dialect.request)(number);
    if !request.is_empty() {
        stream.write_all(request.as_bytes()).await.expect("the server reads");
        switched(&mut stream).await;
    }
    let mut frames = FrameReader::default();
    for turn in dialect.begin {
        match turn {
            Turn::Say(text) => stream.write_all(&client_frame(text)).await.expect("the server reads"),
            Turn::Hear => hear(&mut stream, &mut frames).await,
        }
    }
    (stream, frames)
}

async fn switched(stream: &mut TcpStream) {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(stream.read_u8().await.expect("the server answers"));
    }
    assert!(head.starts_with(b"HTTP/1.1 101"), "{}", String::from_utf8_lossy(&head));
}

async fn hear(stream: &mut TcpStream, frames: &mut FrameReader) {
    let (mut buffer, mut is_heard) = ([0; 4096], false);
    while !is_heard {
        let count = stream.read(&mut buffer).await.expect("the server answers");
        assert!(count > 0, "the server closed the connection of a terminal that waited for its greeting");
        frames.take(&buffer[..count], |_| is_heard = true);
    }
}

/// The deliveries in one frame: some servers put several into one, each on a line. What is shorter than a payload is the server's own.
fn deliveries_of(frame: &[u8]) -> u64 {
    frame.split(|byte| *byte == b'\n').filter(|line| line.len() >= PAYLOAD).count() as u64
}

/// Reads until the connection ends.
async fn read(mut stream: TcpStream, mut frames: FrameReader, dialect: Dialect, counts: Arc<Counts>) {
    let mut buffer = [0; 4096];
    while let Ok(bytes @ 1..) = stream.read(&mut buffer).await {
        let (mut deliveries, mut answers) = (0, Vec::new());
        frames.take(&buffer[..bytes], |payload| {
            deliveries += deliveries_of(payload);
            answers.extend((dialect.answer)(payload).map(|text| client_frame(&text)).unwrap_or_default());
        });
        let received = counts.received.fetch_add(deliveries, SeqCst) + deliveries;
        if received >= counts.expected.load(SeqCst) {
            counts.all_came.notify_one();
        }
        if !answers.is_empty() && stream.write_all(&answers).await.is_err() {
            return;
        }
    }
}
