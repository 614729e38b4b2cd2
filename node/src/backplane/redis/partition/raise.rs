//! States that terminals reported (raise.lua). A call takes the reports of several commands: most of what a report
//! costs Redis does not depend on how many targets it has.

use std::collections::{BTreeMap, btree_map::Entry};

use muster_protocol::{CommandId, api::TargetState};
use redis::{RedisResult, ScriptInvocation};

use super::{StorePartition, states::level_of, times};
use crate::backplane::{Cursor, command_record::accepted_ms, cursor::fresh_epoch};

/// The most reports in one call.
const REPORTS_MAX: usize = 32;
/// The most targets in one call, beyond those of one report.
const TARGETS_MAX: usize = 16_384;
/// The most targets of a command that is not for many.
const FEW_MAX: usize = 512;

/// A state that some targets of one partition have reached.
#[derive(Debug, Clone)]
pub struct RaisedState {
    /// The command.
    pub command: CommandId,
    /// The state.
    pub state: TargetState,
    /// Whether these terminals never confirm more than this state, as plain terminals do not.
    pub settled: bool,
    /// Their ordinals, and when they reached it, in milliseconds since 1970.
    pub targets: Vec<(u32, u64)>,
}

/// What reports about one command changed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct RaiseOutcome {
    /// How many targets rose.
    pub rose: u64,
    /// Whether all targets of this partition are settled by this.
    pub is_settled: bool,
    /// Whether the command has other partitions: its home must then be told with [`StorePartition::finish_share`].
    pub is_share: bool,
}

/// A report as a script gets it: its level, and its targets, each once and in ascending order, with their times.
struct Report<'a> {
    raised: &'a RaisedState,
    level: u8,
    targets: Vec<(u32, u32)>,
}

/// Returns the same reports, in portions of one call each: those of one command are behind each other, in the order of
/// states, and those of one state of one command are one.
pub fn portions(states: Vec<RaisedState>) -> Vec<Vec<RaisedState>> {
    let mut merged: BTreeMap<(CommandId, u8, bool), RaisedState> = BTreeMap::new();
    for state in states {
        match merged.entry((state.command, state.state.rank(), state.settled)) {
            Entry::Occupied(mut before) => before.get_mut().targets.extend(state.targets),
            Entry::Vacant(none) => _ = none.insert(state),
        }
    }
    let (mut portions, mut targets) = (Vec::<Vec<_>>::new(), 0);
    for state in merged.into_values() {
        targets += state.targets.len();
        match portions.last_mut().filter(|last| last.len() < REPORTS_MAX && targets <= TARGETS_MAX) {
            Some(last) => last.push(state),
            None => {
                targets = state.targets.len();
                portions.push(vec![state]);
            }
        }
    }
    portions
}

impl StorePartition {
    /// Raises targets to a state: [`raise_all`](Self::raise_all) with one report.
    ///
    /// # Errors
    /// As [`raise_all`](Self::raise_all).
    pub async fn raise(&self, seen: &Cursor, raised: &RaisedState) -> RedisResult<Option<RaiseOutcome>> {
        let outcomes = self.raise_all(seen, std::slice::from_ref(raised)).await?;
        Ok(outcomes.map(|outcomes| outcomes.first().map_or_else(RaiseOutcome::default, |(_, outcome)| *outcome)))
    }

    /// Raises targets to states. States only rise, so a report may be repeated, and reports may overtake each other.
    /// Terminals that are no targets are left alone, and a command that is not stored is no error. Gives what changed
    /// of each command.
    ///
    /// `seen` is the epoch in which the ordinals were given, and the last number that this node has seen of it. None if
    /// the store has another epoch, or gets one since it lacks that number: then nothing is changed. An empty epoch is
    /// any.
    ///
    /// The reports are those of one call, as [`portions`] divides them.
    ///
    /// # Errors
    /// If Redis does not answer or refuses the call. It may have been carried out.
    pub async fn raise_all(
        &self,
        seen: &Cursor,
        reports: &[RaisedState],
    ) -> RedisResult<Option<Vec<(CommandId, RaiseOutcome)>>> {
        let reports: Vec<_> = reports.iter().filter_map(Report::of).collect();
        if reports.is_empty() {
            return Ok(Some(Vec::new()));
        }
        let commands = || reports.chunk_by(|one, next| one.raised.command == next.raised.command);
        let mut call = self.scripts.raise(&self.keys);
        call.arg(&seen.epoch).arg(seen.number).arg(fresh_epoch());
        commands().for_each(|reports| add_command(&mut call, reports));
        let answer: Option<Vec<u64>> = call.invoke_async(&mut self.connection.clone()).await?;
        let Some(answer) = answer else { return Ok(None) };
        let mut answer = answer.into_iter();
        let outcome = |reports: &[Report<'_>]| {
            let mut next = || answer.next().unwrap_or(0);
            let (is_settled, is_share) = (next() == 1, next() == 1);
            let rose = reports.iter().map(|_| next()).sum();
            (reports[0].raised.command, RaiseOutcome { rose, is_settled, is_share })
        };
        Ok(Some(commands().map(outcome).collect()))
    }
}

