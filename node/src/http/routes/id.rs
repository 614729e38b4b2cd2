//! What the segment in braces of a path is.

use muster_protocol::{CommandId, TerminalId};

use super::content::{SchemaOf, of};

/// What the segment in braces of a path is.
#[derive(Clone, Copy)]
pub enum PathId {
    /// The id of a terminal. The audit shows it among the terminals.
    Terminal,
    /// The id of a command. The audit shows it as the command.
    Command,
    /// What another type takes. The audit shows it as the subject.
    Of(SchemaOf),
}

impl PathId {
    /// The type of the id.
    pub fn schema(self) -> SchemaOf {
        match self {
            Self::Terminal => of::<TerminalId>,
            Self::Command => of::<CommandId>,
            Self::Of(schema) => schema,
        }
    }
}

/// The id in a path, which has at most one, in its third segment. Empty if the path has none.
pub fn id_in<'a>(segments: &[&'a str]) -> &'a str {
    segments.get(2).copied().unwrap_or_default()
}
