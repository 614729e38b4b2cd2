//! What there is to do in a partition, as each renewal of a lease tells it, so that a node makes no call for nothing.

use std::ops::BitOrAssign;

/// What is due in a partition.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct DueUpkeep {
    /// Commands have expired, or commands or keys may be forgotten.
    pub sweep: bool,
    /// Terminals may have something unconfirmed in `open`.
    pub confirm: bool,
    /// Commands were begun by a node that did not finish their acceptance.
    pub finish: bool,
    /// Terminals are offline, so some may be forgotten.
    pub forget: bool,
    /// Commands are done, and that is not told everywhere.
    pub tell: bool,
    /// The registry says that the node holds other sessions than it told.
    pub mend: bool,
    /// The counters of a minute may be written. The renewal does not tell it: it is due when a minute has begun.
    pub minute: bool,
}

impl DueUpkeep {
    /// Reads what beat.lua tells: one letter for each.
    pub fn of(letters: &str) -> Self {
        let has = |letter| letters.contains(letter);
        Self {
            sweep: has('s'),
            confirm: has('c'),
            finish: has('f'),
            forget: has('a'),
            tell: has('t'),
            mend: has('m'),
            minute: false,
        }
    }
}

impl BitOrAssign for DueUpkeep {
    fn bitor_assign(&mut self, other: Self) {
        self.sweep |= other.sweep;
        self.confirm |= other.confirm;
        self.finish |= other.finish;
        self.forget |= other.forget;
        self.tell |= other.tell;
        self.mend |= other.mend;
        self.minute |= other.minute;
    }
}
