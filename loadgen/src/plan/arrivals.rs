//! When things that happen again and again are due: a rate over time, as people write it, and the times that a seed makes of it.
//! Open loop: no time depends on how an earlier one went.

use std::str::FromStr;

use rand::RngExt;
use rand_chacha::ChaCha8Rng;

/// A schedule: `5` or `constant:5`, `poisson:5`, `ramp:1..50`, `step:1,10,50`, `once:20`.
#[derive(Debug, Clone, PartialEq)]
pub enum Arrivals {
    /// So many a second, evenly.
    Constant(f64),
    /// So many a second on average, without memory.
    Poisson(f64),
    /// From one rate to another, in a straight line.
    Ramp(f64, f64),
    /// Each rate for an equal part of the time.
    Step(Vec<f64>),
    /// So many, all at once, at the beginning.
    Once(u32),
}

impl FromStr for Arrivals {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let bad =
            || "a schedule is 5, poisson:5, ramp:1..50, step:1,10,50 or once:20, at most 10000 a second".to_owned();
        let rate = |text: &str| text.parse().ok().filter(|rate| (0.0..=10_000.0).contains(rate)).ok_or_else(bad);
        match text.split_once(':').unwrap_or(("constant", text)) {
            ("constant", text) => Ok(Self::Constant(rate(text)?)),
            ("poisson", text) => Ok(Self::Poisson(rate(text)?)),
            ("ramp", text) => {
                let (from, to) = text.split_once("..").ok_or_else(bad)?;
                Ok(Self::Ramp(rate(from)?, rate(to)?))
            }
            ("step", text) => Ok(Self::Step(text.split(',').map(rate).collect::<Result<_, _>>()?)),
            ("once", text) => Ok(Self::Once(text.parse().map_err(|_| bad())?)),
            _ => Err(bad()),
        }
    }
}

impl Arrivals {
    /// The times in seconds, in order, within this many.
    pub fn times(&self, seconds: f64, rng: &mut ChaCha8Rng) -> Vec<f64> {
        match self {
            Self::Constant(rate) => even(*rate, seconds),
            Self::Poisson(rate) => poisson(*rate, seconds, rng),
            Self::Ramp(from, to) => ramp(*from, *to, seconds),
            Self::Step(rates) => {
                let each = seconds / rates.len() as f64;
                let step = |(n, rate): (usize, &f64)| even(*rate, each).into_iter().map(move |at| at + n as f64 * each);
                rates.iter().enumerate().flat_map(step).collect()
            }
            Self::Once(count) => vec![0.0; *count as usize],
        }
    }
}

fn even(rate: f64, seconds: f64) -> Vec<f64> {
    // A hair more, so that 20 s at 0.05 a second are one and not none.
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

/// The n-th is due when the area under the line reaches n.
fn ramp(from: f64, to: f64, seconds: f64) -> Vec<f64> {
    let slope = (to - from) / seconds;
    let time = |n: f64| {
        if slope.abs() < 1e-9 { n / from } else { ((from * from + 2.0 * slope * n).max(0.0).sqrt() - from) / slope }
    };
    (0..((from + to) / 2.0 * seconds).floor() as u64).map(|n| time(n as f64)).collect()
}

/// A waiting time without memory, with this mean.
pub fn exponential(rng: &mut ChaCha8Rng, mean: f64) -> f64 {
    -rng.random_range(f64::EPSILON..1.0).ln() * mean
}

#[cfg(test)]
mod tests {
    use rand::SeedableRng;

    use super::*;

    fn times(text: &str) -> Vec<f64> {
        text.parse::<Arrivals>().unwrap().times(10.0, &mut ChaCha8Rng::seed_from_u64(1))
    }

    #[test]
    fn each_shape_has_its_times() {
        assert_eq!(times("0.5"), [0.0, 2.0, 4.0, 6.0, 8.0]);
        assert_eq!(times("step:0,1"), [5.0, 6.0, 7.0, 8.0, 9.0]);
        assert_eq!(times("once:2"), [0.0, 0.0]);
        let ramp = times("ramp:0..10");
        assert_eq!(ramp.len(), 50);
        // A quarter of them in the first half.
        assert_eq!(ramp.iter().filter(|at| **at < 5.0).count(), 13);
        // 1000 expected, give or take four standard deviations of 32.
        assert!((870..1130).contains(&times("poisson:100").len()));
        assert!(times("0").is_empty() && times("poisson:0").is_empty());
    }

    #[test]
    fn nonsense_is_told_what_would_be_a_schedule() {
        for bad in ["", "x", "-1", "ramp:1", "step:", "once:x", "sine:1", "1e9"] {
            assert!(bad.parse::<Arrivals>().is_err(), "{bad}");
        }
    }
}
