//! The last changes of a terminal in memory.

use jiff::Timestamp;
use muster_protocol::api::{ChangeKind, TerminalChange};

use crate::backplane::changes::CHANGES_MAX;

/// Changes, the oldest first, [`CHANGES_MAX`] at most. There is no room for more than there are: most terminals have one.
#[derive(Default)]
pub(super) struct RecentChanges(Vec<TerminalChange>);

impl RecentChanges {
    /// Adds a change. Beyond the bound the oldest goes.
    pub(super) fn push(&mut self, now: Timestamp, kind: ChangeKind) {
        if self.0.len() == CHANGES_MAX {
            self.0.remove(0);
        }
        self.0.reserve_exact(1);
        // To the second, as a partition has them.
        self.0.push(TerminalChange { at: Timestamp::from_second(now.as_second()).unwrap_or(now), kind });
    }

    /// The changes, the newest first.
    pub(super) fn newest_first(&self) -> Vec<TerminalChange> {
        self.0.iter().rev().cloned().collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn beyond_the_bound_the_oldest_goes() {
        let ended = |reason: &str| ChangeKind::Offline { reason: reason.into(), code: None };
        let mut changes = RecentChanges::default();
        for number in 0..20 {
            changes.push(Timestamp::from_millisecond(999).unwrap(), ended(&number.to_string()));
        }
        let all = changes.newest_first();
        let is = |change: &TerminalChange, number: &str| change.kind == ended(number);
        assert!(all.len() == CHANGES_MAX && is(&all[0], "19") && is(&all[15], "4"), "{all:?}");
        assert_eq!(all[0].at, Timestamp::UNIX_EPOCH);
    }
}