impl<'a> Report<'a> {
    /// None of a state that is not stored, or without targets.
    fn of(raised: &'a RaisedState) -> Option<Self> {
        let level = level_of(raised.state).filter(|level| *level > 0 && !raised.targets.is_empty())?;
        Some(Self { raised, level, targets: first_times(raised) })
    }

    fn has_targets_of(&self, other: &Self) -> bool {
        self.targets.iter().map(|(ordinal, _)| ordinal).eq(other.targets.iter().map(|(ordinal, _)| ordinal))
    }
}

/// Adds the reports of one command to a call.
fn add_command(call: &mut ScriptInvocation<'_>, reports: &[Report<'_>]) {
    let mut times: BTreeMap<u32, Vec<u8>> = BTreeMap::new();
    for report in reports {
        for (bucket, entries) in times::entries(report.level, &report.targets) {
            times.entry(bucket).or_default().extend(entries);
        }
    }
    call.arg(reports[0].raised.command.to_string()).arg(reports.len()).arg(times.len());
    let mut before: Option<&Report<'_>> = None;
    for report in reports {
        let RaisedState { state, settled, .. } = report.raised;
        call.arg(state.name()).arg(if *settled { "settled" } else { "" }).arg(few_reports(&report.targets));
        if before.is_some_and(|before| before.has_targets_of(report)) {
            call.arg(0).arg("");
        } else {
            let (offset, bits) = bitmap(&report.targets);
            call.arg(offset).arg(bits);
        }
        before = Some(report);
    }
    for (bucket, entries) in times {
        call.arg(bucket).arg(entries);
    }
}

/// Returns each target once, in ascending order, with its first time as it is stored: 1 and the milliseconds since the
/// time in the command's id. Beyond 49 days it stays at the greatest value.
fn first_times(raised: &RaisedState) -> Vec<(u32, u32)> {
    let begun = accepted_ms(raised.command);
    let mut first = BTreeMap::new();
    for (ordinal, at) in &raised.targets {
        let ms = u32::try_from(at.saturating_sub(begun)).unwrap_or(u32::MAX - 1).saturating_add(1).min(u32::MAX - 256);
        first.entry(*ordinal).and_modify(|known: &mut u32| *known = ms.min(*known)).or_insert(ms);
    }
    first.into_iter().collect()
}

/// Returns the targets as few_states.lua reads them. Of more, none is a target of a command for few.
fn few_reports(targets: &[(u32, u32)]) -> Vec<u8> {
    let few = targets.iter().filter(|_| targets.len() <= FEW_MAX);
    few.flat_map(|(ordinal, ms)| [ordinal.to_be_bytes(), ms.to_be_bytes()].concat()).collect()
}

/// Returns a bitmap of the targets, from the byte that has the first.
fn bitmap(targets: &[(u32, u32)]) -> (u32, Vec<u8>) {
    let offset = targets[0].0 / 8;
    let mut bits = vec![0; (targets[targets.len() - 1].0 / 8 - offset) as usize + 1];
    for (ordinal, _) in targets {
        bits[(ordinal / 8 - offset) as usize] |= 128 >> (ordinal % 8);
    }
    (offset, bits)
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;
    use TargetState::{Acked, Sent};

    #[test]
    fn reports_of_one_state_of_a_command_are_one_and_a_call_has_a_bound() {
        let commands: Vec<_> = (0..40).map(|number| CommandId(Uuid::from_u128(number))).collect();
        let report =
            |command, state, ordinal| RaisedState { command, state, settled: false, targets: vec![(ordinal, 7)] };
        let both =
            |ordinal| commands.iter().flat_map(move |id| [report(*id, Acked, ordinal), report(*id, Sent, ordinal)]);
        let portions = portions(both(1).chain(both(2)).collect());
        assert_eq!(portions.iter().map(Vec::len).collect::<Vec<_>>(), [32, 32, 16]);
        assert!(portions.iter().flatten().all(|report| report.targets == [(1, 7), (2, 7)]));
        assert_eq!(portions[0][..2].iter().map(|report| report.state).collect::<Vec<_>>(), [Sent, Acked]);
    }

    #[test]
    fn a_large_report_has_a_call_of_its_own() {
        let report = |number, count| RaisedState {
            command: CommandId(Uuid::from_u128(number)),
            state: Sent,
            settled: false,
            targets: (0..count).map(|ordinal| (ordinal, 7)).collect(),
        };
        let portions = portions(vec![report(1, 10), report(2, 62_500), report(3, 10)]);
        assert_eq!(portions.iter().map(Vec::len).collect::<Vec<_>>(), [1, 1, 1]);
    }
}
