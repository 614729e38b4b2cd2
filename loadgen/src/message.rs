//! The content of a message: a header of 40 bytes that identifies the run and the message and says when it was due,
//! with a checksum over header and padding. The message is text, so that any server that transports text transports
//! it unchanged: `M1`, the header in hex, and padding up to the configured size.
//!
//! Header, little endian: run u32, publisher u32, seq u64, due u64, sent u64, crc32c u32, flags u32. The times are
//! readings of the kernel's monotonic clock, in nanoseconds.

use data_encoding::HEXLOWER;

/// The first two letters of each message. A text that begins otherwise is not from a load generator.
const MARK: &str = "M1";
/// The size of the header, in bytes.
const HEADER: usize = 40;
/// The position of the checksum in the header.
const CRC: std::ops::Range<usize> = 32..36;
/// The number of letters before the padding.
const HEAD: usize = MARK.len() + 2 * HEADER;

/// The position of the flags among the letters.
const FLAGS: std::ops::Range<usize> = HEAD - 8..HEAD;

/// The flag of a message that targets one terminal.
pub const TARGETED: u32 = 1;

/// The header of a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Header {
    /// The run's random id. Several runs may use one cluster at the same time.
    pub run: u32,
    /// The index of the generator that sent the message.
    pub publisher: u32,
    /// The index of the message in the plan.
    pub seq: u64,
    /// When the message was due.
    pub due: u64,
    /// When the message was sent.
    pub sent: u64,
    /// [`TARGETED`] for a message to one terminal, else 0.
    pub flags: u32,
}

/// The result of decoding a text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Decoded {
    /// A message with a correct checksum.
    Whole(Header),
    /// A message that was changed on its way.
    Corrupt,
    /// A text that is not a message of a load generator.
    Foreign,
}

/// Encodes a message as text, padded to `bytes`. The text has at least the 82 bytes of the header.
pub fn encode(header: &Header, bytes: usize) -> String {
    let pad = padding(header.seq, bytes.saturating_sub(HEAD));
    let mut raw = layout(header);
    let crc = crc32c::crc32c_append(crc32c::crc32c(&raw), pad.as_bytes());
    raw[CRC].copy_from_slice(&crc.to_le_bytes());
    format!("{MARK}{}{pad}", HEXLOWER.encode(&raw))
}

/// Decodes a text and checks its checksum.
pub fn decode(text: &str) -> Decoded {
    let Some(hex) = text.strip_prefix(MARK) else { return without_mark(text) };
    let mut raw = [0; HEADER];
    let Some((head, pad)) = hex.as_bytes().split_at_checked(2 * HEADER) else { return Decoded::Corrupt };
    if HEXLOWER.decode_mut(head, &mut raw).is_err() {
        return Decoded::Corrupt;
    }
    let crc = u32::from_le_bytes(raw[CRC].try_into().expect("four bytes"));
    raw[CRC].fill(0);
    if crc32c::crc32c_append(crc32c::crc32c(&raw), pad) != crc {
        return Decoded::Corrupt;
    }
    Decoded::Whole(parse(&raw))
}

/// Whether a text of a load generator targets one terminal. Reads only that field: the text may be changed in others.
pub fn is_targeted(text: &str) -> bool {
    text.starts_with(MARK) && text.as_bytes().get(FLAGS) == Some(b"01000000")
}

/// A text without the mark is foreign, unless all that follows is a message: then the mark itself was changed.
fn without_mark(text: &str) -> Decoded {
    match text.get(MARK.len()..).map(|rest| decode(&format!("{MARK}{rest}"))) {
        Some(Decoded::Whole(_)) => Decoded::Corrupt,
        _ => Decoded::Foreign,
    }
}

/// Lays out the header with a checksum of zero, over which the checksum is computed.
fn layout(header: &Header) -> [u8; HEADER] {
    let mut raw = [0; HEADER];
    raw[0..4].copy_from_slice(&header.run.to_le_bytes());
    raw[4..8].copy_from_slice(&header.publisher.to_le_bytes());
    raw[8..16].copy_from_slice(&header.seq.to_le_bytes());
    raw[16..24].copy_from_slice(&header.due.to_le_bytes());
    raw[24..32].copy_from_slice(&header.sent.to_le_bytes());
    raw[36..40].copy_from_slice(&header.flags.to_le_bytes());
    raw
}

fn parse(raw: &[u8; HEADER]) -> Header {
    let word = |at: usize| u32::from_le_bytes(raw[at..at + 4].try_into().expect("four bytes"));
    let long = |at: usize| u64::from_le_bytes(raw[at..at + 8].try_into().expect("eight bytes"));
    Header { run: word(0), publisher: word(4), seq: long(8), due: long(16), sent: long(24), flags: word(36) }
}

/// Returns the padding, which differs from message to message, so that a text made of halves of two messages is
/// detected.
fn padding(seq: u64, bytes: usize) -> String {
    (0..bytes as u64).map(|n| char::from(b'a' + ((seq + n) % 26) as u8)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const HEADER: Header = Header { run: 7, publisher: 1, seq: 1 << 40, due: 3, sent: 4, flags: TARGETED };

    #[test]
    fn a_decoded_message_equals_the_encoded_one_and_has_the_configured_size() {
        for bytes in [0, 82, 500] {
            let text = encode(&HEADER, bytes);
            assert_eq!((text.len(), decode(&text)), (bytes.max(82), Decoded::Whole(HEADER)));
            assert!(is_targeted(&text) && !is_targeted(&encode(&Header { flags: 0, ..HEADER }, bytes)));
        }
    }

    #[test]
    fn every_changed_letter_is_detected() {
        let text = encode(&HEADER, 100);
        for at in 0..text.len() {
            let mut bytes = text.clone().into_bytes();
            bytes[at] ^= 1;
            assert_eq!(decode(std::str::from_utf8(&bytes).unwrap()), Decoded::Corrupt, "letter {at}");
        }
        assert_eq!(decode(&text[..text.len() - 1]), Decoded::Corrupt);
        assert_eq!(decode("hello"), Decoded::Foreign);
    }
}
