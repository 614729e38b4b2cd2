//! The records of the audit that are stored.

use std::collections::VecDeque;

use muster_protocol::api::AuditRecord;

use crate::backplane::{
    audit::{LogPart, RECORD_BYTES},
    rules::AUDIT_LOOK,
};

/// The records that are stored.
#[derive(Debug, Default)]
pub(super) struct AuditLogs {
    /// The number of the last record.
    pub(super) number: u64,
    pub(super) operators: AuditLog,
    pub(super) strangers: AuditLog,
}

/// Records in the order of their numbers.
#[derive(Debug, Default)]
pub(super) struct AuditLog {
    records: VecDeque<(u64, AuditRecord)>,
    bytes: u64,
}

impl AuditLog {
    /// Adds a record, and removes the oldest beyond the bound.
    pub(super) fn push(&mut self, number: u64, record: &AuditRecord, most: u64) {
        self.bytes += size(record);
        self.records.push_back((number, record.clone()));
        while self.bytes > most {
            let Some((_, oldest)) = self.records.pop_front() else { return };
            self.bytes -= size(&oldest);
        }
    }

    /// The newest records before this number.
    pub(super) fn part(&self, before: Option<u64>) -> LogPart {
        let is_before = |(number, _): &&(u64, AuditRecord)| before.is_none_or(|before| *number < before);
        let records: Vec<_> = self.records.iter().rev().filter(is_before).take(AUDIT_LOOK).cloned().collect();
        let looked_to = records.last().map(|(number, _)| *number).filter(|_| records.len() == AUDIT_LOOK);
        LogPart { records, looked_to }
    }
}

fn size(record: &AuditRecord) -> u64 {
    RECORD_BYTES + serde_json::to_string(record).map_or(0, |json| json.len() as u64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_oldest_records_make_room() {
        let mut log = AuditLog::default();
        let record = AuditRecord { request_id: "r".repeat(100), ..AuditRecord::default() };
        (1..=10).for_each(|number| log.push(number, &record, 3 * size(&record)));
        let numbers: Vec<_> = log.part(None).records.iter().map(|(number, _)| *number).collect();
        assert_eq!((numbers, log.bytes), (vec![10, 9, 8], 3 * size(&record)));
        assert_eq!(log.part(Some(9)).records.len(), 1);
    }
}
