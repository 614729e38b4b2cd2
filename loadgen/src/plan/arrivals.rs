//! Computes the due times of repeated events from a rate and a seed. The load is open loop: no time depends on how
//! an earlier event went.

use rand::{RngExt, rngs::ChaCha8Rng};

use crate::config::Arrivals;

/// Returns the due times in ascending order, in seconds from 0 up to `seconds`.
pub fn times(arrivals: &Arrivals, seconds: f64, rng: &mut ChaCha8Rng) -> Vec<f64> {
    match arrivals {
        Arrivals::Constant(rate) => even(*rate, seconds),
        Arrivals::Poisson(rate) => poisson(*rate, seconds, rng),
        Arrivals::Ramp(from, to) => ramp(*from, *to, seconds),
        Arrivals::Step(rates) => {
            let each = seconds / rates.len() as f64;
            let step = |(n, rate): (usize, &f64)| even(*rate, each).into_iter().map(move |at| at + n as f64 * each);
            rates.iter().enumerate().flat_map(step).collect()
        }
        Arrivals::Once(count) => vec![0.0; *count as usize],
    }
}

fn even(rate: f64, seconds: f64) -> Vec<f64> {
    // The small addition compensates floating-point error: 20 s at 0.05 per second must be one event, not none.
    (0..(rate * seconds + 1e-9).floor() as u64).map(|n| n as f64 / rate).collect()
}

fn poisson(rate: f64, seconds: f64, rng: &mut ChaCha8Rng) -> Vec<f64> {
    let mut at = 0.0;
    std::iter::from_fn(|| {
        at += exponential(rng, 1.0 / rate);
        (at < seconds).then_some(at)
    })
    .collect()
}

/// Event n is due when the integral of the linearly changing rate reaches n.
fn ramp(from: f64, to: f64, seconds: f64) -> Vec<f64> {
    let slope = (to - from) / seconds;
    let time = |n: f64| {
        if slope.abs() < 1e-9 { n / from } else { ((from * from + 2.0 * slope * n).max(0.0).sqrt() - from) / slope }
    };
    (0..((from + to) / 2.0 * seconds).floor() as u64).map(|n| time(n as f64)).collect()
}

/// Draws an exponentially distributed waiting time with this mean.
pub fn exponential(rng: &mut ChaCha8Rng, mean: f64) -> f64 {
    -rng.random_range(f64::EPSILON..1.0).ln() * mean
}

#[cfg(test)]
mod tests {
    use rand::SeedableRng;

    use super::*;

    fn due(text: &str) -> Vec<f64> {
        times(&text.parse().unwrap(), 10.0, &mut ChaCha8Rng::seed_from_u64(1))
    }

    #[test]
    fn each_schedule_has_its_due_times() {
        assert_eq!(due("0.5"), [0.0, 2.0, 4.0, 6.0, 8.0]);
        assert_eq!(due("step:0,1"), [5.0, 6.0, 7.0, 8.0, 9.0]);
        assert_eq!(due("once:2"), [0.0, 0.0]);
        let ramp = due("ramp:0..10");
        assert_eq!(ramp.len(), 50);
        // The first half contains a quarter of the events.
        assert_eq!(ramp.iter().filter(|at| **at < 5.0).count(), 13);
        // 1000 events are expected; the bounds are four standard deviations of 32.
        assert!((870..1130).contains(&due("poisson:100").len()));
        assert!(due("0").is_empty() && due("poisson:0").is_empty());
    }
}
