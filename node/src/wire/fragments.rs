//! Joins the fragments of a message.

use tungstenite::protocol::frame::coding::Data;

use super::message::{Message, WireError};

/// A message may have this many fragments, and one more for each [`FRAGMENT_BYTES`] of the largest message. Without
/// this bound a message of empty fragments could go on without end, because it never reaches the largest size.
const FRAGMENTS: usize = 1024;
/// The size in bytes of the fragments in which a message of the largest size may always come.
const FRAGMENT_BYTES: usize = 64;

/// The fragments of a message that has not ended.
#[derive(Debug)]
pub struct Fragments {
    kind: Data,
    bytes: Vec<u8>,
    /// How many bytes from the start of a text are UTF-8.
    checked: usize,
    count: usize,
}

impl Fragments {
    /// Returns how many bytes the fragments have together.
    pub fn len(&self) -> usize {
        self.bytes.len()
    }

    /// Checks what the last fragment added to a text. Fails at the first fragment after which the text can't become
    /// UTF-8 any more. A character may be cut between two fragments.
    fn check(&mut self) -> Result<(), WireError> {
        if self.kind != Data::Text {
            return Ok(());
        }
        match str::from_utf8(&self.bytes[self.checked..]) {
            Ok(rest) => self.checked += rest.len(),
            Err(error) if error.error_len().is_none() => self.checked += error.valid_up_to(),
            Err(_) => return Err(WireError::NotUtf8),
        }
        Ok(())
    }

    fn into_message(self) -> Result<Message, WireError> {
        match self.kind {
            Data::Text => String::from_utf8(self.bytes).map(Message::Text).map_err(|_| WireError::NotUtf8),
            _ => Ok(Message::Binary(self.bytes)),
        }
    }
}

/// Adds a data frame to the fragments before it. Returns the message if the frame was its last. Fails if the frame must
/// not come here, if there are too many fragments, or if a text is not UTF-8.
pub fn assemble(
    data: Data,
    is_final: bool,
    payload: &[u8],
    fragments: &mut Option<Fragments>,
    max_message: usize,
) -> Result<Option<Message>, WireError> {
    let mut message = match (data, fragments.take()) {
        (Data::Continue, None) => return Err(WireError::Protocol("a continuation of nothing")),
        (Data::Continue, Some(message)) => message,
        (_, Some(_)) => return Err(WireError::Protocol("a new message inside a fragmented one")),
        (Data::Reserved(_), None) => return Err(WireError::Protocol("a data frame of a reserved kind")),
        (kind, None) => Fragments { kind, bytes: Vec::new(), checked: 0, count: 0 },
    };
    message.bytes.extend_from_slice(payload);
    message.count += 1;
    if message.count > FRAGMENTS + max_message / FRAGMENT_BYTES {
        return Err(WireError::Protocol("a message in too many fragments"));
    }
    if is_final {
        return message.into_message().map(Some);
    }
    message.check()?;
    *fragments = Some(message);
    Ok(None)
}
