//! A histogram of times from 1 µs to 120 s with 3 significant digits. It merges with another histogram without loss,
//! and counts the samples that should have arrived and never did.

use base64::{Engine, engine::general_purpose::STANDARD};
use hdrhistogram::{
    Histogram,
    serialization::{Deserializer as Reader, Serializer as _, V2DeflateSerializer},
};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error as _, ser::Error as _};

use crate::clock::Nanos;

/// The smallest and the largest time that a histogram distinguishes, in nanoseconds: 1 µs and 120 s. A longer time
/// counts as 120 s.
const BOUNDS: (u64, u64) = (1_000, 120_000_000_000);

/// A distribution of times. Takes about 150 KiB of memory with the default of 3 digits.
#[derive(Debug, Clone, PartialEq)]
pub struct Latency {
    histogram: Histogram<u64>,
    /// Samples that never arrived. They count as slower than every sample.
    pub missing: u64,
    /// Samples longer than 120 s. The histogram counts them as 120 s.
    pub overflows: u64,
}

impl Default for Latency {
    fn default() -> Self {
        Self::with_digits(3)
    }
}

impl Latency {
    /// Returns an empty histogram with this number of significant digits, at most 5. Fewer digits take less memory: 20
    /// KiB with 2 digits. Panics with more than 5.
    pub fn with_digits(digits: u8) -> Self {
        let histogram = Histogram::new_with_bounds(BOUNDS.0, BOUNDS.1, digits).expect("the bounds are in order");
        Self { histogram, missing: 0, overflows: 0 }
    }

    /// Adds a sample in nanoseconds. A sample above 120 s counts as 120 s, and as an overflow.
    pub fn record(&mut self, took: Nanos) {
        self.overflows += u64::from(took > BOUNDS.1);
        self.histogram.saturating_record(took.clamp(1, BOUNDS.1));
    }

    /// Adds the samples of `other`, without loss.
    pub fn merge(&mut self, other: &Self) {
        self.histogram.add(&other.histogram).expect("the bounds are the same");
        self.missing += other.missing;
        self.overflows += other.overflows;
    }

    /// Returns the number of samples, without those that never arrived.
    pub fn count(&self) -> u64 {
        self.histogram.len()
    }

    /// Returns the quantile over all samples, with those that never arrived. `None` if fewer than ten samples lie above
    /// the quantile: it would mean nothing.
    pub fn quantile(&self, quantile: f64) -> Option<Quantile> {
        let all = self.count() + self.missing;
        let enough = all as f64 * (1.0 - quantile) >= 10.0 - 1e-6;
        enough.then(|| self.at(quantile))
    }

    /// Returns the quantile over all samples, with those that never arrived, however few samples there are. 0 if there
    /// are none.
    pub fn at(&self, quantile: f64) -> Quantile {
        let all = self.count() + self.missing;
        let rank = (quantile * all as f64).ceil().max(1.0) as u64;
        if rank > self.count() {
            return Quantile::Never;
        }
        Quantile::Within(self.histogram.value_at_quantile(rank as f64 / self.count() as f64))
    }

    /// Returns the largest sample, or [`Quantile::Never`] if one never arrived. `None` without samples.
    pub fn max(&self) -> Option<Quantile> {
        (self.count() + self.missing > 0).then(|| self.at(1.0))
    }

    /// Returns the histogram of the samples that arrived.
    pub fn histogram(&self) -> &Histogram<u64> {
        &self.histogram
    }
}

/// The value of a quantile.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Quantile {
    /// This time in nanoseconds.
    Within(Nanos),
    /// The quantile lies among the samples that never arrived.
    Never,
}

impl Quantile {
    /// Returns the value in milliseconds; infinite for [`Quantile::Never`].
    pub fn milliseconds(self) -> f64 {
        match self {
            Self::Within(nanos) => nanos as f64 / 1e6,
            Self::Never => f64::INFINITY,
        }
    }
}

/// The serialized form: the histogram in the V2 format of HdrHistogram, deflated and base64-encoded, and the two
/// counts.
#[derive(Serialize, Deserialize)]
struct EncodedLatency {
    hdr: String,
    missing: u64,
    overflows: u64,
}

impl Serialize for Latency {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut bytes = Vec::new();
        V2DeflateSerializer::new().serialize(&self.histogram, &mut bytes).map_err(S::Error::custom)?;
        let wire = EncodedLatency { hdr: STANDARD.encode(bytes), missing: self.missing, overflows: self.overflows };
        wire.serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Latency {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let wire = EncodedLatency::deserialize(deserializer)?;
        let bytes = STANDARD.decode(wire.hdr).map_err(D::Error::custom)?;
        let histogram = Reader::new().deserialize(&mut &bytes[..]).map_err(D::Error::custom)?;
        Ok(Self { histogram, missing: wire.missing, overflows: wire.overflows })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::MILLISECOND;

    fn of(samples: std::ops::RangeInclusive<u64>) -> Latency {
        let mut latency = Latency::default();
        samples.for_each(|ms| latency.record(ms * MILLISECOND));
        latency
    }

    fn near(got: Option<Quantile>, ms: f64) -> bool {
        got.is_some_and(|got| (got.milliseconds() / ms - 1.0).abs() < 0.002)
    }

    #[test]
    fn quantiles_are_right_to_three_digits_and_need_ten_samples_above() {
        let got = of(1..=10_000);
        assert!(near(got.quantile(0.5), 5_000.0) && near(got.quantile(0.999), 9_990.0) && near(got.max(), 10_000.0));
        assert!(of(1..=999).quantile(0.99).is_none() && of(1..=1000).quantile(0.99).is_some());
        assert_eq!(Latency::default().max(), None);
    }

    #[test]
    fn missing_samples_count_as_slower_than_all_others() {
        let mut got = of(1..=1900);
        got.missing = 100;
        assert!(near(got.quantile(0.5), 1_000.0) && near(got.quantile(0.9), 1_800.0));
        assert_eq!((got.quantile(0.99), got.max()), (Some(Quantile::Never), Some(Quantile::Never)));
    }

    #[test]
    fn a_merge_equals_one_histogram_of_all_samples() {
        let (mut left, right, whole) = (of(1..=500), of(501..=1000), of(1..=1000));
        let wire = serde_json::to_string(&right).unwrap();
        left.merge(&serde_json::from_str(&wire).unwrap());
        for quantile in [0.1, 0.5, 0.9, 0.99] {
            assert_eq!(left.at(quantile), whole.at(quantile));
        }
    }

    #[test]
    fn a_sample_beyond_two_minutes_counts_as_an_overflow() {
        let got = of(130_000..=130_000);
        assert_eq!((got.count(), got.overflows), (1, 1));
    }
}
