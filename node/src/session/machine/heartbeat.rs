//! The text heartbeat of plain terminals, which `--plain-heartbeat` sets.

use bytes::Bytes;

use crate::{config::PlainHeartbeat, wire};

/// A message that is a heartbeat, and the frame that answers it.
#[derive(Debug, Clone)]
pub struct TextHeartbeat {
    ping: String,
    pong: Bytes,
}

impl TextHeartbeat {
    /// Returns the heartbeat that the flag sets. Encodes the answer, so that it is encoded once for all sessions.
    pub fn new(heartbeat: &PlainHeartbeat) -> Self {
        Self { ping: heartbeat.ping.clone(), pong: wire::text(&heartbeat.pong) }
    }

    /// Returns the answer to this message, if the message is a heartbeat.
    pub fn answer(&self, message: &str) -> Option<Bytes> {
        (message == self.ping).then(|| self.pong.clone())
    }
}
