//! Writes what sessions have reported, at each interval: the reports are divided by partition, and each partition's are
//! written in portions by bytes. If a partition is away, only its own reports wait.
//!
//! A call costs Redis more than the reports in it. So while the acknowledgements of a broadcast come in, which concern
//! many partitions, they are gathered for up to [`HELD_MAX`] further intervals, until an interval brings few. What
//! concerns few partitions is written at once.
//!
//! Only one task writes at a time, and what could not be written comes before what was reported since: a later report
//! is never replaced by an earlier one. [`writing`](super::writing) writes the portion of a partition.

use std::{
    collections::BTreeMap,
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
};

use futures_util::future::join_all;
use muster_protocol::{TerminalId, partition::PartitionIndex};
use redis::RedisResult;
use tokio::{sync::Semaphore, time};

use super::{RedisBackplane, partition::raise::RaisedState, partition_reports::PartitionReports};
use crate::{
    backplane::warning_pace::WarningPace,
    reports::{ReportBatch, StateReport},
};

/// The most bytes of replies that wait, of all partitions together. When so many wait, a new reply is dropped and
/// counted, and the waiting replies stay. So an earlier reply of a terminal may be kept, and its newest dropped.
const WAITING_REPLIES_MAX: usize = 64 << 20;

/// States of at most so many partitions are written at the interval in which they came.
const FEW_PARTITIONS: usize = 2;
/// The intervals for which states of more partitions are gathered at most, as long as each brings more: a state can be
/// seen after 250 ms.
const HELD_MAX: u32 = 4;

/// Whose turn it is to write, and what waits, by partition.
#[derive(Debug)]
pub struct ReportWriter {
    turn: Semaphore,
    waiting: Mutex<Vec<PartitionReports>>,
    /// Whether reports were taken out of their table and are not divided by partition yet.
    is_dividing: AtomicBool,
    /// For each partition, whether events of it were divided that are not written yet.
    with_events: Mutex<Vec<bool>>,
    /// Paces the warning that Redis refuses reports.
    pub refused: WarningPace,
}

impl Default for ReportWriter {
    fn default() -> Self {
        Self {
            turn: Semaphore::new(1),
            waiting: Mutex::default(),
            is_dividing: AtomicBool::new(false),
            with_events: Mutex::default(),
            refused: WarningPace::default(),
        }
    }
}

impl ReportWriter {
    fn has_events_of(&self, partition: PartitionIndex) -> bool {
        let with_events = self.with_events.lock().unwrap_or_else(PoisonError::into_inner);
        with_events.get(usize::from(partition.0)).copied().unwrap_or(false)
    }

    /// Notes which partitions have events that are not written.
    fn note_events(&self, parts: &[PartitionReports]) {
        let with_events = parts.iter().map(|part| !part.events.is_empty()).collect();
        *self.with_events.lock().unwrap_or_else(PoisonError::into_inner) = with_events;
    }
}

impl RedisBackplane {
    /// Takes reports and writes them; never returns. Tries again to write what could not be written, while new reports
    /// gather in their bounded table.
    pub(super) async fn write_reports(&self) {
        let (mut beat, mut held) = (time::interval(self.report_interval), 0);
        loop {
            beat.tick().await;
            if held < HELD_MAX && self.gather_burst().await {
                held += 1;
                continue;
            }
            held = 0;
            if let Err(error) = self.flush().await {
                tracing::debug!(%error, "reports wait");
                time::sleep(10 * self.report_interval).await;
            }
        }
    }

    /// Takes what was reported, and writes nothing. Returns whether more reports are to be expected: states came from
    /// more than a few partitions. Returns false if the batch has states of plain terminals: they acknowledge nothing,
    /// and until their states are written they may get the command a second time if this node ends.
    async fn gather_burst(&self) -> bool {
        let _turn = self.writer.turn.acquire().await;
        self.writer.is_dividing.store(true, Ordering::SeqCst);
        let batch = self.reports.drain();
        let is_last = batch.walks.iter().map(|(step, ..)| step).chain(batch.steps.keys()).any(|step| step.last);
        let parts = self.add(batch);
        self.writer.is_dividing.store(false, Ordering::SeqCst);
        let fresh = parts.iter().filter(|part| part.is_fresh).count();
        *self.writer.waiting.lock().unwrap_or_else(PoisonError::into_inner) = parts;
        fresh > FEW_PARTITIONS && !is_last
    }

    /// Writes everything that was reported until now, of all partitions that answer.
    pub(super) async fn flush(&self) -> RedisResult<()> {
        self.flush_those(|_| true).await
    }

