//! The audit belongs to no terminal: the first partition has it.

use async_trait::async_trait;

use super::RedisBackplane;
use crate::backplane::{AuditBatch, AuditPortion, AuditStore, BackplaneError};

#[async_trait]
impl AuditStore for RedisBackplane {
    async fn append_audit(&self, batch: &AuditBatch) -> Result<(), BackplaneError> {
        let home = self.first_partition();
        home.ask(home.store.append_audit(batch)).await
    }

    async fn audit(&self, before: Option<u64>) -> Result<AuditPortion, BackplaneError> {
        let home = self.first_partition();
        home.ask(home.store.audit(before)).await
    }
}
