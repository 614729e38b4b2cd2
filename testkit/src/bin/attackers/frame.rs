//! Frames as attackers send and see them.

use std::io::Cursor;

use tungstenite::protocol::frame::{
    FrameHeader,
    coding::{Control, OpCode},
};

/// A frame of a client. Its mask is zero, which leaves the payload as it is.
pub fn client_frame(opcode: OpCode, is_final: bool, payload: &[u8]) -> Vec<u8> {
    let header = FrameHeader { is_final, opcode, mask: Some([0; 4]), ..FrameHeader::default() };
    let mut bytes = Vec::new();
    header.format(payload.len() as u64, &mut bytes).expect("a vector takes every write");
    bytes.extend_from_slice(payload);
    bytes
}

/// What an attacker sees of a frame that came.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SeenFrame {
    /// A close frame with this code, 1005 if it has none.
    Close(u16),
    /// Any other: `ping`, `pong`, `welcome`, `error` or `other`.
    Open(&'static str),
}

/// Takes a whole frame from the beginning of `bytes`. None if there is none yet; an error if it can't be read.
pub fn take(bytes: &mut Vec<u8>) -> Result<Option<SeenFrame>, ()> {
    let mut cursor = Cursor::new(&bytes[..]);
    let Some((header, length)) = FrameHeader::parse(&mut cursor).map_err(drop)? else { return Ok(None) };
    let head = cursor.position() as usize;
    let end = head.saturating_add(usize::try_from(length).map_err(drop)?);
    let Some(payload) = bytes.get(head..end) else { return Ok(None) };
    let seen = match header.opcode {
        OpCode::Control(Control::Close) => {
            SeenFrame::Close(payload.first_chunk().map_or(1005, |code| u16::from_be_bytes(*code)))
        }
        OpCode::Control(Control::Ping) => SeenFrame::Open("ping"),
        OpCode::Control(Control::Pong) => SeenFrame::Open("pong"),
        _ => SeenFrame::Open(kind_of(payload)),
    };
    bytes.drain(..end);
    Ok(Some(seen))
}

fn kind_of(text: &[u8]) -> &'static str {
    let has = |kind: &[u8]| text.windows(kind.len()).take(64).any(|part| part == kind);
    if has(br#""type":"error""#) {
        "error"
    } else if has(br#""type":"welcome""#) {
        "welcome"
    } else {
        "other"
    }
}

#[cfg(test)]
mod tests {
    use tungstenite::protocol::frame::coding::Data;

    use super::*;

    #[test]
    fn frames_are_taken_one_by_one_when_they_are_whole() {
        let text = client_frame(OpCode::Data(Data::Text), true, br#"{"type":"error","code":"bad_frame"}"#);
        let close = client_frame(OpCode::Control(Control::Close), true, &4500_u16.to_be_bytes());
        let mut bytes = [text, close].concat();
        let last = bytes.pop().unwrap();
        assert_eq!(take(&mut bytes), Ok(Some(SeenFrame::Open("error"))));
        assert_eq!(take(&mut bytes), Ok(None));
        bytes.push(last);
        assert_eq!(take(&mut bytes), Ok(Some(SeenFrame::Close(4500))));
        assert!(bytes.is_empty());
    }
}
