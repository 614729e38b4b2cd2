//! The audit of a node alone. It ends with the process, as everything does that it stores.

use async_trait::async_trait;

use super::MemoryBackplane;
use crate::backplane::{AuditBatch, AuditPortion, AuditStore, BackplaneError, audit::STRANGERS_SHARE};

#[async_trait]
impl AuditStore for MemoryBackplane {
    async fn append_audit(&self, batch: &AuditBatch) -> Result<(), BackplaneError> {
        let logs = &mut self.store().audit;
        for queued in &batch.records {
            logs.number += 1;
            let (log, most) = match queued.is_strangers {
                false => (&mut logs.operators, batch.bytes),
                true => (&mut logs.strangers, batch.bytes / STRANGERS_SHARE),
            };
            log.push(logs.number, &queued.record, most);
        }
        Ok(())
    }

    async fn audit(&self, before: Option<u64>) -> Result<AuditPortion, BackplaneError> {
        let logs = &self.store().audit;
        Ok(AuditPortion::of([logs.operators.part(before), logs.strangers.part(before)]))
    }
}
