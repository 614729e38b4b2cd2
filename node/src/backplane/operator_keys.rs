//! Operators' keys as both backplanes have them.

use muster_protocol::api::OperatorKey;

/// A page of keys.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct FoundKeys {
    /// The keys.
    pub found: Vec<OperatorKey>,
    /// How many keys to skip for the next page. None on the last page.
    pub next: Option<u64>,
}
