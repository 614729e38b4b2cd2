//! Decodes bytes from a terminal into messages. Between two reads nothing is stored for a connection, unless the first
//! read stopped in the middle of a frame or of a fragmented message. Only then the connection owns a [`Partial`].

use std::io::Cursor;

use bytes::Bytes;
use tungstenite::protocol::frame::{
    FrameHeader,
    coding::{Control, OpCode},
};

use super::{
    fragments::{self, Fragments},
    message::{Message, ReceivedClose, WireError},
};

/// What a connection keeps between two reads: the start of a frame, and the fragments of a message so far.
#[derive(Debug, Default)]
pub struct Partial {
    bytes: Vec<u8>,
    fragments: Option<Fragments>,
}

#[cfg(any(test, fuzzing))]
impl Partial {
    /// Returns how many bytes are kept.
    pub fn size(&self) -> usize {
        self.bytes.len() + self.fragments.as_ref().map_or(0, Fragments::len)
    }
}

/// The decoder of a shard. It holds limits, and no state of any connection.
#[derive(Debug, Clone, Copy)]
pub struct Decoder {
    /// The largest message in bytes, all fragments together.
    pub max_message: usize,
}

impl Decoder {
    /// Decodes the bytes that were just read, and appends the messages that they complete. `partial` is what the call
    /// before left for the next. Returns the number of whole frames, of every kind. After an error the connection can
    /// only be closed.
    pub fn decode(
        self,
        read: &mut [u8],
        partial: &mut Option<Box<Partial>>,
        messages: &mut Vec<Message>,
    ) -> Result<usize, WireError> {
        let Partial { bytes: mut held, mut fragments } = partial.take().map(|boxed| *boxed).unwrap_or_default();
        let (rest, count) = if held.is_empty() {
            let (used, count) = self.frames(read, &mut fragments, messages)?;
            (read[used..].to_vec(), count)
        } else {
            held.extend_from_slice(read);
            let (used, count) = self.frames(&mut held, &mut fragments, messages)?;
            held.drain(..used);
            (held, count)
        };
        if !rest.is_empty() || fragments.is_some() {
            *partial = Some(Box::new(Partial { bytes: rest, fragments }));
        }
        Ok(count)
    }

    /// Reads every whole frame of `input`. Returns the number of bytes that the frames took, and the number of frames.
    fn frames(
        self,
        input: &mut [u8],
        fragments: &mut Option<Fragments>,
        messages: &mut Vec<Message>,
    ) -> Result<(usize, usize), WireError> {
        let (mut used, mut count) = (0, 0);
        while let Some(length) = self.frame(&mut input[used..], fragments, messages)? {
            used += length;
            count += 1;
        }
        Ok((used, count))
    }

    /// Reads one frame from the start of `input`. Returns the frame's length in bytes; none if the frame is not
    /// complete.
    fn frame(
        self,
        input: &mut [u8],
        fragments: &mut Option<Fragments>,
        messages: &mut Vec<Message>,
    ) -> Result<Option<usize>, WireError> {
        let mut cursor = Cursor::new(&*input);
        let parsed = FrameHeader::parse(&mut cursor).map_err(|_| WireError::Protocol("a frame has a bad header"))?;
        let Some((header, length)) = parsed else { return Ok(None) };
        let head = cursor.position() as usize;
        let held = fragments.as_ref().map_or(0, Fragments::len);
        self.check(&header, length, held)?;
        let end = head + length as usize;
        if input.len() < end {
            return Ok(None);
        }
        let payload = &mut input[head..end];
        unmask(payload, header.mask.unwrap_or_default());
        match header.opcode {
            OpCode::Control(control) => messages.push(control_message(control, payload)?),
            OpCode::Data(data) => {
                messages.extend(fragments::assemble(data, header.is_final, payload, fragments, self.max_message)?)
            }
        }
        Ok(Some(end))
    }

