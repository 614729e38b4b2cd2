//! What a program has its terminal say.

use std::fmt;

use muster_protocol::frame::FromTerminal;

/// One message.
#[derive(Debug)]
pub(crate) enum Order {
    /// In `muster.v1`.
    Frame(FromTerminal),
    /// In plain mode.
    Text(String),
}

impl fmt::Display for Order {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Frame(frame) => frame.fmt(f),
            Self::Text(text) => f.write_str(text),
        }
    }
}
