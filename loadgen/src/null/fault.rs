//! A fault that the null server injects on request. The load generator must find it among all deliveries.

use std::str::FromStr;

/// A kind of fault, and where it is injected.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NullFault {
    pub(super) what: NullFaultKind,
    /// N in the description of each kind, from 1.
    pub(super) at: u64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum NullFaultKind {
    /// The N-th delivery is left out.
    Drop,
    /// The N-th delivery happens twice.
    Repeat,
    /// The N-th delivery happens after the next one to the same terminal.
    Swap,
    /// One letter of the N-th delivery is changed.
    Corrupt,
    /// From the N-th delivery on, the next command that targets one terminal is delivered to another one.
    Misdeliver,
    /// Every N-th delivery is left out.
    DropEvery,
    /// Every N-th delivery happens twice.
    RepeatEvery,
    /// Every N-th delivery is a binary frame.
    Binary,
    /// Nothing is delivered to the N-th terminal.
    Exclude,
    /// Each delivery to every N-th terminal happens [`super::sessions::DELAY`] later.
    Delay,
    /// Every N-th terminal is greeted.
    Greet,
    /// After N messages the server closes all sessions with code 4000.
    Close,
    /// After N messages the server reads nothing more of a terminal that sends them.
    StopReading,
    /// Each handshake of every N-th terminal is refused with 503.
    Refuse,
    /// No handshake of every N-th terminal is answered.
    Ignore,
    /// Every N-th message that is posted is delivered, and the request is never answered.
    NoAnswer,
}

/// The kinds by the names that `--fault` takes.
const KINDS: [(&str, NullFaultKind); 16] = [
    ("drop", NullFaultKind::Drop),
    ("repeat", NullFaultKind::Repeat),
    ("swap", NullFaultKind::Swap),
    ("corrupt", NullFaultKind::Corrupt),
    ("misdeliver", NullFaultKind::Misdeliver),
    ("dropevery", NullFaultKind::DropEvery),
    ("repeatevery", NullFaultKind::RepeatEvery),
    ("binary", NullFaultKind::Binary),
    ("exclude", NullFaultKind::Exclude),
    ("delay", NullFaultKind::Delay),
    ("greet", NullFaultKind::Greet),
    ("close", NullFaultKind::Close),
    ("stopreading", NullFaultKind::StopReading),
    ("refuse", NullFaultKind::Refuse),
    ("ignore", NullFaultKind::Ignore),
    ("noanswer", NullFaultKind::NoAnswer),
];

impl NullFault {
    /// Returns true if the fault affects this delivery, to this terminal. Deliveries and terminals are counted from 1.
    pub(super) fn affects(self, delivery: u64, terminal: u64) -> bool {
        match self.what {
            _ if self.happens_once() => delivery >= self.at,
            NullFaultKind::DropEvery | NullFaultKind::RepeatEvery | NullFaultKind::Binary => {
                delivery.is_multiple_of(self.at)
            }
            NullFaultKind::Exclude => terminal == self.at,
            NullFaultKind::Delay => terminal.is_multiple_of(self.at),
            _ => false,
        }
    }

    /// Returns true if the fault affects one delivery only.
    pub(super) fn happens_once(self) -> bool {
        use NullFaultKind::{Corrupt, Drop, Misdeliver, Repeat, Swap};
        matches!(self.what, Drop | Repeat | Swap | Corrupt | Misdeliver)
    }

    /// Returns true if the fault affects handshakes.
    pub(super) fn is_of_handshakes(self) -> bool {
        matches!(self.what, NullFaultKind::Refuse | NullFaultKind::Ignore)
    }

    /// Returns true if this fault is of this kind, and affects the thing of this number.
    pub(super) fn is_every(self, what: NullFaultKind, number: u64) -> bool {
        self.what == what && number.is_multiple_of(self.at)
    }
}

impl FromStr for NullFault {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let bad = || format!("a fault is one of {}, and :N, with N from 1", KINDS.map(|(name, _)| name).join(", "));
        let (name, at) = text.split_once(':').ok_or_else(bad)?;
        let (_, what) = KINDS.into_iter().find(|(known, _)| *known == name).ok_or_else(bad)?;
        Ok(Self { what, at: at.parse().ok().filter(|at| *at > 0).ok_or_else(bad)? })
    }
}
