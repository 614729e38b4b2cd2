//! Whether two runs differ by more than noise.

use super::interval::Interval;

/// What the intervals of an earlier and a later run say.
#[derive(Debug, PartialEq, Eq)]
pub enum Difference {
    /// All of the later interval is worse than all of the earlier one.
    Worse,
    /// The other way round.
    Better,
    /// The intervals have a value in common, so the runs can't be told apart.
    None,
}

/// Compares two intervals.
pub fn difference(earlier: &Interval, later: &Interval, more_is_better: bool) -> Difference {
    match (later.low > earlier.high, later.high < earlier.low) {
        (false, false) => Difference::None,
        (is_higher, _) if is_higher == more_is_better => Difference::Better,
        _ => Difference::Worse,
    }
}
