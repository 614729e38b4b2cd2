//! WebSocket frames.

use crate::wire::{self, Decoder, Message, WireError};

/// The largest message, in bytes. It is small, so that fuzzing reaches it.
const MAX: usize = 300;
/// The longest head of a frame, and a whole control frame, in bytes.
const FRAME: usize = 14 + 125;

/// What a terminal sends. The first byte says in pieces of how many bytes the rest arrives. However it arrives, the messages are the same.
pub fn websocket(bytes: &[u8]) {
    let Some((size, bytes)) = bytes.split_first() else { return };
    let at_once = decoded(bytes, bytes.len().max(1));
    assert_eq!(decoded(bytes, usize::from(*size).max(1)), at_once);
    for message in at_once.0 {
        check(message);
    }
}

/// The messages of these bytes, which arrive in pieces, and what ended them.
fn decoded(bytes: &[u8], size: usize) -> (Vec<Message>, Option<WireError>) {
    let (mut partial, mut messages) = (None, Vec::new());
    for piece in bytes.to_vec().chunks_mut(size) {
        if let Err(error) = (Decoder { max_message: MAX }).decode(piece, &mut partial, &mut messages) {
            return (messages, Some(error));
        }
        let held = partial.as_ref().map_or(0, |partial| partial.size());
        assert!(held <= MAX + FRAME, "{held} bytes are held");
    }
    (messages, None)
}

/// Checks the size of a message, and that the node writes it as it was.
fn check(message: Message) {
    let frame = match &message {
        Message::Text(text) => wire::text(text),
        Message::Binary(bytes) => wire::binary(bytes),
        Message::Ping(payload) => return assert!(wire::pong(payload.clone()).len() <= FRAME),
        Message::Close(Some(close)) => return assert!(wire::close(close.code, &close.reason).len() <= FRAME),
        _ => return,
    };
    assert!(frame.len() <= MAX + FRAME);
    assert_eq!(decoded(&as_sent(&frame), frame.len()), (vec![message], None));
}

/// A frame of a node as a terminal would send it, with a mask that changes nothing.
fn as_sent(frame: &[u8]) -> Vec<u8> {
    let head = match frame[1] {
        126 => 4,
        127 => 10,
        _ => 2,
    };
    let mut masked = [&frame[..head], &[0; 4], &frame[head..]].concat();
    masked[1] |= 0x80;
    masked
}
