//! What a backplane does for the audit.

use async_trait::async_trait;

use crate::backplane::{AuditBatch, AuditPortion, BackplaneError};

/// The audit: one record for each call that changes something. The oldest make room for new ones.
#[async_trait]
pub trait AuditStore: Send + Sync {
    /// Writes a batch of records. After an error the same batch can be written again, and is written once.
    async fn append_audit(&self, batch: &AuditBatch) -> Result<(), BackplaneError>;

    /// The newest records before the one with the number `before`; a bounded number of them.
    async fn audit(&self, before: Option<u64>) -> Result<AuditPortion, BackplaneError>;
}
