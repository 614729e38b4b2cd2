//! What a server sends on one connection, read piece by piece.

use tokio::io::{AsyncRead, AsyncReadExt};

use super::{
    frame::{self, SeenFrame},
    tally::AttackEnd,
};

/// The most that is held of what was not understood yet. A server's frames are smaller.
const HELD_MAX: usize = 1 << 20;
/// Bytes that are read at once.
const READ: usize = 4096;

/// The answers on one connection.
pub struct Answers<R> {
    reader: R,
    held: Vec<u8>,
}

impl<R: AsyncRead + Unpin> Answers<R> {
    /// Nothing was read yet.
    pub fn new(reader: R) -> Self {
        Self { reader, held: Vec::new() }
    }

    /// Reads the head of an answer of HTTP, and returns its status.
    pub async fn status(&mut self) -> Result<u16, AttackEnd> {
        const END: &[u8] = b"\r\n\r\n";
        let end = loop {
            if let Some(at) = self.held.windows(END.len()).position(|part| part == END) {
                break at + END.len();
            }
            self.read().await?;
        };
        let status =
            std::str::from_utf8(self.held.get(9..12).unwrap_or_default()).ok().and_then(|text| text.parse().ok());
        self.held.drain(..end);
        status.ok_or(AttackEnd::Garbled)
    }

    /// Reads the next frame.
    pub async fn frame(&mut self) -> Result<SeenFrame, AttackEnd> {
        loop {
            match frame::take(&mut self.held) {
                Ok(Some(seen)) => return Ok(seen),
                Ok(None) => self.read().await?,
                Err(()) => return Err(AttackEnd::Garbled),
            }
        }
    }

    /// Reads frames to the end of the connection, tells each to `seen`, and returns how it ended.
    pub async fn frames(&mut self, mut seen: impl FnMut(&'static str)) -> AttackEnd {
        loop {
            match self.frame().await {
                Ok(SeenFrame::Close(code)) => return AttackEnd::Close(code),
                Ok(SeenFrame::Open(what)) => seen(what),
                Err(end) => return end,
            }
        }
    }

    async fn read(&mut self) -> Result<(), AttackEnd> {
        if self.held.len() > HELD_MAX {
            return Err(AttackEnd::Garbled);
        }
        self.held.reserve(READ);
        match self.reader.read_buf(&mut self.held).await {
            Ok(0) => Err(AttackEnd::Closed),
            Ok(_) => Ok(()),
            Err(_) => Err(AttackEnd::Reset),
        }
    }
}
