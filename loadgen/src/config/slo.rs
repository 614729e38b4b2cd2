//! Service level objectives as CI writes them: `live.p99<50ms,lost==0,dup_app==0`. A name that does not exist is an
//! error before the run, so that a misspelled objective can't pass.

use std::str::FromStr;

use crate::names::{COUNTS, LATENCIES, POINTS};

/// All objectives of a run, in the order in which they were given. The default is none.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Slos(pub Vec<Slo>);

/// One objective.
#[derive(Debug, Clone, PartialEq)]
pub struct Slo {
    /// The objective as it was given.
    pub text: String,
    /// The measured value that is compared.
    pub metric: Metric,
    /// How the figure is compared with the limit.
    pub relation: Relation,
    /// The limit: milliseconds for a time, a plain number for a count.
    pub limit: f64,
}

/// A measured value that an objective names.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Metric {
    /// A point of a latency: its name in [`LATENCIES`], and the share of the samples at or below the point.
    Time(&'static str, f64),
    /// A count: its name in [`COUNTS`].
    Count(&'static str),
}

/// How a value is compared with its limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Relation {
    /// `<`
    Below,
    /// `<=`
    AtMost,
    /// `==`
    Equal,
    /// `>=`
    AtLeast,
    /// `>`
    Above,
}

impl Relation {
    /// Whether `found` keeps the limit.
    pub fn holds(self, found: f64, limit: f64) -> bool {
        match self {
            Self::Below => found < limit,
            Self::AtMost => found <= limit,
            Self::Equal => found == limit,
            Self::AtLeast => found >= limit,
            Self::Above => found > limit,
        }
    }
}

impl FromStr for Slos {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let parts = text.split(',').map(str::trim).filter(|part| !part.is_empty());
        parts.map(str::parse).collect::<Result<_, _>>().map(Self)
    }
}

impl FromStr for Slo {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let relations = [
            ("==", Relation::Equal),
            ("<=", Relation::AtMost),
            (">=", Relation::AtLeast),
            ("<", Relation::Below),
            (">", Relation::Above),
        ];
        let found = relations.iter().find_map(|(sign, relation)| Some((text.split_once(sign)?, *relation)));
        let ((name, limit), relation) =
            found.ok_or_else(|| format!("{text:?} contains no comparison: use <, <=, ==, >= or >"))?;
        let metric = metric(name.trim())?;
        Ok(Self { text: text.to_owned(), metric, relation, limit: limit_of(limit.trim(), metric)? })
    }
}

fn metric(name: &str) -> Result<Metric, String> {
    if let Some(count) = COUNTS.iter().find(|count| **count == name) {
        return Ok(Metric::Count(count));
    }
    let time = name.split_once('.').and_then(|(latency, point)| {
        let latency = LATENCIES.iter().find(|known| **known == latency)?;
        Some(Metric::Time(latency, POINTS.iter().find(|(known, _)| *known == point)?.1))
    });
    time.ok_or_else(|| {
        let (counts, latencies) = (COUNTS.join(", "), LATENCIES.join(", "));
        let points = POINTS.map(|(point, _)| point).join(", .");
        format!("there is no {name:?}. Counts: {counts}. Times: one of {latencies}, followed by one of .{points}")
    })
}

/// Reads a limit: a duration, which becomes milliseconds, or a plain number.
fn limit_of(text: &str, metric: Metric) -> Result<f64, String> {
    match metric {
        Metric::Time(..) => humantime::parse_duration(text)
            .map(|time| time.as_secs_f64() * 1e3)
            .map_err(|_| format!("{text:?} is not a duration: write for example 50ms, 200us or 2s")),
        Metric::Count(_) => text.parse().map_err(|_| format!("{text:?} is not a number")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_misspelled_objective_is_an_error() {
        for (bad, reason) in [
            ("live.p98<1ms", "there is no"),
            ("losst==0", "there is no"),
            ("lost", "no comparison"),
            ("live.p99<50", "not a duration"),
            ("lost==x", "not a number"),
        ] {
            let error = bad.parse::<Slos>().unwrap_err();
            assert!(error.contains(reason), "{bad}: {error}");
        }
    }
}
