//! The confidence range of a p99, by a bootstrap over seconds. The deliveries of one broadcast are late together, so
//! thousands of samples are worth only a few independent ones. Therefore whole steps of the timeline are resampled, each with
//! all of its broadcasts, and the range covers the p99s of these resamples.

use rand::{RngExt, SeedableRng, rngs::ChaCha8Rng};

use crate::measure::{Latency, Timeline};

/// The number of resamples. 2.5 % of them, on either side of the range, are 5.
const DRAWS: usize = 200;

/// The range in milliseconds that covers 95 % of the resampled p99s. `None` if fewer than five steps have samples.
/// The same seed gives the same range.
pub fn p99_range(timeline: &Timeline, seed: u64) -> Option<(f64, f64)> {
    let seconds: Vec<&Latency> =
        timeline.steps.iter().map(|step| &step.latency).filter(|latency| latency.count() > 0).collect();
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
