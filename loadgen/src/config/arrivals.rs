//! A rate over time, as people write it.

use std::str::FromStr;

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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nonsense_is_told_what_would_be_a_schedule() {
        for bad in ["", "x", "-1", "ramp:1", "step:", "once:x", "sine:1", "1e9"] {
            assert!(bad.parse::<Arrivals>().is_err(), "{bad}");
        }
    }
}
