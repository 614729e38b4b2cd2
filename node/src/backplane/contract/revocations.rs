//! What a backplane does for revocations.

use async_trait::async_trait;
use muster_protocol::api::Revocation;
use uuid::Uuid;

use crate::backplane::BackplaneError;

/// Tokens and keys that are refused though they have not expired.
#[async_trait]
pub trait RevocationStore: Send + Sync {
    /// Stores a revocation until it ends. The nodes read it by themselves.
    ///
    /// # Errors
    /// [`TooManyRevocations`](BackplaneError::TooManyRevocations) if as many are stored as nodes apply.
    async fn revoke(&self, revocation: &Revocation) -> Result<(), BackplaneError>;

    /// Removes a revocation. False if it is not stored.
    async fn take_back(&self, id: Uuid) -> Result<bool, BackplaneError>;

    /// All revocations; some may have ended. None if their revision is `known`, which is empty for a caller that knows none. An empty
    /// revision has no revocations.
    async fn revocations(&self, known: &str) -> Result<Option<RevocationSet>, BackplaneError>;
}

/// All revocations at one time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RevocationSet {
    /// Another text after each change.
    pub revision: String,
    /// The revocations.
    pub all: Vec<Revocation>,
}
