//! How sure a p99 is. The deliveries of one broadcast are late together, so thousands of samples are few: whole seconds are drawn anew,
//! each with all of its broadcasts, and the p99 of many such draws is looked at.

use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

use crate::measure::{Latency, Timeline};

/// Draws; 2.5 % of them on either side are 5.
const DRAWS: usize = 200;

/// The range in milliseconds that holds 95 % of the draws; `None` if there are too few seconds to draw from.
pub fn p99_range(timeline: &Timeline, seed: u64) -> Option<(f64, f64)> {
    let seconds: Vec<&Latency> =
        timeline.seconds.iter().map(|second| &second.latency).filter(|latency| latency.count() > 0).collect();
    if seconds.len() < 5 {
        return None;
    }
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let mut draw = || {
        let mut sum = Latency::with_digits(2);
        (0..seconds.len()).for_each(|_| sum.merge(seconds[rng.random_range(0..seconds.len())]));
        sum.at(0.99).milliseconds()
    };
    let mut draws: Vec<f64> = (0..DRAWS).map(|_| draw()).collect();
    draws.sort_by(f64::total_cmp);
    Some((draws[DRAWS / 40], draws[DRAWS - 1 - DRAWS / 40]))
}
