//! Operators' keys as both backplanes have them.

use muster_protocol::api::OperatorKey;

/// A page of keys.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct FoundKeys {
    /// The keys.
    pub found: Vec<OperatorKey>,
    /// How many to pass over for the next page. None on the last one.
    pub next: Option<u64>,
}