    /// Checks the header alone, before a byte of the payload is stored.
    fn check(self, header: &FrameHeader, length: u64, held: usize) -> Result<(), WireError> {
        if header.rsv1 || header.rsv2 || header.rsv3 {
            return Err(WireError::Protocol("a frame has reserved bits set"));
        }
        if header.mask.is_none() {
            return Err(WireError::Protocol("a frame from a client must be masked"));
        }
        if let OpCode::Control(_) = header.opcode
            && (length > 125 || !header.is_final)
        {
            return Err(WireError::Protocol("a control frame is at most 125 bytes and never fragmented"));
        }
        // A control frame between two fragments does not belong to their message.
        if let OpCode::Data(_) = header.opcode
            && length > (self.max_message - held.min(self.max_message)) as u64
        {
            return Err(WireError::TooBig);
        }
        Ok(())
    }
}

fn unmask(payload: &mut [u8], mask: [u8; 4]) {
    for (byte, key) in payload.iter_mut().zip(mask.into_iter().cycle()) {
        *byte ^= key;
    }
}

fn control_message(control: Control, payload: &[u8]) -> Result<Message, WireError> {
    match control {
        Control::Ping => Ok(Message::Ping(Bytes::copy_from_slice(payload))),
        Control::Pong => Ok(Message::Pong),
        Control::Close => received_close(payload).map(Message::Close),
        Control::Reserved(_) => Err(WireError::Protocol("a control frame of a reserved kind")),
    }
}

fn received_close(payload: &[u8]) -> Result<Option<ReceivedClose>, WireError> {
    let [high, low, reason @ ..] = payload else {
        return if payload.is_empty() { Ok(None) } else { Err(WireError::Protocol("a close code is two bytes")) };
    };
    let code = u16::from_be_bytes([*high, *low]);
    if !matches!(code, 1000..=1003 | 1007..=1014 | 3000..=4999) {
        return Err(WireError::Protocol("a close code that may not be sent"));
    }
    let reason = str::from_utf8(reason).map_err(|_| WireError::NotUtf8)?;
    Ok(Some(ReceivedClose { code, reason: reason.into() }))
}

#[cfg(test)]
mod tests {
    use super::*;

    const DECODER: Decoder = Decoder { max_message: 64 };

    /// Returns a frame as a client sends it.
    fn frame(first: u8, payload: &[u8]) -> Vec<u8> {
        let mask = [1, 2, 3, 4];
        let mut bytes = vec![first, 0x80 | payload.len() as u8];
        bytes.extend(mask);
        bytes.extend(payload.iter().zip(mask.into_iter().cycle()).map(|(byte, key)| byte ^ key));
        bytes
    }

    fn decode_in_steps(bytes: &[u8], step: usize) -> Result<(Vec<Message>, bool), WireError> {
        let (mut partial, mut messages) = (None, Vec::new());
        for chunk in bytes.to_vec().chunks_mut(step) {
            DECODER.decode(chunk, &mut partial, &mut messages)?;
        }
        Ok((messages, partial.is_some()))
    }

    #[test]
    fn however_the_bytes_arrive_the_messages_are_the_same_and_nothing_is_kept() {
        let fragmented = [frame(0x01, b"he"), frame(0x89, b"!"), frame(0x80, b"llo")].concat();
        let bytes =
            [frame(0x81, b"one"), fragmented, frame(0x82, &[0, 255]), frame(0x8a, b""), frame(0x88, b"\x03\xe8bye")]
                .concat();
        for step in 1..=bytes.len() {
            let (messages, has_partial) = decode_in_steps(&bytes, step).unwrap();
            assert_eq!(
                messages,
                [
                    Message::Text("one".into()),
                    Message::Ping(Bytes::from_static(b"!")),
                    Message::Text("hello".into()),
                    Message::Binary(vec![0, 255]),
                    Message::Pong,
                    Message::Close(Some(ReceivedClose { code: 1000, reason: "bye".into() })),
                ],
                "in steps of {step}"
            );
            assert!(!has_partial);
        }
    }

