//! Audit records on their way into the store. A call does not wait for its record: while the store is away records wait here, and beyond a
//! bound they are lost and counted.

use std::{
    collections::VecDeque,
    sync::{Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use tokio::{sync::Notify, time};

use crate::{
    backplane::{AuditBatch, Backplane, BackplaneError, QueuedRecord},
    metrics::Metrics,
};

/// The most records that wait.
const RECORDS_MAX: usize = 4096;
/// The most bytes of records that wait.
const BYTES_MAX: usize = 4 << 20;
/// The records of one batch, and their bytes to one record more.
const BATCH_RECORDS: usize = 64;
const BATCH_BYTES: usize = 48 << 10;
/// The calls of strangers that are recorded in each [`STRANGERS_WINDOW`].
const STRANGERS_MAX: u32 = 60;
/// See [`STRANGERS_MAX`].
const STRANGERS_WINDOW: Duration = Duration::from_secs(60);
/// How long the node waits after a batch that could not be written.
const AGAIN: Duration = Duration::from_secs(1);

/// The records that wait.
#[derive(Debug)]
pub struct AuditQueue {
    /// Random: two processes never share a name, so the store can tell a repeated batch.
    process: String,
    waiting: Mutex<WaitingRecords>,
    added: Notify,
}

#[derive(Debug, Default)]
struct WaitingRecords {
    /// Each with its bytes.
    records: VecDeque<(QueuedRecord, usize)>,
    bytes: usize,
    /// The batch that is being written. It stays as it is until the store has it.
    batch: Option<AuditBatch>,
    /// The number of the last batch.
    number: u64,
    strangers: u32,
    strangers_since: Option<Instant>,
}

impl Default for AuditQueue {
    fn default() -> Self {
        let process = format!("{:032x}", rand::random::<u128>());
        Self { process, waiting: Mutex::default(), added: Notify::new() }
    }
}

impl AuditQueue {
    /// Adds a record. One that finds no room, and those of strangers beyond 60 a minute, are counted and lost.
    pub fn push(&self, queued: QueuedRecord, metrics: &Metrics) {
        match self.lock().push(queued, Instant::now()) {
            Ok(()) => self.added.notify_one(),
            Err(reason) => metrics.audit_lost.with_label_values(&[reason]).inc(),
        }
    }

    /// Writes records for ever. `bytes` is `--audit-bytes`.
    pub async fn run(&self, backplane: &dyn Backplane, bytes: u64) {
        loop {
            self.added.notified().await;
            while let Err(error) = self.write_all(backplane, bytes).await {
                tracing::debug!(%error, "audit records wait");
                time::sleep(AGAIN).await;
            }
        }
    }

    /// Writes all that waits.
    ///
    /// # Errors
    /// Of the first batch that can't be written. It waits, with all behind it.
    pub async fn write_all(&self, backplane: &dyn Backplane, bytes: u64) -> Result<(), BackplaneError> {
        loop {
            let Some(batch) = self.lock().batch(&self.process, bytes) else { return Ok(()) };
            backplane.append_audit(&batch).await?;
            self.lock().batch = None;
        }
    }

    fn lock(&self) -> MutexGuard<'_, WaitingRecords> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl WaitingRecords {
    /// Adds a record, or says why it is lost.
    fn push(&mut self, queued: QueuedRecord, now: Instant) -> Result<(), &'static str> {
        let bytes = size(&queued);
        if self.records.len() >= RECORDS_MAX || self.bytes + bytes > BYTES_MAX {
            return Err("no_room");
        }
        if queued.is_strangers && !self.takes_stranger(now) {
            return Err("stranger");
        }
        self.bytes += bytes;
        self.records.push_back((queued, bytes));
        Ok(())
    }

    fn takes_stranger(&mut self, now: Instant) -> bool {
        if now.saturating_duration_since(*self.strangers_since.get_or_insert(now)) >= STRANGERS_WINDOW {
            (self.strangers, self.strangers_since) = (0, Some(now));
        }
        self.strangers += 1;
        self.strangers <= STRANGERS_MAX
    }

    /// The batch to write: the one before, if it was not written. None if nothing waits.
    fn batch(&mut self, process: &str, bytes: u64) -> Option<AuditBatch> {
        if self.batch.is_none() && !self.records.is_empty() {
            let (mut records, mut room) = (Vec::new(), BATCH_BYTES);
            while records.len() < BATCH_RECORDS
                && room > 0
                && let Some((queued, size)) = self.records.pop_front()
            {
                self.bytes -= size;
                room = room.saturating_sub(size);
                records.push(queued);
            }
            self.number += 1;
            self.batch = Some(AuditBatch { process: process.to_owned(), number: self.number, records, bytes });
        }
        self.batch.clone()
    }
}

/// The bytes of a record, about.
fn size(queued: &QueuedRecord) -> usize {
    serde_json::to_string(&queued.record).map_or(0, |json| json.len())
}

#[cfg(test)]
mod tests {
    use muster_protocol::api::AuditRecord;

    use super::*;

    fn queued(is_strangers: bool, bytes: usize) -> QueuedRecord {
        let record = AuditRecord { body: Some("x".repeat(bytes)), ..AuditRecord::default() };
        QueuedRecord { record, is_strangers }
    }

    #[test]
    fn what_waits_is_bounded_in_number_and_bytes() {
        let now = Instant::now();
        let mut waiting = WaitingRecords::default();
        assert!((0..RECORDS_MAX).all(|_| waiting.push(queued(false, 1), now).is_ok()));
        assert_eq!(waiting.push(queued(false, 1), now), Err("no_room"));
        let mut waiting = WaitingRecords::default();
        let fits = (0..RECORDS_MAX).filter(|_| waiting.push(queued(false, 4096), now).is_ok()).count();
        assert!((900..1024).contains(&fits) && waiting.bytes <= BYTES_MAX, "{fits}");
    }

    #[test]
    fn strangers_have_so_many_records_a_minute() {
        let (mut waiting, now) = (WaitingRecords::default(), Instant::now());
        let taken = (0..1000).filter(|_| waiting.push(queued(true, 1), now).is_ok()).count();
        assert_eq!((taken, waiting.push(queued(true, 1), now)), (60, Err("stranger")));
        assert_eq!(waiting.push(queued(false, 1), now), Ok(()));
        assert_eq!(waiting.push(queued(true, 1), now + STRANGERS_WINDOW), Ok(()));
    }

    #[test]
    fn a_batch_stays_as_it_is_until_it_is_written() {
        let (mut waiting, now) = (WaitingRecords::default(), Instant::now());
        assert!(waiting.batch("p", 1).is_none());
        (0..100).for_each(|_| waiting.push(queued(false, 1), now).unwrap());
        let first = waiting.batch("p", 1).unwrap();
        waiting.push(queued(false, 1), now).unwrap();
        let again = waiting.batch("p", 1).unwrap();
        assert_eq!((first.number, first.records.len()), (again.number, again.records.len()));
        waiting.batch = None;
        let next = waiting.batch("p", 1).unwrap();
        assert_eq!((first.records.len(), next.number, next.records.len()), (64, first.number + 1, 37));
        waiting.batch = None;
        assert!(waiting.batch("p", 1).is_none() && waiting.bytes == 0);
    }
}
