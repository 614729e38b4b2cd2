//! What a message carries: 40 bytes that tell whose it is, which, and when it was due, under a checksum of the whole. As text, so
//! that it survives any server that moves text: `M1`, the header in hex, and padding up to the size that was asked for.
//!
//! Header, little endian: run u32, publisher u32, seq u64, due u64, sent u64, crc32c u32, flags u32. Times are the kernel's clock.

use data_encoding::HEXLOWER;

/// Begins every message; another first two letters make it somebody else's.
const MARK: &str = "M1";
/// Bytes of a header.
const HEADER: usize = 40;
/// Where its checksum stands.
const CRC: std::ops::Range<usize> = 32..36;
/// Letters before the padding.
const HEAD: usize = MARK.len() + 2 * HEADER;

/// Set in `flags` of a message for one terminal.
pub const TARGETED: u32 = 1;

/// What a message says of itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Header {
    /// The run; others may use the same cluster.
    pub run: u32,
    /// Which generator sent it.
    pub publisher: u32,
    /// Its place in the plan.
    pub seq: u64,
    /// When it was due.
    pub due: u64,
    /// When it was sent.
    pub sent: u64,
    /// [`TARGETED`] or 0.
    pub flags: u32,
}

/// What a text turned out to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reading {
    /// A message that arrived as it left.
    Whole(Header),
    /// A message that did not.
    Corrupt,
    /// No message of a load generator.
    Foreign,
}

/// The text of a message, padded to this many bytes, or as short as it can be.
pub fn encode(header: &Header, bytes: usize) -> String {
    let pad = padding(header.seq, bytes.saturating_sub(HEAD));
    let mut raw = layout(header);
    let crc = crc32c::crc32c_append(crc32c::crc32c(&raw), pad.as_bytes());
    raw[CRC].copy_from_slice(&crc.to_le_bytes());
    format!("{MARK}{}{pad}", HEXLOWER.encode(&raw))
}

/// Reads a text.
pub fn decode(text: &str) -> Reading {
    let Some(hex) = text.strip_prefix(MARK) else { return Reading::Foreign };
    let mut raw = [0; HEADER];
    let Some((head, pad)) = hex.as_bytes().split_at_checked(2 * HEADER) else { return Reading::Corrupt };
    if HEXLOWER.decode_mut(head, &mut raw).is_err() {
        return Reading::Corrupt;
    }
    let crc = u32::from_le_bytes(raw[CRC].try_into().expect("four bytes"));
    raw[CRC].fill(0);
    if crc32c::crc32c_append(crc32c::crc32c(&raw), pad) != crc {
        return Reading::Corrupt;
    }
    Reading::Whole(parse(&raw))
}

/// With a checksum of zero.
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

/// Differs from message to message, so that halves of two are not taken for one.
fn padding(seq: u64, bytes: usize) -> String {
    (0..bytes as u64).map(|n| char::from(b'a' + ((seq + n) % 26) as u8)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const HEADER: Header = Header { run: 7, publisher: 1, seq: 1 << 40, due: 3, sent: 4, flags: TARGETED };

    #[test]
    fn it_arrives_as_it_left_and_has_the_size_that_was_asked_for() {
        for bytes in [0, 82, 500] {
            let text = encode(&HEADER, bytes);
            assert_eq!((text.len(), decode(&text)), (bytes.max(82), Reading::Whole(HEADER)));
        }
    }

    #[test]
    fn every_changed_letter_shows() {
        let text = encode(&HEADER, 100);
        for at in 2..text.len() {
            let mut bytes = text.clone().into_bytes();
            bytes[at] ^= 1;
            assert_eq!(decode(std::str::from_utf8(&bytes).unwrap()), Reading::Corrupt, "letter {at}");
        }
        assert_eq!(decode(&text[..text.len() - 1]), Reading::Corrupt);
        assert_eq!(decode("hello"), Reading::Foreign);
    }
}
