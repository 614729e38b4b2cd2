//! What can be wrong with a delivery, and what is known of one that is.

use serde::{Deserialize, Serialize};

use crate::clock::Nanos;

/// What is wrong with a delivery.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FaultKind {
    /// It did not come, and nobody said so.
    SilentlyLost,
    /// It came again, and a client that remembers ids would not have known it.
    DupApp,
    /// It came after one that was sent when it had long been accepted.
    Reordered,
    /// It was changed on its way.
    Corrupt,
    /// It was for another terminal.
    Misdelivered,
    /// It was never sent, or the server had refused it.
    Phantom,
    /// It came before it was sent: the clock is wrong, or the program.
    BeforeSent,
    /// It came to a session long after another one of the same terminal had taken over.
    FromReplaced,
}

impl FaultKind {
    /// Its name in reports.
    pub fn name(self) -> &'static str {
        match self {
            Self::SilentlyLost => "silently lost",
            Self::DupApp => "delivered twice",
            Self::Reordered => "reordered",
            Self::Corrupt => "corrupt",
            Self::Misdelivered => "misdelivered",
            Self::Phantom => "phantom",
            Self::BeforeSent => "before sent",
            Self::FromReplaced => "from replaced",
        }
    }
}

/// One fault, to be looked for in the logs of the servers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Fault {
    /// What.
    pub kind: FaultKind,
    /// Which message, if it could be read.
    pub message: Option<u64>,
    /// Which terminal.
    pub terminal: String,
    /// When, in nanoseconds of the run.
    pub at: Nanos,
    /// On which node, if it said so.
    pub node: String,
}
