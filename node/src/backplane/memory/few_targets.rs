//! The targets of a command for few: a record for each, by ordinal.

use muster_protocol::api::TargetState;

use crate::backplane::TargetRecord;

/// A time that no target has.
const NEVER: u32 = u32::MAX;

/// The targets of one command, by ascending ordinals.
#[derive(Debug)]
pub(super) struct FewTargets(Box<[FewTarget]>);

/// A target in 24 bytes: its state, and the times of [`TargetRecord::steps`], in ms.
#[derive(Debug, Clone, Copy)]
struct FewTarget {
    ordinal: u32,
    state: TargetState,
    steps: [u32; 4],
}

impl FewTargets {
    /// Targets that nothing was sent to yet. The ordinals ascend.
    pub(super) fn new(ordinals: impl Iterator<Item = u32>) -> Self {
        let queued = |ordinal| FewTarget { ordinal, state: TargetState::Queued, steps: [NEVER; 4] };
        Self(ordinals.map(queued).collect())
    }

    /// The bytes that so many targets take.
    pub(super) fn bytes(targets: u64) -> u64 {
        targets * size_of::<FewTarget>() as u64
    }

    pub(super) fn len(&self) -> u64 {
        self.0.len() as u64
    }

    /// The targets, ascending.
    pub(super) fn ordinals(&self) -> impl Iterator<Item = u32> {
        self.0.iter().map(|target| target.ordinal)
    }

    pub(super) fn has(&self, ordinal: u32) -> bool {
        self.place(ordinal).is_some()
    }

    /// The record of a target.
    pub(super) fn record(&self, ordinal: u32) -> Option<TargetRecord> {
        Some(self.0[self.place(ordinal)?].record())
    }

    /// Raises the state of a target, which it reached `ms` after the command was accepted. Returns whether the state rose.
    pub(super) fn raise(&mut self, ordinal: u32, state: TargetState, ms: u64) -> bool {
        let Some(place) = self.place(ordinal) else { return false };
        let target = &mut self.0[place];
        let mut record = target.record();
        let rose = record.raise(state, ms);
        target.state = record.state;
        target.steps = record.steps.map(|at| at.map_or(NEVER, |at| at.try_into().unwrap_or(NEVER - 1)));
        rose
    }

    /// The states of all targets.
    pub(super) fn states(&self) -> impl Iterator<Item = TargetState> {
        self.0.iter().map(|target| target.state)
    }

    fn place(&self, ordinal: u32) -> Option<usize> {
        self.0.binary_search_by_key(&ordinal, |target| target.ordinal).ok()
    }
}

impl FewTarget {
    fn record(&self) -> TargetRecord {
        TargetRecord { state: self.state, steps: self.steps.map(|at| (at != NEVER).then(|| at.into())) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_target_has_a_state_and_times_of_its_own() {
        let mut few = FewTargets::new([3, 8].into_iter());
        assert!(few.raise(8, TargetState::Acked, 5) && !few.raise(8, TargetState::Sent, u64::MAX));
        assert!(!few.raise(4, TargetState::Acked, 5));
        let steps = [Some(u64::from(NEVER) - 1), Some(5), None, None];
        assert_eq!(few.record(8), Some(TargetRecord { state: TargetState::Acked, steps }));
        assert_eq!((few.record(3), few.record(4)), (Some(TargetRecord::QUEUED), None));
        assert_eq!((FewTargets::bytes(2), few.len()), (48, 2));
    }
}
