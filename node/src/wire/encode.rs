//! Encodes frames from a node. The frames are never masked and never fragmented.

use std::sync::LazyLock;

use bytes::Bytes;
use tungstenite::protocol::{
    CloseFrame,
    frame::{
        Frame,
        coding::{Data, OpCode},
    },
};

/// The longest reason of a close frame, in bytes: the payload is 125 bytes at most, two of them the code.
const REASON_MAX: usize = 123;

/// Returns a text frame.
pub fn text(payload: &str) -> Bytes {
    encode(Frame::message(payload.as_bytes().to_vec(), OpCode::Data(Data::Text), true))
}

/// Returns a binary frame.
pub fn binary(payload: &[u8]) -> Bytes {
    encode(Frame::message(payload.to_vec(), OpCode::Data(Data::Binary), true))
}

/// Returns a ping frame. A ping has no payload, so all pings are the same bytes. A payload is not needed: at most one
/// ping is unanswered, so the node knows which ping a pong answers.
pub fn ping() -> Bytes {
    static PING: LazyLock<Bytes> = LazyLock::new(|| encode(Frame::ping(Bytes::new())));
    PING.clone()
}

/// Returns a pong frame with the payload of the terminal's ping.
pub fn pong(payload: Bytes) -> Bytes {
    encode(Frame::pong(payload))
}

/// Returns a close frame. A reason that is too long is cut.
pub fn close(code: u16, reason: &str) -> Bytes {
    let reason = &reason[..reason.floor_char_boundary(REASON_MAX)];
    encode(Frame::close(Some(CloseFrame { code: code.into(), reason: reason.into() })))
}

fn encode(frame: Frame) -> Bytes {
    let mut bytes = Vec::with_capacity(frame.len());
    frame.format(&mut bytes).expect("a vector takes every write");
    bytes.into()
}
