//! What became of a command's work.

use serde_json::Value;

/// How the work of a command ended.
#[derive(Debug)]
pub struct WorkEnd {
    /// Whether it did what was asked for.
    pub succeeded: bool,
    /// The reply.
    pub reply: Value,
}
