//! WebSocket frames as a terminal reads and writes them.

use std::io::Cursor;

use tungstenite::protocol::frame::{
    FrameHeader,
    coding::{Data, OpCode},
};

/// What was read from a connection and is no whole frame yet.
#[derive(Default)]
pub struct FrameReader {
    rest: Vec<u8>,
}

impl FrameReader {
    /// Takes what was read, and calls `each` with the payload of each text or binary frame that is whole.
    pub fn take(&mut self, read: &[u8], mut each: impl FnMut(&[u8])) {
        self.rest.extend_from_slice(read);
        let mut begin = 0;
        while let Some((is_data, payload, end)) = first_frame(&self.rest[begin..]) {
            if is_data {
                each(&self.rest[begin + payload..begin + end]);
            }
            begin += end;
        }
        self.rest.drain(..begin);
    }
}

/// Whether the first frame has data, where its payload begins, and where it ends. `None` if it is not whole.
fn first_frame(bytes: &[u8]) -> Option<(bool, usize, usize)> {
    let mut cursor = Cursor::new(bytes);
    let (head, length) = FrameHeader::parse(&mut cursor).expect("a server sends valid frames")?;
    let payload = cursor.position() as usize;
    let end = payload + length as usize;
    let is_data = matches!(head.opcode, OpCode::Data(Data::Text | Data::Binary));
    (end <= bytes.len()).then_some((is_data, payload, end))
}

/// A text frame of a terminal. Its mask is zero, which changes no byte.
pub fn client_frame(text: &str) -> Vec<u8> {
    let head = FrameHeader { opcode: OpCode::Data(Data::Text), mask: Some([0; 4]), ..FrameHeader::default() };
    let mut frame = Vec::new();
    head.format(text.len() as u64, &mut frame).expect("a vector takes every byte");
    frame.extend_from_slice(text.as_bytes());
    frame
}
