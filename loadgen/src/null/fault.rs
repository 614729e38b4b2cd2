//! A fault that the null server injects on request: once in one delivery, or in each handshake of some terminals.

use std::str::FromStr;

/// A kind of fault, and where it is injected.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NullFault {
    pub(super) what: NullFaultKind,
    /// The number of the delivery, from 1. For [`NullFaultKind::Refuse`] and [`NullFaultKind::Ignore`] each N-th
    /// terminal is affected, for [`NullFaultKind::NoAnswer`] each N-th message.
    pub(super) at: u64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum NullFaultKind {
    Drop,
    Repeat,
    Swap,
    Corrupt,
    /// The next command that targets one terminal is delivered to another one.
    Misdeliver,
    /// Each handshake of every N-th terminal is refused with 503.
    Refuse,
    /// No handshake of every N-th terminal is answered.
    Ignore,
    /// Every N-th message that is posted is delivered, and the request is never answered.
    NoAnswer,
}

impl NullFaultKind {
    /// Returns true if the fault affects a single delivery.
    pub(super) fn is_of_deliveries(self) -> bool {
        !self.is_of_handshakes() && self != Self::NoAnswer
    }

    /// Returns true if the fault affects handshakes.
    pub(super) fn is_of_handshakes(self) -> bool {
        matches!(self, Self::Refuse | Self::Ignore)
    }
}

impl FromStr for NullFault {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let bad = || {
            "a fault is drop:N, repeat:N, swap:N, corrupt:N, misdeliver:N, refuse:N, ignore:N or noanswer:N, with N from 1"
                .to_owned()
        };
        let (what, at) = text.split_once(':').ok_or_else(bad)?;
        let what = match what {
            "drop" => NullFaultKind::Drop,
            "repeat" => NullFaultKind::Repeat,
            "swap" => NullFaultKind::Swap,
            "corrupt" => NullFaultKind::Corrupt,
            "misdeliver" => NullFaultKind::Misdeliver,
            "refuse" => NullFaultKind::Refuse,
            "ignore" => NullFaultKind::Ignore,
            "noanswer" => NullFaultKind::NoAnswer,
            _ => return Err(bad()),
        };
        Ok(Self { what, at: at.parse().ok().filter(|at| *at > 0).ok_or_else(bad)? })
    }
}
