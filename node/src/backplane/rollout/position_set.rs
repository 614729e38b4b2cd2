//! Some of the positions of a portion: a bit for each, in base64.

use data_encoding::BASE64_NOPAD;
use serde::{Deserialize, Serialize};

/// A set of positions, counted from the first of the portion.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct PositionSet {
    bits: Vec<u8>,
}

impl PositionSet {
    /// Whether a position is in the set.
    pub fn has(&self, position: usize) -> bool {
        self.bits.get(position / 8).is_some_and(|byte| byte >> (position % 8) & 1 == 1)
    }

    /// The number of positions.
    pub fn len(&self) -> u64 {
        self.bits.iter().map(|byte| u64::from(byte.count_ones())).sum()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

impl FromIterator<usize> for PositionSet {
    fn from_iter<I: IntoIterator<Item = usize>>(positions: I) -> Self {
        let mut bits = Vec::new();
        for position in positions {
            if bits.len() <= position / 8 {
                bits.resize(position / 8 + 1, 0);
            }
            bits[position / 8] |= 1 << (position % 8);
        }
        Self { bits }
    }
}

impl TryFrom<String> for PositionSet {
    type Error = data_encoding::DecodeError;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        Ok(Self { bits: BASE64_NOPAD.decode(text.as_bytes())? })
    }
}

impl From<PositionSet> for String {
    fn from(set: PositionSet) -> Self {
        BASE64_NOPAD.encode(&set.bits)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_set_has_what_was_put_there_and_is_read_as_it_is_written() {
        let set: PositionSet = [0, 9, 4999].into_iter().collect();
        assert!(set.has(0) && set.has(9) && set.has(4999) && !set.has(1) && !set.has(5000));
        assert_eq!((set.len(), PositionSet::default().is_empty()), (3, true));
        let json = serde_json::to_string(&set).unwrap();
        assert_eq!(serde_json::from_str::<PositionSet>(&json).unwrap(), set);
    }
}
