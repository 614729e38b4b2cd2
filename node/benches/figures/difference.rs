//! Whether two runs differ by more than noise.

use super::interval::Interval;

/// Intervals that are trusted less than this say nothing: it takes four values. Those of two runs of four that are alike have no value in common
/// in 3 % of all cases, and of two runs of two in a third.
const TRUST_MIN: f64 = 0.85;

/// What the intervals of an earlier and a later run say.
#[derive(Debug, PartialEq, Eq)]
pub enum Difference {
    /// All of the later interval is worse than all of the earlier one.
    Worse,
    /// The other way round.
    Better,
    /// The runs can't be told apart: the intervals have a value in common, or are of too few values.
    None,
}

/// Compares two intervals.
pub fn difference(earlier: &Interval, later: &Interval, more_is_better: bool) -> Difference {
    if earlier.trust < TRUST_MIN || later.trust < TRUST_MIN {
        return Difference::None;
    }
    match (later.low > earlier.high, later.high < earlier.low) {
        (false, false) => Difference::None,
        (is_higher, _) if is_higher == more_is_better => Difference::Better,
        _ => Difference::Worse,
    }
}
