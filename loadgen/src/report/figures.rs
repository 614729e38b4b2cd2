//! A distribution of times, as a report contains it.

use std::{collections::BTreeMap, fmt};

use serde::{Deserialize, Serialize};

use crate::{
    measure::{Latency, Quantile},
    names::POINTS,
};

/// The value of one point of a distribution, such as its p99.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Point {
    /// A time in milliseconds.
    Milliseconds(f64),
    /// The text `"never"`: the point lies among the samples that never arrived.
    Never(String),
}

impl From<Quantile> for Point {
    fn from(quantile: Quantile) -> Self {
        match quantile {
            Quantile::Within(_) => Self::Milliseconds(quantile.milliseconds()),
            Quantile::Never => Self::Never("never".into()),
        }
    }
}

/// Shows three significant digits, because the histogram has no more. Below 1 ms two decimals remain.
impl fmt::Display for Point {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Never(_) => f.write_str("never"),
            Self::Milliseconds(ms) if *ms < 10.0 => write!(f, "{ms:.2}"),
            Self::Milliseconds(ms) if *ms < 100.0 => write!(f, "{ms:.1}"),
            Self::Milliseconds(ms) => write!(f, "{ms:.0}"),
        }
    }
}

impl Point {
    /// The value in milliseconds; infinite for [`Point::Never`].
    pub fn milliseconds(&self) -> f64 {
        if let Self::Milliseconds(ms) = self { *ms } else { f64::INFINITY }
    }
}

/// A distribution of times.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Figures {
    /// The number of samples that arrived.
    pub count: u64,
    /// The number of samples that should have arrived and never did.
    pub missing: u64,
    /// The points by name, see [`POINTS`]. A percentile with fewer than ten samples above it is left out; the
    /// maximum is not.
    pub points: BTreeMap<String, Point>,
}

impl From<&Latency> for Figures {
    fn from(latency: &Latency) -> Self {
        let point = |(name, share): &(&str, f64)| {
            let found = if *name == "max" { latency.max() } else { latency.quantile(*share) };
            Some(((*name).to_owned(), found?.into()))
        };
        Self { count: latency.count(), missing: latency.missing, points: POINTS.iter().filter_map(point).collect() }
    }
}
