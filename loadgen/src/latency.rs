//! Latencies, as an HDR histogram that speaks of durations.

use std::{fmt, time::Duration};

use hdrhistogram::Histogram;

/// Microseconds up to ten minutes, in three digits.
pub struct Latency(Histogram<u64>);

/// The shares that are shown, each with how many samples it takes to mean something.
const SHARES: [(&str, f64, u64); 4] =
    [("p50", 0.5, 20), ("p90", 0.9, 100), ("p99", 0.99, 1000), ("p99.9", 0.999, 10_000)];

impl Latency {
    /// Of these samples.
    pub fn of(samples: impl Iterator<Item = Duration>) -> Self {
        let mut histogram = Histogram::new_with_bounds(1, 600_000_000, 3).expect("the bounds are in order");
        samples.for_each(|sample| histogram.saturating_record((sample.as_micros() as u64).max(1)));
        Self(histogram)
    }

    /// The names of the columns that a latency is shown in.
    pub fn heading() -> String {
        columns().map(|name| format!("{name:>9}")).collect()
    }

    /// In milliseconds by name; a share for which there are too few samples is left out.
    pub fn figures(&self) -> Vec<(&'static str, f64)> {
        let shares = SHARES.iter().filter(|(_, _, least)| self.0.len() >= *least);
        let mut figures: Vec<_> =
            shares.map(|(name, share, _)| (*name, milliseconds(self.0.value_at_quantile(*share)))).collect();
        figures.push(("max", milliseconds(self.0.max())));
        figures
    }
}

impl fmt::Display for Latency {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let figures = self.figures();
        for name in columns() {
            match figures.iter().find(|(known, _)| *known == name) {
                Some((_, value)) => write!(f, "{value:>9.2}")?,
                None => write!(f, "{:>9}", "-")?,
            }
        }
        Ok(())
    }
}

fn columns() -> impl Iterator<Item = &'static str> {
    SHARES.iter().map(|(name, ..)| *name).chain(["max"])
}

fn milliseconds(microseconds: u64) -> f64 {
    microseconds as f64 / 1000.0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_share_needs_its_samples() {
        let few = Latency::of((1..=50).map(Duration::from_millis));
        let names: Vec<_> = few.figures().into_iter().map(|(name, _)| name).collect();
        assert_eq!(names, ["p50", "max"]);
        let many = Latency::of((1..=1000).map(Duration::from_millis)).figures();
        assert!((many[0].1 - 500.0).abs() < 1.0 && (many[2].1 - 990.0).abs() < 1.0, "{many:?}");
    }
}
