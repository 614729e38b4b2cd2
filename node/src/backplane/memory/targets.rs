//! The targets of a command and their states.

use std::{collections::BTreeMap, sync::Arc};

use muster_protocol::api::TargetState;

use super::{
    bitmap::Bitmap,
    few_targets::FewTargets,
    levels::Levels,
    step_times::{ReachedTargets, StepTimes},
};
use crate::backplane::TargetRecord;

/// Up to so many named targets have a record each. Beyond it bitmaps are smaller and faster.
const FEW_MAX: u64 = 512;

/// The targets of a command.
#[derive(Debug)]
pub(super) enum Targets {
    /// A record for each.
    Few(FewTargets),
    /// A bitmap for each state, and when they were reached.
    Many(Box<ManyTargets>),
}

/// The targets of a command for many.
#[derive(Debug)]
pub(super) struct ManyTargets {
    levels: Levels,
    times: StepTimes,
}

impl Targets {
    /// Targets that nothing was sent to yet.
    pub(super) fn new(set: Arc<Bitmap>, is_named: bool) -> Self {
        if is_named && set.count() <= FEW_MAX {
            Self::Few(FewTargets::new(set.iter()))
        } else {
            Self::Many(Box::new(ManyTargets { levels: Levels::new(set), times: StepTimes::default() }))
        }
    }

    /// The bytes that [`new`](Self::new) and the states may take.
    pub(super) fn bytes(set: &Bitmap, is_named: bool) -> u64 {
        let count = set.count();
        if is_named && count <= FEW_MAX { FewTargets::bytes(count) } else { Levels::bytes(set) }
    }

    /// The number of targets.
    pub(super) fn len(&self) -> u64 {
        match self {
            Self::Few(few) => few.len(),
            Self::Many(many) => many.levels.len(),
        }
    }

    /// The targets, ascending.
    pub(super) fn ordinals(&self) -> Vec<u32> {
        match self {
            Self::Few(few) => few.ordinals().collect(),
            Self::Many(many) => many.levels.ordinals().collect(),
        }
    }

    pub(super) fn has(&self, ordinal: u32) -> bool {
        match self {
            Self::Few(few) => few.has(ordinal),
            Self::Many(many) => many.levels.targets().contains(ordinal),
        }
    }

    /// The state of a terminal, if it is a target.
    pub(super) fn state(&self, ordinal: u32) -> Option<TargetState> {
        match self {
            Self::Few(few) => few.record(ordinal).map(|record| record.state),
            Self::Many(many) => many.levels.targets().contains(ordinal).then(|| many.levels.state(ordinal)),
        }
    }

    /// Raises targets to a state. Returns how many rose, and the bytes that their times take, of `room` at most.
    pub(super) fn raise(&mut self, state: TargetState, reached: &ReachedTargets, room: u64) -> (u64, u64) {
        match (self, reached) {
            (Self::Few(few), ReachedTargets::Each(list)) => {
                let rose = list.iter().filter(|(ordinal, at)| few.raise(*ordinal, state, *at));
                (rose.count() as u64, 0)
            }
            (Self::Few(few), ReachedTargets::Together(set, at)) => {
                let reached: Vec<_> = few.ordinals().filter(|ordinal| set.contains(*ordinal)).collect();
                let rose = reached.into_iter().filter(|ordinal| few.raise(*ordinal, state, *at));
                (rose.count() as u64, 0)
            }
            (Self::Many(many), _) => {
                let ManyTargets { levels, times } = &mut **many;
                let bytes = times.add(state, reached, levels, room);
                (levels.raise(state, &reached.set()), bytes)
            }
        }
    }

    /// The records of these targets.
    pub(super) fn records(&self, ordinals: &[u32]) -> Vec<TargetRecord> {
        match self {
            Self::Few(few) => ordinals.iter().filter_map(|ordinal| few.record(*ordinal)).collect(),
            Self::Many(many) => many.times.records(ordinals, &many.levels),
        }
    }

    /// The number of targets in each state.
    pub(super) fn counts(&self) -> BTreeMap<TargetState, u64> {
        match self {
            Self::Few(few) => {
                let mut counts = BTreeMap::from([(TargetState::Queued, 0)]);
                few.states().for_each(|state| *counts.entry(state).or_default() += 1);
                counts
            }
            Self::Many(many) => many.levels.counts(),
        }
    }

    /// The bytes of the times.
    pub(super) fn times_bytes(&self) -> u64 {
        match self {
            Self::Few(_) => 0,
            Self::Many(many) => many.times.bytes(),
        }
    }
}
