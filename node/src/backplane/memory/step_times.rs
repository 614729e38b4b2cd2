//! When the targets of a command for many reached states: one entry for each report.

use std::sync::Arc;

use muster_protocol::api::TargetState;
use rustc_hash::FxHashMap;

use super::{
    bitmap::Bitmap,
    levels::{GrownSet, Levels},
};
use crate::backplane::{TargetRecord, command_record::step};

/// The bytes of an entry without its list.
const ENTRY_BYTES: u64 = 40;

/// The targets that reached a state, and when, in milliseconds since the command was accepted.
#[derive(Debug, Clone)]
pub(super) enum ReachedTargets {
    /// All of these at the same time.
    Together(Arc<Bitmap>, u64),
    /// Each at a time of its own, by ordinal.
    Each(Vec<(u32, u64)>),
}

impl ReachedTargets {
    /// The ordinals.
    pub(super) fn set(&self) -> Arc<Bitmap> {
        match self {
            Self::Together(set, _) => set.clone(),
            Self::Each(list) => Arc::new(list.iter().map(|(ordinal, _)| *ordinal).collect()),
        }
    }
}

/// The times of one command. Each target has at most one time of sent, acked and running, and one of each final state.
#[derive(Debug, Default)]
pub(super) struct StepTimes {
    entries: Vec<(TargetState, Entry)>,
    /// Those that have a time, by the state's place in [`TargetRecord::steps`].
    timed: [Option<GrownSet>; 4],
    bytes: u64,
}

#[derive(Debug)]
enum Entry {
    Together(Arc<Bitmap>, u64),
    Each(Box<[(u32, u32)]>),
}

impl StepTimes {
    /// Adds the times of a report, before the states are raised. Returns the bytes that they take.
    ///
    /// `room` is how many bytes there are. Times that need more are left out: the states are stored all the same.
    pub(super) fn add(&mut self, state: TargetState, reached: &ReachedTargets, levels: &Levels, room: u64) -> u64 {
        let Some(step) = step(state) else { return 0 };
        let timed = self.timed[step].as_ref();
        let is_new = |ordinal: u32| {
            levels.targets().contains(ordinal)
                && (timed.is_none_or(|timed| !timed.contains(ordinal))
                    || state.is_final() && state.rank() > levels.state(ordinal).rank())
        };
        let (entry, set, bytes) = match reached {
            ReachedTargets::Together(set, at) => {
                if !set.iter().any(is_new) {
                    return 0;
                }
                (Entry::Together(set.clone(), *at), set.clone(), ENTRY_BYTES)
            }
            ReachedTargets::Each(list) => {
                let new = list.iter().filter(|(ordinal, _)| is_new(*ordinal));
                let new: Box<[_]> = new.map(|(ordinal, at)| (*ordinal, (*at).try_into().unwrap_or(u32::MAX))).collect();
                if new.is_empty() {
                    return 0;
                }
                let bytes = ENTRY_BYTES + 8 * new.len() as u64;
                let set = Arc::new(new.iter().map(|(ordinal, _)| *ordinal).collect());
                (Entry::Each(new), set, bytes)
            }
        };
        if bytes > room {
            return 0;
        }
        GrownSet::grow(&mut self.timed[step], &set, levels.targets());
        self.entries.push((state, entry));
        self.bytes += bytes;
        bytes
    }

    /// The records of these targets, which are given by ordinal.
    pub(super) fn records(&self, ordinals: &[u32], levels: &Levels) -> Vec<TargetRecord> {
        let places: FxHashMap<u32, usize> = ordinals.iter().copied().zip(0..).collect();
        let mut records = vec![TargetRecord::QUEUED; ordinals.len()];
        for (state, entry) in &self.entries {
            match entry {
                Entry::Together(set, at) => {
                    let reached = ordinals.iter().zip(&mut records).filter(|(ordinal, _)| set.contains(**ordinal));
                    reached.for_each(|(_, record)| _ = record.raise(*state, *at));
                }
                Entry::Each(list) => {
                    for (ordinal, at) in list {
                        let Some(place) = places.get(ordinal) else { continue };
                        records[*place].raise(*state, u64::from(*at));
                    }
                }
            }
        }
        // Times may have found no room.
        ordinals.iter().zip(&mut records).for_each(|(ordinal, record)| record.state = levels.state(*ordinal));
        records
    }

    /// The bytes of all entries.
    pub(super) fn bytes(&self) -> u64 {
        self.bytes
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn add(times: &mut StepTimes, levels: &mut Levels, state: TargetState, reached: ReachedTargets, room: u64) -> u64 {
        let bytes = times.add(state, &reached, levels, room);
        levels.raise(state, &reached.set());
        bytes
    }

    #[test]
    fn the_first_time_of_a_state_stays_and_the_highest_end_brings_its_own() {
        use TargetState::{Acked, Failed, Sent, Succeeded};
        let targets: Arc<Bitmap> = Arc::new([1, 2, 3].into_iter().collect());
        let (mut times, mut levels) = (StepTimes::default(), Levels::new(targets.clone()));
        let each = |list: &[(u32, u64)]| ReachedTargets::Each(list.to_vec());
        add(&mut times, &mut levels, Succeeded, each(&[(1, 40)]), 1000);
        add(&mut times, &mut levels, Acked, each(&[(1, 15), (9, 15)]), 1000);
        add(&mut times, &mut levels, Sent, ReachedTargets::Together(targets, 12), 1000);
        assert_eq!(add(&mut times, &mut levels, Acked, each(&[(1, 99)]), 1000), 0);
        assert_eq!(add(&mut times, &mut levels, Succeeded, each(&[(1, 99)]), 1000), 0);
        add(&mut times, &mut levels, Failed, each(&[(1, 50)]), 1000);
        let records = times.records(&[1, 3], &levels);
        assert_eq!(records[0], TargetRecord { state: Failed, steps: [Some(12), Some(15), None, Some(50)] });
        assert_eq!(records[1], TargetRecord { state: Sent, steps: [Some(12), None, None, None] });
    }

    #[test]
    fn a_state_without_room_for_its_time_is_stored() {
        let targets: Arc<Bitmap> = Arc::new([1].into_iter().collect());
        let (mut times, mut levels) = (StepTimes::default(), Levels::new(targets));
        add(&mut times, &mut levels, TargetState::Acked, ReachedTargets::Each(vec![(1, 5)]), 10);
        let record = TargetRecord { state: TargetState::Acked, steps: [None; 4] };
        assert_eq!((times.records(&[1], &levels), times.bytes()), (vec![record], 0));
    }
}
