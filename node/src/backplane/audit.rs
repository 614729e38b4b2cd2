//! The audit as both backplanes have it: two logs whose records are numbered together. Calls of strangers are in a log
//! of their own, so that they push out no record of an operator.

use muster_protocol::api::AuditRecord;

/// Records that are written together. The store writes each record once, even if a node sends the batch several times.
#[derive(Debug, Clone)]
pub struct AuditBatch {
    /// A random name of the process that writes the batch.
    pub process: String,
    /// The number of the batch, greater than that of every batch that the process has written.
    pub number: u64,
    /// The records.
    pub records: Vec<QueuedRecord>,
    /// The bytes that the log of operators may have (`--audit-bytes`).
    pub bytes: u64,
}

/// A record on its way into the log.
#[derive(Debug, Clone)]
pub struct QueuedRecord {
    /// The record.
    pub record: AuditRecord,
    /// Whether nobody knows who made the call.
    pub is_strangers: bool,
}

/// The divisor of `--audit-bytes` that gives the bytes of the log of strangers. That log comes in addition.
pub const STRANGERS_SHARE: u64 = 16;
/// The bytes that a record counts beside its JSON: an upper bound of what the store needs to find the record.
pub const RECORD_BYTES: u64 = 64;

/// A part of the audit, the newest first.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct AuditPortion {
    /// The records with their numbers.
    pub records: Vec<(u64, AuditRecord)>,
    /// The next portion begins before this number. None if this portion is the last.
    pub next: Option<u64>,
}

/// The records that were read from one of the logs, the newest first.
#[derive(Debug, Default)]
pub struct LogPart {
    /// The records with their numbers.
    pub records: Vec<(u64, AuditRecord)>,
    /// The number of the oldest entry that was looked at. None if there are no older entries.
    pub looked_to: Option<u64>,
}

impl AuditPortion {
    /// Returns the parts of both logs in one order. Leaves out records older than the place up to which both logs were
    /// looked at; the next portion has them.
    pub fn of(parts: [LogPart; 2]) -> Self {
        let next = parts.iter().filter_map(|part| part.looked_to).max();
        let mut records: Vec<_> = parts.into_iter().flat_map(|part| part.records).collect();
        records.retain(|(number, _)| next.is_none_or(|next| *number >= next));
        records.sort_unstable_by_key(|(number, _)| std::cmp::Reverse(*number));
        Self { records, next }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn part(numbers: &[u64], looked_to: Option<u64>) -> LogPart {
        LogPart { records: numbers.iter().map(|number| (*number, AuditRecord::default())).collect(), looked_to }
    }

    fn numbers(parts: [LogPart; 2]) -> (Vec<u64>, Option<u64>) {
        let portion = AuditPortion::of(parts);
        (portion.records.iter().map(|(number, _)| *number).collect(), portion.next)
    }

    #[test]
    fn nothing_is_shown_beyond_what_was_looked_at_in_both_logs() {
        assert_eq!(numbers([part(&[9, 6], None), part(&[8, 1], None)]), (vec![9, 8, 6, 1], None));
        assert_eq!(numbers([part(&[9, 6], Some(6)), part(&[8, 1], None)]), (vec![9, 8, 6], Some(6)));
        assert_eq!(numbers([part(&[9, 6], Some(6)), part(&[8, 7], Some(7))]), (vec![9, 8, 7], Some(7)));
        assert_eq!(numbers([part(&[], Some(5)), part(&[3], None)]), (vec![], Some(5)), "a portion may be empty");
    }
}
