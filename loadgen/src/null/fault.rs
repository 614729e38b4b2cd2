//! The mistake that the server is told to make: once, with one delivery, or all the time, with some terminals.

use std::str::FromStr;

/// A kind of mistake, and what it happens to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Fault {
    pub(super) what: Mistake,
    /// Which delivery, from 1; for [`Mistake::Refuse`] and [`Mistake::Ignore`] every how many-th terminal.
    pub(super) at: u64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Mistake {
    Drop,
    Repeat,
    Swap,
    Corrupt,
    /// The next command to one terminal goes to another one.
    Misdeliver,
    /// Every N-th terminal is refused with 503, each time that it asks.
    Refuse,
    /// The handshake of every N-th terminal is never answered.
    Ignore,
}

impl Mistake {
    /// Whether it happens to handshakes, and not to a delivery.
    pub(super) fn is_of_handshakes(self) -> bool {
        matches!(self, Self::Refuse | Self::Ignore)
    }
}

impl FromStr for Fault {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let bad = || {
            "a fault is drop:N, repeat:N, swap:N, corrupt:N, misdeliver:N, refuse:N or ignore:N, with N from 1"
                .to_owned()
        };
        let (what, at) = text.split_once(':').ok_or_else(bad)?;
        let what = match what {
            "drop" => Mistake::Drop,
            "repeat" => Mistake::Repeat,
            "swap" => Mistake::Swap,
            "corrupt" => Mistake::Corrupt,
            "misdeliver" => Mistake::Misdeliver,
            "refuse" => Mistake::Refuse,
            "ignore" => Mistake::Ignore,
            _ => return Err(bad()),
        };
        Ok(Self { what, at: at.parse().ok().filter(|at| *at > 0).ok_or_else(bad)? })
    }
}
