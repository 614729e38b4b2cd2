//! The end of what a program has written. A reply has a bound, and what a program says last tells most.

use std::collections::VecDeque;

/// The end of a program's output, as text.
#[derive(Debug)]
pub struct OutputTail {
    bytes: VecDeque<u8>,
    /// The most bytes that are kept.
    limit: usize,
    /// How many bytes were dropped.
    pub dropped: u64,
}

impl OutputTail {
    /// Returns a tail of at most `limit` bytes.
    pub fn new(limit: usize) -> Self {
        Self { bytes: VecDeque::new(), limit, dropped: 0 }
    }

    /// Adds output. The oldest bytes make room.
    pub fn push(&mut self, bytes: &[u8]) {
        self.bytes.extend(bytes);
        let over = self.bytes.len().saturating_sub(self.limit);
        self.bytes.drain(..over);
        self.dropped += over as u64;
    }

    /// Returns whether nothing is kept.
    pub fn is_empty(&self) -> bool {
        self.bytes.is_empty()
    }

    /// Takes what is kept, as text. Replaces bytes that are no UTF-8. If the text as JSON is over the limit, cuts off
    /// its beginning.
    pub fn take(&mut self) -> String {
        let bytes: Vec<u8> = std::mem::take(&mut self.bytes).into();
        let text = String::from_utf8_lossy(&bytes);
        let mut room = self.limit;
        let fits = |character: &(usize, char)| {
            let size = size_in_json(character.1);
            let fits = size <= room;
            room -= size.min(room);
            fits
        };
        let start = text.char_indices().rev().take_while(fits).last().map_or(text.len(), |(at, _)| at);
        self.dropped += start as u64;
        text[start..].to_owned()
    }
}

/// Returns the bytes that a character needs in a JSON string.
fn size_in_json(character: char) -> usize {
    match character {
        '"' | '\\' | '\n' | '\r' | '\t' | '\u{8}' | '\u{c}' => 2,
        '\0'..='\u{1f}' => 6,
        other => other.len_utf8(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_end_is_kept_and_the_rest_is_counted() {
        let mut tail = OutputTail::new(8);
        tail.push(b"0123456789");
        tail.push(b"ab");
        assert_eq!((tail.take().as_str(), tail.dropped), ("456789ab", 4));
        assert!(tail.is_empty());
    }

    #[test]
    fn a_text_fits_as_json_whatever_is_in_it() {
        for text in ["\u{1b}[31mred\u{1b}[0m".repeat(9), "\"".repeat(40), "\u{1}".repeat(40), "ä€😀".repeat(12)] {
            let mut tail = OutputTail::new(32);
            tail.push(text.as_bytes());
            let taken = tail.take();
            let json = serde_json::to_string(&taken).unwrap();
            assert!(json.len() <= 32 + 2 && !taken.is_empty(), "{json}");
        }
    }

    #[test]
    fn half_of_a_character_is_replaced() {
        let mut tail = OutputTail::new(16);
        tail.push(&"ä".as_bytes()[1..]);
        assert_eq!(tail.take(), "\u{fffd}");
    }
}
