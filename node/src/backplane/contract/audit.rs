//! What a backplane does for the audit.

use async_trait::async_trait;

use crate::backplane::{AuditBatch, AuditPortion, BackplaneError};

/// The audit: one record for each call that changes something. The oldest records make room for new ones.
#[async_trait]
pub trait AuditStore: Send + Sync {
    /// Writes a batch of records. After an error the caller may write the same batch again; the store then has its
    /// records once.
    async fn append_audit(&self, batch: &AuditBatch) -> Result<(), BackplaneError>;

    /// Returns the newest records before the number `before`; of all records if there is no `before`. The portion is
    /// bounded.
    async fn audit(&self, before: Option<u64>) -> Result<AuditPortion, BackplaneError>;
}
