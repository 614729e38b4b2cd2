//! The JSON frames of `muster.v1`, from both sides.

use std::fmt::Debug;

use muster_protocol::frame::{FrameError, FromNode, FromTerminal};

/// A written frame is at most so many bytes longer than the text that was read: by fields that were missing, and by times in another form.
const LONGER: usize = 256;

/// A text message of a terminal.
pub fn from_terminal(bytes: &[u8]) {
    match reread(bytes, FromTerminal::decode) {
        // The last bit of a number may change when the number is read, and a number may be written at length.
        Some((FromTerminal::Health(read), FromTerminal::Health(again), _)) => {
            assert_eq!(read.condition, again.condition);
            assert!(read.metrics.keys().eq(again.metrics.keys()), "{read:?} {again:?}");
        }
        Some(frames) => check(frames, bytes.len()),
        None => {}
    }
}

/// A text message of a node.
pub fn from_node(bytes: &[u8]) {
    if let Some(frames) = reread(bytes, FromNode::decode) {
        check(frames, bytes.len());
    }
}

/// The frame in the bytes, the same frame written and read again, and the length of what was written. None if the bytes are no frame.
fn reread<F: ToString>(bytes: &[u8], decode: fn(&str) -> Result<F, FrameError>) -> Option<(F, F, usize)> {
    let read = decode(str::from_utf8(bytes).ok()?).ok()?;
    let written = read.to_string();
    let again = decode(&written).expect("a frame that was written is a frame");
    Some((read, again, written.len()))
}

fn check<F: Debug + PartialEq>((read, again, written): (F, F, usize), given: usize) {
    assert_eq!(read, again);
    assert!(written <= given + LONGER, "{written} bytes of {given}: {read:?}");
}
