//! The median of a few values, and an interval that holds the true median whatever the values' distribution is: the k-th smallest and the k-th
//! largest of them. Both miss it on one side with the chance that fewer than k of n throws of a coin are heads.

use std::fmt;

/// The trust that is wanted in an interval.
const TRUST: f64 = 0.95;

/// A median with its interval.
pub struct Interval {
    /// The value in the middle.
    pub median: f64,
    /// The lower end.
    pub low: f64,
    /// The upper end.
    pub high: f64,
    /// How far the interval can be trusted, from 0 to 1.
    pub trust: f64,
}

impl Interval {
    /// Of these values, of which there is at least one. With fewer than six the widest interval is trusted less than [`TRUST`].
    pub fn of(mut values: Vec<f64>) -> Self {
        values.sort_by(f64::total_cmp);
        let count = values.len();
        let enough = (1..=count.div_ceil(2)).rev().find(|k| trust(count, *k) >= TRUST);
        let k = enough.unwrap_or(1);
        Self { median: values[count / 2], low: values[k - 1], high: values[count - k], trust: trust(count, k) }
    }
}

/// How far the interval from the k-th smallest of `count` values to the k-th largest can be trusted.
fn trust(count: usize, k: usize) -> f64 {
    let mut ways = 1.0;
    let mut missed = 0.0;
    for heads in 0..k {
        missed += ways;
        ways *= (count - heads) as f64 / (heads + 1) as f64;
    }
    1.0 - 2.0 * missed / 2_f64.powi(count as i32)
}

impl fmt::Display for Interval {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { median, low, high, trust } = self;
        write!(f, "{median:>6.3}  ({low:.3} to {high:.3}, trusted by {:.0} %)", trust * 100.0)
    }
}
