//! A cursor: the position of a terminal in the order of all broadcasts. A cursor is opaque to terminals: they only send
//! it back.

use std::{fmt, str::FromStr};

/// The sequence number of a broadcast in the store named `epoch`. Numbers of different stores can't be compared.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cursor {
    /// The name of the store.
    pub epoch: String,
    /// The sequence number up to which a terminal has received everything.
    pub number: u64,
}

/// The text is no cursor that a node gave out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NoCursor;

impl fmt::Display for Cursor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}", self.epoch, self.number)
    }
}

impl FromStr for Cursor {
    type Err = NoCursor;

    fn from_str(text: &str) -> Result<Self, NoCursor> {
        let (epoch, number) = text.split_once('-').ok_or(NoCursor)?;
        let good = epoch.len() == 8 && epoch.bytes().all(|byte| byte.is_ascii_hexdigit());
        let number = number.parse().map_err(|_| NoCursor)?;
        if good { Ok(Self { epoch: epoch.to_owned(), number }) } else { Err(NoCursor) }
    }
}

/// Returns a random name for a new store.
pub fn fresh_epoch() -> String {
    format!("{:08x}", rand::random::<u32>())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_was_given_out_is_taken_back() {
        let cursor = Cursor { epoch: fresh_epoch(), number: 1_764_000_000_000 };
        assert_eq!(cursor.to_string().parse(), Ok(cursor));
        for bad in ["", "7", "x-7", "0123abcd-", "0123abcd--1", "0123abc'-7", "0123abcd-7 "] {
            assert_eq!(bad.parse::<Cursor>(), Err(NoCursor), "{bad:?}");
        }
    }
}