    #[test]
    fn what_breaks_the_protocol_is_refused_with_its_code() {
        let mut unmasked = frame(0x81, b"x");
        unmasked[1] &= 0x7f;
        let huge = [0x82, 0xff, 0x7f, 255, 255, 255, 255, 255, 255, 255, 0, 0, 0, 0].to_vec();
        for (bytes, code) in [
            (unmasked, 1002),
            (frame(0xc1, b"x"), 1002),
            (frame(0x80, b"x"), 1002),
            (frame(0x09, b"x"), 1002),
            (frame(0x83, b"x"), 1002),
            ([frame(0x01, b"a"), frame(0x81, b"b")].concat(), 1002),
            (frame(0x88, &[3]), 1002),
            (frame(0x88, &[3, 237]), 1002),
            (frame(0x81, &[0xff]), 1007),
            (frame(0x81, &[b'x'; 65]), 1009),
            ([frame(0x01, &[b'x'; 40]), frame(0x80, &[b'x'; 40])].concat(), 1009),
            (huge, 1009),
        ] {
            assert_eq!(decode_in_steps(&bytes, bytes.len()).unwrap_err().code(), code, "{bytes:?}");
        }
    }

    #[test]
    fn a_fragmented_character_is_whole_again() {
        let euro = "€".as_bytes();
        let bytes = [frame(0x01, &euro[..1]), frame(0x80, &euro[1..])].concat();
        assert_eq!(decode_in_steps(&bytes, 3).unwrap().0, [Message::Text("€".into())]);
    }

    #[test]
    fn a_ping_between_fragments_is_no_part_of_their_message() {
        let bytes = [frame(0x01, &[b'x'; 64]), frame(0x89, b"!"), frame(0x80, b"")].concat();
        let messages = [Message::Ping(Bytes::from_static(b"!")), Message::Text("x".repeat(64))];
        assert_eq!(decode_in_steps(&bytes, 7).unwrap().0, messages);
    }

    #[test]
    fn a_text_that_is_no_utf8_ends_with_the_fragment_that_spoils_it() {
        let euro = "€".as_bytes();
        let cut = [frame(0x01, &euro[..1]), frame(0x00, &euro[1..2])].concat();
        assert_eq!(decode_in_steps(&cut, 3), Ok((Vec::new(), true)));
        for spoilt in [&b"x"[..], &[0xff], &euro[..2]] {
            let bytes = [&cut[..], &frame(0x00, spoilt)].concat();
            assert_eq!(decode_in_steps(&bytes, 3), Err(WireError::NotUtf8), "{spoilt:?}");
        }
        let binary = [frame(0x02, &[0xff]), frame(0x00, &[0xff])].concat();
        assert_eq!(decode_in_steps(&binary, 3), Ok((Vec::new(), true)));
    }

    #[test]
    fn a_message_has_a_bounded_number_of_fragments() {
        // 1024 fragments, and one more because a message may have 64 bytes.
        let up_to = |count: usize| [frame(0x01, b""), frame(0x00, b"").repeat(count - 2), frame(0x80, b"")].concat();
        assert_eq!(decode_in_steps(&up_to(1025), 1000).unwrap().0, [Message::Text(String::new())]);
        assert_eq!(decode_in_steps(&up_to(1026), 1000).unwrap_err().code(), 1002);
        let endless = [frame(0x01, b""), frame(0x00, b"").repeat(1025)].concat();
        assert_eq!(decode_in_steps(&endless, 1000).unwrap_err().code(), 1002);
    }

    #[test]
    fn frames_of_every_kind_are_counted() {
        let mut bytes = [frame(0x01, b"he"), frame(0x89, b"!"), frame(0x80, b"llo"), frame(0x8a, b"")].concat();
        bytes.extend(&frame(0x81, b"half")[..5]);
        assert_eq!(DECODER.decode(&mut bytes, &mut None, &mut Vec::new()), Ok(4));
    }
}
