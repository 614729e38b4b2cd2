//! A client that follows a stream of events.

use std::{net::SocketAddr, time::Duration};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    time::{self, Instant},
};

/// How long a follower waits for what it is to read.
const LONGEST: Duration = Duration::from_secs(30);

/// A stream of events, and what was read of it.
pub struct EventFollower {
    stream: TcpStream,
    /// All that was read, with the head.
    pub text: String,
}

impl EventFollower {
    /// Opens the stream at `path`, from now on or behind the event with the id `last`. Waits for its first id, or for a refusal.
    pub async fn open(address: SocketAddr, path: &str, last: Option<&str>) -> Self {
        let last = last.map(|id| format!("Last-Event-ID: {id}\r\n")).unwrap_or_default();
        Self::open_with(address, path, &last).await
    }

    /// Opens the stream as [`open`](Self::open) does, with these headers, each of which ends with a line break.
    pub async fn open_with(address: SocketAddr, path: &str, headers: &str) -> Self {
        let mut stream = TcpStream::connect(address).await.unwrap();
        stream.write_all(format!("GET {path} HTTP/1.1\r\nHost: test\r\n{headers}\r\n").as_bytes()).await.unwrap();
        let mut follower = Self { stream, text: String::new() };
        follower.read_until("\r\n\r\n").await;
        if follower.text.starts_with("HTTP/1.1 200") {
            follower.read_until("id: ").await;
        }
        follower
    }

    /// Reads until the text has this part.
    pub async fn read_until(&mut self, part: &str) {
        let mut looked = 0;
        // Of all that is read: a stream that has nothing to tell sends a comment now and then.
        let end = Instant::now() + LONGEST;
        while !self.text[looked..].contains(part) {
            // What was looked at is not looked at again: a text may have many megabytes.
            looked = self.text.floor_char_boundary(self.text.len().saturating_sub(part.len()));
            self.read_some(part, end).await;
        }
    }

    /// Reads until all that was read meets a condition, which `what` names.
    pub async fn read_until_it(&mut self, what: &str, meets: impl Fn(&str) -> bool) {
        let end = Instant::now() + LONGEST;
        while !meets(&self.text) {
            self.read_some(what, end).await;
        }
    }

    async fn read_some(&mut self, wanted: &str, end: Instant) {
        let mut buffer = [0; 4096];
        let read = time::timeout_at(end, self.stream.read(&mut buffer)).await;
        let count = read.unwrap_or_else(|_| panic!("no {wanted:?} came: {}", self.text)).unwrap();
        assert!(count > 0, "the stream ended without {wanted:?}: {}", self.text);
        self.text.push_str(&String::from_utf8_lossy(&buffer[..count]));
    }

    /// Reads until the answer ends.
    pub async fn read_to_end(&mut self) {
        self.read_until("\r\n0\r\n\r\n").await;
    }

    /// The id of the last event that was read.
    pub fn last_id(&self) -> &str {
        self.text.rsplit("id: ").next().and_then(|rest| rest.lines().next()).unwrap()
    }
}
