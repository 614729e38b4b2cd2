//! A histogram of times, 3 digits from a microsecond to two minutes, which merges with another without loss, and knows how many
//! samples there should have been that never came.

use base64::{Engine, engine::general_purpose::STANDARD};
use hdrhistogram::{
    Histogram,
    serialization::{Deserializer as Reader, Serializer as _, V2DeflateSerializer},
};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error as _, ser::Error as _};

use crate::clock::Nanos;

/// In nanoseconds.
const BOUNDS: (u64, u64) = (1_000, 120_000_000_000);

/// How long something took, many times. About 150 KiB.
#[derive(Debug, Clone, PartialEq)]
pub struct Latency {
    histogram: Histogram<u64>,
    /// What never came: it took for ever.
    pub missing: u64,
    /// Samples above the bounds, counted as two minutes.
    pub overflows: u64,
}

impl Default for Latency {
    fn default() -> Self {
        Self::with_digits(3)
    }
}

impl Latency {
    /// With fewer digits it takes less room: one of 2 digits takes 20 KiB.
    pub fn with_digits(digits: u8) -> Self {
        let histogram = Histogram::new_with_bounds(BOUNDS.0, BOUNDS.1, digits).expect("the bounds are in order");
        Self { histogram, missing: 0, overflows: 0 }
    }

    /// Adds a sample.
    pub fn record(&mut self, took: Nanos) {
        self.overflows += u64::from(took > BOUNDS.1);
        self.histogram.saturating_record(took.clamp(1, BOUNDS.1));
    }

    /// Adds another's samples, with nothing lost.
    pub fn merge(&mut self, other: &Self) {
        self.histogram.add(&other.histogram).expect("the bounds are the same");
        self.missing += other.missing;
        self.overflows += other.overflows;
    }

    /// How many samples there are, those that never came not among them.
    pub fn count(&self) -> u64 {
        self.histogram.len()
    }

    /// The quantile over all that should have come. `None` if it says nothing, for want of ten samples above it.
    pub fn quantile(&self, quantile: f64) -> Option<Quantile> {
        let all = self.count() + self.missing;
        let enough = all as f64 * (1.0 - quantile) >= 10.0 - 1e-6;
        enough.then(|| self.at(quantile))
    }

    /// The quantile, however few samples there are.
    pub fn at(&self, quantile: f64) -> Quantile {
        let all = self.count() + self.missing;
        let rank = (quantile * all as f64).ceil().max(1.0) as u64;
        if rank > self.count() {
            return Quantile::Never;
        }
        Quantile::Within(self.histogram.value_at_quantile(rank as f64 / self.count() as f64))
    }

    /// The greatest.
    pub fn max(&self) -> Option<Quantile> {
        (self.count() + self.missing > 0).then(|| self.at(1.0))
    }

    /// The histogram below.
    pub fn histogram(&self) -> &Histogram<u64> {
        &self.histogram
    }
}

/// Where a quantile lies.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Quantile {
    /// At this time.
    Within(Nanos),
    /// Among those that never came.
    Never,
}

impl Quantile {
    /// In milliseconds; infinite if it never came.
    pub fn milliseconds(self) -> f64 {
        match self {
            Self::Within(nanos) => nanos as f64 / 1e6,
            Self::Never => f64::INFINITY,
        }
    }
}

/// On the wire: the V2 format of HdrHistogram, deflated, as base64.
#[derive(Serialize, Deserialize)]
struct Wire {
    hdr: String,
    missing: u64,
    overflows: u64,
}

impl Serialize for Latency {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut bytes = Vec::new();
        V2DeflateSerializer::new().serialize(&self.histogram, &mut bytes).map_err(S::Error::custom)?;
        let wire = Wire { hdr: STANDARD.encode(bytes), missing: self.missing, overflows: self.overflows };
        wire.serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Latency {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let wire = Wire::deserialize(deserializer)?;
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
    fn what_never_came_took_for_ever() {
        let mut got = of(1..=1900);
        got.missing = 100;
        assert!(near(got.quantile(0.5), 1_000.0) && near(got.quantile(0.9), 1_800.0));
        assert_eq!((got.quantile(0.99), got.max()), (Some(Quantile::Never), Some(Quantile::Never)));
    }

    #[test]
    fn a_merge_is_as_if_one_had_seen_all() {
        let (mut left, right, whole) = (of(1..=500), of(501..=1000), of(1..=1000));
        let wire = serde_json::to_string(&right).unwrap();
        left.merge(&serde_json::from_str(&wire).unwrap());
        for quantile in [0.1, 0.5, 0.9, 0.99] {
            assert_eq!(left.at(quantile), whole.at(quantile));
        }
    }

    #[test]
    fn beyond_two_minutes_is_counted() {
        let got = of(130_000..=130_000);
        assert_eq!((got.count(), got.overflows), (1, 1));
    }
}
