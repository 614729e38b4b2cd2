//! Kinds of faulty deliveries, and the details of one.

use serde::{Deserialize, Serialize};

use crate::clock::Nanos;

/// What is wrong with a delivery.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FaultKind {
    /// The delivery was owed and never arrived, and no gap was reported.
    SilentlyLost,
    /// The message arrived again, and the client does not recognise it as a repetition.
    DupApp,
    /// The message arrived after one that was sent only after this one was accepted.
    Reordered,
    /// The content of the message was changed.
    Corrupt,
    /// The message came in a frame of another kind than it was sent in.
    OtherKind,
    /// The message was addressed to another terminal.
    Misdelivered,
    /// The message was never sent, or the server had refused it.
    Phantom,
    /// The message arrived before it was sent: the clock or the generator is wrong.
    BeforeSent,
    /// The message arrived in a session long after a newer session of the same terminal had replaced that session.
    FromReplaced,
}

impl FaultKind {
    /// Returns the name of the kind in reports.
    pub fn name(self) -> &'static str {
        match self {
            Self::SilentlyLost => "silently lost",
            Self::DupApp => "delivered twice",
            Self::Reordered => "reordered",
            Self::Corrupt => "corrupt",
            Self::OtherKind => "another kind",
            Self::Misdelivered => "misdelivered",
            Self::Phantom => "phantom",
            Self::BeforeSent => "before sent",
            Self::FromReplaced => "from replaced",
        }
    }
}

/// One fault, with the details needed to find it in the logs of the servers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DeliveryFault {
    /// What is wrong.
    pub kind: FaultKind,
    /// The number of the message; `None` if it could not be read.
    pub message: Option<u64>,
    /// The id of the terminal.
    pub terminal: String,
    /// When the fault was seen, in nanoseconds since the beginning of the run; 0 if only a count is known
    /// ([`FaultKind::FromReplaced`]).
    pub at: Nanos,
    /// The name of the node that held the session; empty if the node did not state it.
    pub node: String,
}
