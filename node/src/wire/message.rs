//! What the decoder makes of bytes: a message, or an error.

use bytes::Bytes;
use muster_protocol::CloseCode;

/// A whole message from a terminal.
#[derive(Debug, PartialEq, Eq)]
pub enum Message {
    /// A text message.
    Text(String),
    /// A binary message.
    Binary(Vec<u8>),
    /// A ping, which must be answered with the same payload.
    Ping(Bytes),
    /// A pong.
    Pong,
    /// A close, and what its payload says; none if the payload is empty.
    Close(Option<ReceivedClose>),
}

/// What a close frame of a terminal says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReceivedClose {
    /// The code. Only codes that RFC 6455, 7.4 allows in a frame get here.
    pub code: u16,
    /// The reason, of 123 bytes at most.
    pub reason: Box<str>,
}

/// Why bytes are no valid message: they break the WebSocket protocol or a limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum WireError {
    /// A frame that a client must not send.
    #[error("{0}")]
    Protocol(&'static str),
    /// A text message that is not UTF-8.
    #[error("a text message is not UTF-8")]
    NotUtf8,
    /// A message over `--max-message`.
    #[error("a message is larger than this node takes (--max-message)")]
    TooBig,
}

impl WireError {
    /// Returns the close code for this error.
    pub fn code(self) -> u16 {
        match self {
            Self::Protocol(_) => 1002,
            Self::NotUtf8 => 1007,
            Self::TooBig => CloseCode::TooBig.number(),
        }
    }
}
