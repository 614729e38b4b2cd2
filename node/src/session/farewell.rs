//! The farewell: waits until the close frame is written, and reads and discards what the terminal still sends.
//!
//! The socket of a terminal that reads slowly may not take the close frame at once. Reading goes on meanwhile: a
//! terminal that reads only after it has sent would otherwise wait for the node, and the node for the terminal.
//!
//! The kernel resets a connection that is closed with bytes unread, or that bytes still arrive on. The reset may
//! overtake the close frame and everything that was sent before it. So what still arrives is read and discarded
//! first.

use std::{io, time::Duration};

use rustix::net::{Shutdown, shutdown};
use tokio::{net::TcpStream, task, time};

use crate::{
    end::SessionEnd,
    shard::{Shard, Socket},
    wire::{Message, Partial},
};

/// How long a shard that stops waits for the sessions that it has just told to end.
pub const FAREWELL: Duration = Duration::from_secs(1);

/// How long a terminal may take to stop sending and to close. After that the connection is closed, with a reset if
/// bytes are unread.
const TIME: Duration = Duration::from_secs(2);

/// How many bytes are discarded. Beyond it the connection is closed at once. A terminal that stops when it reads the
/// close frame has sent at most what the buffers on the way hold, some MiB each, or the rest of a message over the
/// limit.
const BYTES: usize = 16 * 1024 * 1024;

/// A terminal whose bytes can't be decoded counts as one that has stopped after this time without a byte. The node
/// then shuts down its side. The node does not do so at once: a proxy that sees the shutdown closes the terminal's
/// connection even if bytes are unread.
const QUIET: Duration = Duration::from_millis(300);

/// A connection that a close frame was sent on.
pub struct Farewell<'a> {
    shard: &'a Shard,
    stream: &'a TcpStream,
    partial: Option<Box<Partial>>,
    /// The socket of an established session, for which the close frame may be queued.
    socket: Option<&'a Socket>,
    /// Whether the terminal closed first, so that the close frame is the answer and nothing more is read.
    has_left: bool,
    /// Whether the bytes can't be decoded any more, so that an answer to the close would not be recognised.
    is_broken: bool,
}

impl<'a> Farewell<'a> {
    /// A farewell to a connection that a close frame for `end` was written on.
    pub fn new(shard: &'a Shard, stream: &'a TcpStream, partial: Option<Box<Partial>>, end: SessionEnd) -> Self {
        let (is_broken, has_left) = (matches!(end, SessionEnd::Wire(_)), end == SessionEnd::Left);
        Self { shard, stream, partial, socket: None, has_left, is_broken }
    }

    /// A farewell to an established session, for whose socket the close frame is written or queued.
    pub fn established(shard: &'a Shard, socket: &'a Socket, partial: Option<Box<Partial>>, end: SessionEnd) -> Self {
        Self { socket: Some(socket), ..Self::new(shard, &socket.stream, partial, end) }
    }

    /// Writes what is queued, and meanwhile reads and discards until the terminal has answered the close or has gone,
    /// within [`TIME`] and [`BYTES`]. A terminal that has not taken the close frame by then is cut off without it.
    pub async fn finish(mut self) {
        let (shard, socket) = (self.shard, self.socket);
        let write = async {
            if let Some(socket) = socket {
                shard.sockets.flush_all(socket).await;
            }
        };
        let read = async {
            if !self.has_left {
                self.discard().await;
            }
        };
        let _ = time::timeout(TIME, async { tokio::join!(write, read) }).await;
    }

    async fn discard(&mut self) {
        let mut left = BYTES;
        let mut is_shut_down = false;
        while left > 0 {
            if !self.is_broken || is_shut_down {
                if self.stream.readable().await.is_err() {
                    return;
                }
            } else if time::timeout(QUIET, self.stream.readable()).await.is_err()
                && self.socket.is_none_or(Socket::is_flushed)
            {
                is_shut_down = true;
                // Fails only if the terminal has gone, which the next read shows.
                let _ = shutdown(self.stream, Shutdown::Write);
            }
            let Some(count) = self.read() else { return };
            left = left.saturating_sub(count);
            // A terminal that sends fast keeps the socket readable, so nothing else here would wait.
            task::yield_now().await;
        }
    }

    /// Reads once. Returns how many bytes came, or none once the terminal has answered the close or has gone.
    fn read(&mut self) -> Option<usize> {
        let mut buffer = self.shard.buffer.borrow_mut();
        let count = match self.stream.try_read(&mut buffer) {
            Ok(0) => return None,
            Ok(count) => count,
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Some(0),
            Err(_) => return None,
        };
        if !self.is_broken {
            let mut messages = Vec::new();
            let decoded = self.shard.decoder.decode(&mut buffer[..count], &mut self.partial, &mut messages);
            self.is_broken = decoded.is_err();
            if messages.iter().any(|message| matches!(message, Message::Close(_))) {
                return None;
            }
        }
        Some(count)
    }
}
