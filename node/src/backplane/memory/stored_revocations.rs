//! The revocations that are stored.

use muster_protocol::api::Revocation;

/// The revocations that are stored, and how often they were changed.
#[derive(Debug, Default)]
pub(super) struct StoredRevocations {
    pub(super) all: Vec<Revocation>,
    pub(super) changes: u64,
}
