//! Writes what sessions have reported, at each interval: the reports are divided by partition, and each partition's are written in
//! portions by bytes. A partition that is away keeps its reports waiting and nobody else's.
//!
//! Only one task writes at a time, and what could not be written comes before what was reported since: a later report is never replaced
//! by an earlier one. What Redis refuses for good is dropped and counted, so that it blocks nothing behind it.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, PoisonError},
};

use futures_util::future::join_all;
use muster_protocol::{CommandId, Payload, TerminalId, partition::PartitionIndex};
use redis::{RedisError, RedisResult};
use tokio::{sync::Semaphore, time};

use super::{PartitionedBackplane, member::PartitionMember, partition::states::RaisedState};
use crate::{
    backplane::{BackplaneError, redis::refusal::refused_for_good},
    reports::{HealthReport, ReportBatch, ReportedEvent, StateReport},
};

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
}

/// The reports of one partition's terminals.
#[derive(Debug, Clone, Default)]
pub struct PartitionReports {
    /// What targets replied, by command and ordinal, in order.
    pub replies: BTreeMap<CommandId, Vec<(u32, Payload)>>,
    /// States that targets reached.
    pub states: Vec<RaisedState>,
    /// How terminals fare.
    pub vitals: Vec<(TerminalId, HealthReport)>,
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
        let replies: usize = self.replies.values().map(Vec::len).sum();
        replies
            + self.vitals.len()
            + self.events.len()
            + self.states.iter().map(|state| state.targets.len()).sum::<usize>()
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
            let reply = self.members[at].ordinals.of_all(std::iter::once((&terminal, payload)));
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
            self.count_dropped("no_room", beyond + vitals + drop_states(&mut part.states));
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
            let targets = self.members[at].ordinals.of_all(terminals.into_iter());
            let StateReport { command, state, last: settled } = step;
            parts[at].states.push(RaisedState { command, state, settled, targets });
        }
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
        // Replies first: whoever sees that a command has ended sees its reply too.
        for (command, replies) in std::mem::take(&mut part.replies) {
            match member.store.reply(command, &replies, &self.bounds).await {
                Ok(dropped) => self.count_dropped("reply_refused", dropped as usize),
                Err(_) => _ = part.replies.insert(command, replies),
            }
        }
        let mut left = Vec::new();
        for state in std::mem::take(&mut part.states) {
            // A command whose replies wait is not settled before them.
            if part.replies.contains_key(&state.command) || self.raise(member, &state).await.is_err() {
                left.push(state);
            }
        }
        part.states = left;
        let vitals = self.drop_refused(member.store.vitals(&part.vitals).await, "health_refused", part.vitals.len());
        if let Err(error) = vitals {
            return (part, Err(error));
        }
        part.vitals.clear();
        let events =
            self.drop_refused(member.store.write_events(&part.events).await, "event_refused", part.events.len());
        match events {
            Ok(()) => {
                part.events.clear();
                (part, Ok(()))
            }
            Err(error) => (part, Err(error)),
        }
    }

    /// Raises targets to a state. Tells the home of the command if all targets of the partition are settled by that.
    async fn raise(&self, member: &PartitionMember, state: &RaisedState) -> Result<(), BackplaneError> {
        let raised = member.store.raise(state).await?;
        if let Some(home) = self.partitions.home(state.command).filter(|_| raised.is_settled && raised.is_share) {
            let home = self.member(home);
            home.check()?;
            home.store.finish_share(state.command, member.index()).await?;
        }
        Ok(())
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
