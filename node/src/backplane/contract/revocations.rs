//! What a backplane does for revocations.

use async_trait::async_trait;
use muster_protocol::api::Revocation;
use uuid::Uuid;

use crate::backplane::BackplaneError;

/// Revocations: which tokens and keys nodes refuse although they have not expired.
#[async_trait]
pub trait RevocationStore: Send + Sync {
    /// Stores a revocation until it ends. The nodes read it by themselves.
    ///
    /// # Errors
    /// [`TooManyRevocations`](BackplaneError::TooManyRevocations) if the store has as many as nodes apply.
    async fn revoke(&self, revocation: &Revocation) -> Result<(), BackplaneError>;

    /// Removes a revocation. Returns false if it is not stored.
    async fn take_back(&self, id: Uuid) -> Result<bool, BackplaneError>;

    /// Returns all revocations; some may have ended. `None` if their revision is `known`. A caller that knows no
    /// revision passes an empty text, which is the revision of a store without revocations.
    async fn revocations(&self, known: &str) -> Result<Option<RevocationSet>, BackplaneError>;
}

/// All revocations at one time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RevocationSet {
    /// The revision of the set: another text after each change.
    pub revision: String,
    /// The revocations.
    pub all: Vec<Revocation>,
}
