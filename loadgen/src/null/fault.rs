//! The mistake that the server is told to make.

use std::str::FromStr;

/// One mistake, made with one delivery.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Fault {
    pub(super) what: Mistake,
    /// Which delivery, from 1.
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
}

impl FromStr for Fault {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let bad = || "a fault is drop:N, repeat:N, swap:N, corrupt:N or misdeliver:N".to_owned();
        let (what, at) = text.split_once(':').ok_or_else(bad)?;
        let what = match what {
            "drop" => Mistake::Drop,
            "repeat" => Mistake::Repeat,
            "swap" => Mistake::Swap,
            "corrupt" => Mistake::Corrupt,
            "misdeliver" => Mistake::Misdeliver,
            _ => return Err(bad()),
        };
        Ok(Self { what, at: at.parse().map_err(|_| bad())? })
    }
}
