//! The setting `--placement`. [`cluster::placement`](crate::cluster::placement) applies it.

use std::str::FromStr;

/// The rule by which nodes place handshakes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Placement {
    /// A handshake goes to the node that has clearly fewer sessions.
    Balance,
    /// A handshake goes to the node that owns the terminal's id by rendezvous hash.
    Sticky,
}

impl FromStr for Placement {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "balance" => Ok(Self::Balance),
            "sticky" => Ok(Self::Sticky),
            other => Err(format!("a placement is balance or sticky, not {other:?}")),
        }
    }
}
