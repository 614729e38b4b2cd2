//! What became of a command's work.

use serde_json::Value;

/// How the work of a command ended.
#[derive(Debug)]
pub struct WorkEnd {
    /// Whether the work did what the command asks for.
    pub succeeded: bool,
    /// The reply.
    pub reply: Value,
}
