//! The audit, which the first partition has for all (audit_append.lua, audit.lua).

use muster_protocol::api::AuditRecord;
use redis::RedisResult;

use super::StorePartition;
use crate::backplane::{
    AuditBatch, AuditPortion, BackplaneError,
    audit::{LogPart, RECORD_BYTES, STRANGERS_SHARE},
    redis::refusal::{unavailable, unsure},
    rules::{AUDIT_LOOK, AUDIT_READ_BYTES, AUDIT_WRITER_TTL},
};

/// The numbers and JSON of a log's entries, the newest first, and whether there may be older ones.
type StoredPart = (Vec<String>, bool);

impl StorePartition {
    /// Writes a batch of records, unless it was written before.
    ///
    /// # Errors
    /// Those of a call that changes something.
    pub async fn append_audit(&self, batch: &AuditBatch) -> Result<(), BackplaneError> {
        let mut call = self.scripts.audit_append(&self.keys);
        call.arg(&batch.process).arg(batch.number).arg(AUDIT_WRITER_TTL.as_millis() as u64);
        call.arg(batch.bytes).arg(batch.bytes / STRANGERS_SHARE).arg(RECORD_BYTES);
        for queued in &batch.records {
            let json = serde_json::to_string(&queued.record).expect("a record has a JSON form");
            call.arg(u8::from(queued.is_strangers)).arg(json);
        }
        let written: RedisResult<bool> = call.invoke_async(&mut self.connection.clone()).await;
        written.map_err(unsure).map(drop)
    }

    /// Returns the newest records before this number. A record that can't be read is left out.
    ///
    /// # Errors
    /// [`BackplaneError::Unavailable`] if Redis does not answer.
    pub async fn audit(&self, before: Option<u64>) -> Result<AuditPortion, BackplaneError> {
        let mut call = self.scripts.audit(&self.keys);
        call.arg(before.map(|before| before.to_string()).unwrap_or_default()).arg(AUDIT_LOOK).arg(AUDIT_READ_BYTES);
        let parts: RedisResult<(StoredPart, StoredPart)> = call.invoke_async(&mut self.connection.clone()).await;
        let (operators, strangers) = parts.map_err(unavailable)?;
        Ok(AuditPortion::of([operators, strangers].map(part)))
    }
}

fn part((stored, has_more): StoredPart) -> LogPart {
    let number = |id: &str| id.split('-').next().and_then(|number| number.parse().ok());
    let entry = |entry: &[String]| {
        let record: AuditRecord = serde_json::from_str(&entry[1]).ok()?;
        Some((number(&entry[0])?, record))
    };
    let oldest = stored.chunks_exact(2).next_back().and_then(|entry| number(&entry[0]));
    LogPart { records: stored.chunks_exact(2).filter_map(entry).collect(), looked_to: oldest.filter(|_| has_more) }
}