    /// Writes everything that was reported until now of the terminal's partition, if an event of the terminal may be
    /// among it. A session that begins or ends calls this first: so what a terminal did is written in order. Waits for
    /// nothing if the terminal and its partition have no events.
    pub(super) async fn flush_events_of(&self, terminal: &TerminalId, partition: PartitionIndex) -> RedisResult<()> {
        // The order of the two checks matters: an event is first in the table, and then among the events of its
        // partition.
        let is_due = self.reports.has_event_of(terminal)
            || self.writer.is_dividing.load(Ordering::SeqCst)
            || self.writer.has_events_of(partition);
        if is_due { self.flush_in(partition).await } else { Ok(()) }
    }

    /// Writes everything that was reported until now of one partition.
    pub(super) async fn flush_in(&self, partition: PartitionIndex) -> RedisResult<()> {
        self.flush_those(|index| index == partition).await
    }

    async fn flush_those(&self, is_written: impl Fn(PartitionIndex) -> bool) -> RedisResult<()> {
        let _turn = self.writer.turn.acquire().await;
        let ended: Vec<_> = self.members.iter().map(|member| member.ordinals.ended()).collect();
        self.writer.is_dividing.store(true, Ordering::SeqCst);
        let parts = self.add(self.reports.drain());
        self.writer.is_dividing.store(false, Ordering::SeqCst);
        let written = join_all(self.members.iter().zip(parts).map(async |(member, part)| {
            if is_written(member.index()) { self.write(member, part).await } else { (part, Ok(())) }
        }));
        let written = written.await;
        for ((member, ended), (rest, written)) in self.members.iter().zip(ended).zip(&written) {
            if written.is_ok() && rest.needs_no_ordinals() {
                member.ordinals.remove(&ended);
            }
        }
        let (rests, results): (Vec<_>, Vec<_>) = written.into_iter().unzip();
        self.writer.note_events(&rests);
        *self.writer.waiting.lock().unwrap_or_else(PoisonError::into_inner) = rests;
        results.into_iter().collect()
    }

    /// Returns what waits, with what this batch adds, by partition.
    fn add(&self, batch: ReportBatch) -> Vec<PartitionReports> {
        if batch.dropped > 0 {
            tracing::warn!(dropped = batch.dropped, "reports found no room while Redis was away");
            self.count_dropped("no_room", batch.dropped as usize);
        }
        let mut parts = std::mem::take(&mut *self.writer.waiting.lock().unwrap_or_else(PoisonError::into_inner));
        parts.resize_with(self.members.len(), PartitionReports::default);
        parts.iter_mut().for_each(|part| part.is_fresh = false);
        for (step, terminals) in batch.all_states() {
            self.add_states(&mut parts, step, terminals);
        }
        let waiting = parts.iter().flat_map(|part| part.replies.values().flatten());
        let mut room = WAITING_REPLIES_MAX.saturating_sub(waiting.map(|(_, payload)| payload.as_json().len()).sum());
        for (command, terminal, payload) in batch.replies {
            let Some(left) = room.checked_sub(payload.as_json().len()) else {
                self.count_dropped("no_room", 1);
                continue;
            };
            room = left;
            let at = usize::from(self.partitions.of(&terminal).0);
            let (epoch, reply) = self.members[at].ordinals.of_all(std::iter::once((&terminal, payload)));
            self.count_dropped("other_epoch", parts[at].begin_epoch(epoch));
            parts[at].replies.entry(command).or_default().extend(reply);
        }
        for (terminal, report) in batch.vitals {
            if let Some((at, _)) = report.seen {
                let at = at.as_millisecond().unsigned_abs();
                self.member_of(&terminal).ordinals.heard(&terminal, at);
            }
            parts[usize::from(self.partitions.of(&terminal).0)].add_vitals(terminal, report);
        }
        for event in batch.events {
            parts[usize::from(self.partitions.of(&event.terminal).0)].events.push(event);
        }
        for part in &mut parts {
            self.count_dropped("no_room", part.drop_beyond_bounds());
        }
        self.writer.note_events(&parts);
        parts
    }

    /// Divides a state by partition, and replaces terminals by their ordinals. Leaves out a terminal without an
    /// ordinal: such a terminal is not known, and so no target.
    fn add_states(&self, parts: &mut [PartitionReports], step: StateReport, terminals: Vec<(&TerminalId, u64)>) {
        let mut by_partition: BTreeMap<PartitionIndex, Vec<(&TerminalId, u64)>> = BTreeMap::new();
        for (terminal, at) in terminals {
            by_partition.entry(self.partitions.of(terminal)).or_default().push((terminal, at));
        }
        for (partition, terminals) in by_partition {
            let at = usize::from(partition.0);
            let (epoch, targets) = self.members[at].ordinals.of_all(terminals.into_iter());
            self.count_dropped("other_epoch", parts[at].begin_epoch(epoch));
            let StateReport { command, state, last: settled } = step;
            parts[at].is_fresh = true;
            parts[at].states.push(RaisedState { command, state, settled, targets });
        }
    }
}
