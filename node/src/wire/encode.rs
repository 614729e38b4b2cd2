//! Frames from a node: never masked, never fragmented.

use std::sync::LazyLock;

use bytes::Bytes;
use tungstenite::protocol::{
    CloseFrame,
    frame::{
        Frame,
        coding::{Data, OpCode},
    },
};

/// The close frame's payload is 125 bytes at most, two of them the code.
const REASON_MAX: usize = 123;

/// A text message.
pub fn text(payload: &str) -> Bytes {
    encode(Frame::message(payload.as_bytes().to_vec(), OpCode::Data(Data::Text), true))
}

/// A ping. It carries nothing, so that all are the same bytes: which one a pong answers is known by there being only one.
pub fn ping() -> Bytes {
    static PING: LazyLock<Bytes> = LazyLock::new(|| encode(Frame::ping(Bytes::new())));
    PING.clone()
}

/// The answer to a terminal's ping.
pub fn pong(payload: Bytes) -> Bytes {
    encode(Frame::pong(payload))
}

/// A close; a reason that is too long is cut.
pub fn close(code: u16, reason: &str) -> Bytes {
    let reason = &reason[..reason.floor_char_boundary(REASON_MAX)];
    encode(Frame::close(Some(CloseFrame { code: code.into(), reason: reason.into() })))
}

fn encode(frame: Frame) -> Bytes {
    let mut bytes = Vec::with_capacity(frame.len());
    frame.format(&mut bytes).expect("a vector takes every write");
    bytes.into()
}
