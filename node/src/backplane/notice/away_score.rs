//! When a terminal went offline, as a number by which such terminals are sorted.

use std::hash::Hasher;

use jiff::Timestamp;
use muster_protocol::TerminalId;
use rustc_hash::FxHasher;
use serde::{Deserialize, Serialize};

/// The scores of one millisecond.
const SPREAD: u64 = 2048;

/// A place among the terminals that are offline: the millisecond when the terminal went, and 11 bits of a hash of its id. So a portion
/// of terminals can end within a millisecond in which a whole node went. The number is exact in Redis, which counts scores in floating
/// point.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct AwayScore(pub u64);

impl AwayScore {
    /// Behind every other.
    pub const MAX: Self = Self(1 << 53);

    /// Of a terminal that went offline at this time.
    pub fn of(terminal: &TerminalId, at: Timestamp) -> Self {
        let mut hash = FxHasher::default();
        hash.write(terminal.as_str().as_bytes());
        Self(Self::before(at).0 + hash.finish() % SPREAD)
    }

    /// Before all terminals that went at this time or later.
    pub fn before(at: Timestamp) -> Self {
        Self(u64::try_from(at.as_millisecond()).unwrap_or(0).saturating_mul(SPREAD).min(Self::MAX.0))
    }

    /// When a terminal with this score went.
    pub fn at(self) -> Timestamp {
        Timestamp::from_millisecond((self.0 / SPREAD) as i64).unwrap_or(Timestamp::UNIX_EPOCH)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn terminals_of_one_millisecond_have_different_scores_that_tell_the_time() {
        let at = Timestamp::from_millisecond(1_900_000_000_123).unwrap();
        let scores: BTreeSet<_> = (0..200).map(|n| AwayScore::of(&format!("t{n}").parse().unwrap(), at)).collect();
        assert!(scores.len() > 150, "{}", scores.len());
        assert!(scores.iter().all(|score| score.at() == at && *score >= AwayScore::before(at)));
        assert!(*scores.last().unwrap() < AwayScore::MAX);
    }
}
