//! What bytes from a terminal come to: a message, or what is wrong with them.

use bytes::Bytes;
use muster_protocol::CloseCode;

/// What a terminal sent, whole.
#[derive(Debug, PartialEq, Eq)]
pub enum Message {
    /// A text message.
    Text(String),
    /// A binary message.
    Binary(Vec<u8>),
    /// To be answered with the same payload.
    Ping(Bytes),
    /// The answer to our ping.
    Pong,
    /// The terminal leaves, with its code if it gave one.
    Close(Option<u16>),
}

/// What breaks the WebSocket protocol or a limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum WireError {
    /// Not a frame that a client may send.
    #[error("{0}")]
    Protocol(&'static str),
    /// A text message that is not UTF-8.
    #[error("a text message is not UTF-8")]
    NotUtf8,
    /// A message over the limit.
    #[error("a message is larger than this node takes (--max-message)")]
    TooBig,
}

impl WireError {
    /// The close code that tells the terminal.
    pub fn code(self) -> u16 {
        match self {
            Self::Protocol(_) => 1002,
            Self::NotUtf8 => 1007,
            Self::TooBig => CloseCode::TooBig.number(),
        }
    }
}
