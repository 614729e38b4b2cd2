//! Writes what sessions have reported, at each interval: the reports are divided by partition, and each partition's are written in
//! portions by bytes. A partition that is away keeps its reports waiting and nobody else's.
//!
//! Only one task writes at a time, and what could not be written comes before what was reported since: a later report is never replaced
//! by an earlier one. What Redis refuses for good is dropped and counted, so that it blocks nothing behind it.

use std::sync::{Arc, Mutex, PoisonError};

use futures_util::future::join_all;
use redis::{RedisError, RedisResult};
use tokio::{sync::Semaphore, time};

use super::{PartitionedBackplane, member::PartitionMember};
use crate::{
    backplane::redis::refusal::refused_for_good,
    reports::{HealthReport, ReportBatch, ReportedEvent},
};

/// What waits for one partition at most, in reports. Beyond it the oldest is dropped and counted.
const WAITING_MAX: usize = 100_000;

/// Whose turn it is to write, and what waits, by partition.
#[derive(Debug)]
pub struct ReportWriter {
    turn: Semaphore,
    waiting: Mutex<Vec<PartitionReports>>,
}

/// The reports of one partition's terminals.
#[derive(Debug, Clone, Default)]
pub struct PartitionReports {
    /// How terminals fare.
    pub vitals: Vec<(muster_protocol::TerminalId, HealthReport)>,
    /// What happened, in order.
    pub events: Vec<ReportedEvent>,
}

impl Default for ReportWriter {
    fn default() -> Self {
        Self { turn: Semaphore::new(1), waiting: Mutex::default() }
    }
}

impl PartitionReports {
    fn len(&self) -> usize {
        self.vitals.len() + self.events.len()
    }
}

impl PartitionedBackplane {
    /// Takes reports for ever. What can't be written is tried again, while new ones gather in their bounded table.
    pub(super) async fn write_reports(&self) {
        let mut beat = time::interval(self.report_interval);
        loop {
            beat.tick().await;
            if let Err(error) = self.flush().await {
                tracing::debug!(%error, "reports wait");
                time::sleep(10 * self.report_interval).await;
            }
        }
    }

    /// Writes everything that was reported until now, of all partitions that answer.
    pub(super) async fn flush(&self) -> RedisResult<()> {
        let _turn = self.writer.turn.acquire().await;
        let ended: Vec<_> = self.members.iter().map(|member| member.ordinals.ended()).collect();
        let batch = self.reports.drain();
        if batch.dropped > 0 {
            tracing::warn!(dropped = batch.dropped, "reports found no room while Redis was away");
            self.count_dropped("no_room", batch.dropped as usize);
        }
        let parts = self.add(batch);
        let written = join_all(self.members.iter().zip(parts).map(|(member, part)| self.write(member, part))).await;
        for ((member, ended), (rest, written)) in self.members.iter().zip(ended).zip(&written) {
            if written.is_ok() && rest.len() == 0 {
                member.ordinals.remove(&ended);
            }
        }
        let (rests, results): (Vec<_>, Vec<_>) = written.into_iter().unzip();
        *self.writer.waiting.lock().unwrap_or_else(PoisonError::into_inner) = rests;
        results.into_iter().collect()
    }

    /// What waits, with what this batch adds, by partition.
    fn add(&self, batch: ReportBatch) -> Vec<PartitionReports> {
        let mut parts = std::mem::take(&mut *self.writer.waiting.lock().unwrap_or_else(PoisonError::into_inner));
        parts.resize_with(self.members.len(), PartitionReports::default);
        for (terminal, report) in batch.vitals {
            parts[usize::from(self.partitions.of(&terminal).0)].vitals.push((terminal, report));
        }
        for event in batch.events {
            parts[usize::from(self.partitions.of(&event.terminal).0)].events.push(event);
        }
        for part in &mut parts {
            let beyond = part.events.len().saturating_sub(WAITING_MAX);
            part.events.drain(..beyond);
            let vitals = part.vitals.len().saturating_sub(WAITING_MAX);
            part.vitals.drain(..vitals);
            self.count_dropped("no_room", beyond + vitals);
        }
        parts
    }

    /// Writes the reports of a partition. Returns what is left of them, if that failed.
    async fn write(
        &self,
        member: &Arc<PartitionMember>,
        mut part: PartitionReports,
    ) -> (PartitionReports, RedisResult<()>) {
        if part.len() == 0 || member.check().is_err() {
            return (part, Ok(()));
        }
        let vitals = self.drop_refused(member.store.vitals(&part.vitals).await, "health_refused", part.vitals.len());
        if let Err(error) = vitals {
            return (part, Err(error));
        }
        part.vitals.clear();
        let events =
            self.drop_refused(member.store.write_events(&part.events).await, "event_refused", part.events.len());
        match events {
            Ok(()) => (PartitionReports::default(), Ok(())),
            Err(error) => (part, Err(error)),
        }
    }

    /// Drops what Redis refused for good. Passes any other failure on.
    fn drop_refused(&self, written: RedisResult<()>, reason: &str, count: usize) -> Result<(), RedisError> {
        let Err(error) = written else { return Ok(()) };
        if refused_for_good(&error).is_none() {
            return Err(error);
        }
        tracing::warn!(%error, reason, "Redis refuses reports, which are dropped and counted in muster_reports_dropped_total");
        self.count_dropped(reason, count);
        Ok(())
    }

    fn count_dropped(&self, reason: &str, count: usize) {
        if count > 0 {
            self.metrics.reports_dropped.with_label_values(&[reason]).inc_by(count as u64);
        }
    }
}
