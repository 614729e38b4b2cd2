//! Writes what sessions have reported, at each interval: the reports are divided by partition, and each partition's are written in
//! portions by bytes. A partition that is away keeps its reports waiting and nobody else's.
//!
//! Only one task writes at a time, and what could not be written comes before what was reported since: a later report is never replaced
//! by an earlier one. [`writing`](super::writing) writes the portion of a partition.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, PoisonError},
    time::Instant,
};

use futures_util::future::join_all;
use muster_protocol::{CommandId, Payload, TerminalId, partition::PartitionIndex};
use redis::RedisResult;
use tokio::{sync::Semaphore, time};

use super::{RedisBackplane, partition::states::RaisedState, writing::is_due};
use crate::reports::{HealthReport, ReportBatch, ReportedEvent, StateReport};

/// What waits for one partition at most, in reports. Beyond it the oldest is dropped and counted.
const WAITING_MAX: usize = 100_000;
/// The bytes of replies that wait at most, of all partitions together. Beyond it a new reply is dropped and counted, and those that
/// wait stay: an earlier reply of the same terminal may be among them, so the newest is not always kept.
const WAITING_REPLIES_MAX: usize = 64 << 20;

/// Whose turn it is to write, and what waits, by partition.
#[derive(Debug)]
pub struct ReportWriter {
    turn: Semaphore,
    waiting: Mutex<Vec<PartitionReports>>,
    /// When it was last told that Redis refuses reports.
    warned_at: Mutex<Option<Instant>>,
}

/// The reports of one partition's terminals.
#[derive(Debug, Clone, Default)]
pub struct PartitionReports {
    /// The epoch of the store that gave the ordinals of `replies` and `states`.
    pub epoch: Arc<str>,
    /// What targets replied, by command and ordinal, in order.
    pub replies: BTreeMap<CommandId, Vec<(u32, Payload)>>,
    /// States that targets reached.
    pub states: Vec<RaisedState>,
    /// Commands of which all targets of the partition are settled, and whose homes are to be told.
    pub settled: Vec<CommandId>,
    /// How terminals fare.
    pub vitals: Vec<(TerminalId, HealthReport)>,
    /// What happened, in order.
    pub events: Vec<ReportedEvent>,
}

impl Default for ReportWriter {
    fn default() -> Self {
        Self { turn: Semaphore::new(1), waiting: Mutex::default(), warned_at: Mutex::default() }
    }
}

impl ReportWriter {
    /// Whether a warning about reports that were dropped may be written: once a minute.
    pub fn may_warn(&self) -> bool {
        is_due(&mut self.warned_at.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl PartitionReports {
    /// Whether there is nothing to do.
    pub fn is_empty(&self) -> bool {
        self.count() == 0 && self.settled.is_empty()
    }

    /// Begins to take ordinals of this epoch. Those of another one may be other terminals' now, and are dropped. Returns how many.
    fn begin_epoch(&mut self, epoch: Arc<str>) -> usize {
        if *self.epoch == *epoch {
            return 0;
        }
        self.epoch = epoch;
        let states: usize = std::mem::take(&mut self.states).iter().map(|state| state.targets.len()).sum();
        states + std::mem::take(&mut self.replies).values().map(Vec::len).sum::<usize>()
    }

    /// The number of reports.
    fn count(&self) -> usize {
        let replies: usize = self.replies.values().map(Vec::len).sum();
        replies
            + self.vitals.len()
            + self.events.len()
            + self.states.iter().map(|state| state.targets.len()).sum::<usize>()
    }
}

impl RedisBackplane {
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
            if written.is_ok() && rest.count() == 0 {
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
            let settled = part.settled.len().saturating_sub(WAITING_MAX);
            part.settled.drain(..settled);
            self.count_dropped("no_room", beyond + vitals + settled + drop_states(&mut part.states));
        }
        parts
    }

    /// Divides a state by partition, and terminals become ordinals. A terminal without ordinal is not known, and so no target.
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
            parts[at].states.push(RaisedState { command, state, settled, targets });
        }
    }
}

/// Drops the oldest states beyond the bound. Returns how many targets they had.
fn drop_states(states: &mut Vec<RaisedState>) -> usize {
    let (mut room, mut kept) = (WAITING_MAX, states.len());
    while kept > 0 && states[kept - 1].targets.len() <= room {
        kept -= 1;
        room -= states[kept].targets.len();
    }
    // A single report may have more targets than the bound: it is written whole.
    let beyond = kept.min(states.len().saturating_sub(1));
    states.drain(..beyond).map(|state| state.targets.len()).sum()
}
