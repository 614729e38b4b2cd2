//! Parses a schedule of events: a rate over time.

use std::str::FromStr;

/// A schedule: `5` or `constant:5`, `poisson:5`, `ramp:1..50`, `step:1,10,50`, `once:20`. Rates are events per
/// second, from 0 to 10,000; a greater rate is refused.
#[derive(Debug, Clone, PartialEq)]
pub enum Arrivals {
    /// This many events per second, at equal intervals.
    Constant(f64),
    /// This many events per second on average, as a Poisson process.
    Poisson(f64),
    /// A rate that changes linearly from the first to the second value.
    Ramp(f64, f64),
    /// Each rate in turn, for equal parts of the period.
    Step(Vec<f64>),
    /// This many events, all at the beginning.
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn malformed_schedules_are_refused() {
        for bad in ["", "x", "-1", "ramp:1", "step:", "once:x", "sine:1", "1e9"] {
            assert!(bad.parse::<Arrivals>().is_err(), "{bad}");
        }
    }
}
