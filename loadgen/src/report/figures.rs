//! A distribution of times, as a report tells it.

use std::{collections::BTreeMap, fmt};

use serde::{Deserialize, Serialize};

use crate::{
    measure::{Latency, Quantile},
    verdict::slo::POINTS,
};

/// A point of a distribution.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Point {
    /// In milliseconds.
    Milliseconds(f64),
    /// `"never"`: it lies among those that never came.
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

/// Three digits are what there is.
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
    /// In milliseconds; infinite if never.
    pub fn milliseconds(&self) -> f64 {
        if let Self::Milliseconds(ms) = self { *ms } else { f64::INFINITY }
    }
}

/// A distribution of times.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Figures {
    /// Samples.
    pub count: u64,
    /// Those that should have been, and never came.
    pub missing: u64,
    /// By name; one for which there are fewer than ten samples above it is not there.
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
