//! The states of many targets: for each stored state a bitmap of the targets that reached it or one beyond it. So each bitmap lies
//! within the one before, raising is an OR, and reports may come twice and in any order.

use std::{collections::BTreeMap, sync::Arc};

use muster_protocol::api::TargetState;

use super::bitmap::Bitmap;

/// The number of states that a target can be raised to: all that are stored but the first.
const LEVELS: usize = TargetState::STORED.len() - 1;

/// The targets of a command and their states.
#[derive(Debug)]
pub(super) struct Levels {
    targets: GrownSet,
    levels: [Option<GrownSet>; LEVELS],
}

/// A set that only grows, within the targets, and how many it has. A set of all targets shares their bitmap, so it takes no bytes: that
/// is what a command ends with whose targets all do the same.
#[derive(Debug, Clone)]
pub(super) struct GrownSet {
    set: Arc<Bitmap>,
    count: u64,
}

impl GrownSet {
    pub(super) fn new(set: Arc<Bitmap>) -> Self {
        Self { count: set.count(), set }
    }

    /// Adds those of `more` that are targets to a set, which may be none yet. Returns the number of those that are new.
    pub(super) fn grow(grown: &mut Option<Self>, more: &Bitmap, targets: &Self) -> u64 {
        let grown = grown.get_or_insert_with(|| Self { set: Arc::default(), count: 0 });
        if grown.count == targets.count {
            return 0;
        }
        let new = Arc::make_mut(&mut grown.set).add_within(more, &targets.set);
        grown.count += new;
        if grown.count == targets.count {
            grown.set = targets.set.clone();
        }
        new
    }

    pub(super) fn contains(&self, ordinal: u32) -> bool {
        self.set.contains(ordinal)
    }
}

impl Levels {
    pub(super) fn new(targets: Arc<Bitmap>) -> Self {
        Self { targets: GrownSet::new(targets), levels: Default::default() }
    }

    pub(super) fn targets(&self) -> &GrownSet {
        &self.targets
    }

    /// The number of targets.
    pub(super) fn len(&self) -> u64 {
        self.targets.count
    }

    /// The targets, ascending.
    pub(super) fn ordinals(&self) -> impl Iterator<Item = u32> {
        self.targets.set.iter()
    }

    /// Raises targets to a state. Returns how many rose. What is no target is passed over.
    pub(super) fn raise(&mut self, state: TargetState, reached: &Bitmap) -> u64 {
        let rank = usize::from(state.rank());
        self.levels[..rank].iter_mut().fold(0, |_, level| GrownSet::grow(level, reached, &self.targets))
    }

    /// The state of a target.
    pub(super) fn state(&self, ordinal: u32) -> TargetState {
        let reached =
            |(level, _): &(&Option<GrownSet>, TargetState)| level.as_ref().is_some_and(|level| level.contains(ordinal));
        let highest = self.levels.iter().zip(TargetState::STORED.into_iter().skip(1)).rev().find(reached);
        highest.map_or(TargetState::Queued, |(_, state)| state)
    }

    /// The number of targets in each state.
    pub(super) fn counts(&self) -> BTreeMap<TargetState, u64> {
        let reached = self.levels.iter().map(|level| level.as_ref().map_or(0, |level| level.count));
        let beyond = reached.clone().chain([0]).skip(1);
        let states = TargetState::STORED.into_iter().zip([self.len()].into_iter().chain(reached));
        let first = self.levels[0].as_ref().map_or(0, |level| level.count);
        states.zip([first].into_iter().chain(beyond)).map(|((state, count), beyond)| (state, count - beyond)).collect()
    }

    /// The bytes that the bitmaps of one command may take.
    pub(super) fn bytes(targets: &Bitmap) -> u64 {
        targets.bytes() * TargetState::STORED.len() as u64
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn set(ordinals: &[u32]) -> Bitmap {
        ordinals.iter().copied().collect()
    }

    fn of(targets: &[u32]) -> Levels {
        Levels::new(Arc::new(set(targets)))
    }

    #[test]
    fn states_rise_in_any_order_and_once() {
        let mut levels = of(&[1, 2, 70]);
        assert_eq!(levels.raise(TargetState::Succeeded, &set(&[2, 3, 99])), 1);
        assert_eq!(levels.raise(TargetState::Sent, &set(&[1, 2, 70])), 2);
        assert_eq!(levels.raise(TargetState::Acked, &set(&[2])), 0);
        assert_eq!(
            [1, 2, 70].map(|one| levels.state(one)),
            [TargetState::Sent, TargetState::Succeeded, TargetState::Sent]
        );
        let counts = levels.counts();
        let count = |state| counts[&state];
        assert_eq!(
            (count(TargetState::Queued), count(TargetState::Sent), count(TargetState::Succeeded), levels.len()),
            (0, 2, 1, 3)
        );
    }

    #[test]
    fn a_state_that_all_targets_reached_takes_no_bitmap_of_its_own() {
        let mut levels = of(&[1, 2, 70]);
        levels.raise(TargetState::Sent, &set(&[1, 2]));
        levels.raise(TargetState::Sent, &set(&[70]));
        let sent = levels.levels[0].as_ref().unwrap();
        assert!(Arc::ptr_eq(&sent.set, &levels.targets.set));
    }
}
