//! Parses shares of the terminals.

use std::str::FromStr;

/// A share from 0 to 1, written `5%` or `0.05`.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Share(pub f64);

impl FromStr for Share {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (number, unit) = text.strip_suffix('%').map_or((text, 1.0), |number| (number, 100.0));
        let share = number.parse::<f64>().ok().map(|number| number / unit);
        share.filter(|share| (0.0..=1.0).contains(share)).map(Self).ok_or_else(|| "a share is 5% or 0.05".into())
    }
}

/// The share of terminals that read slowly, and their rate: `1%:1KB/s`. A rate without a unit is in bytes per
/// second.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Slow {
    /// The share of all terminals.
    pub share: Share,
    /// The rate in bytes per second; greater than 0.
    pub rate: f64,
}

impl FromStr for Slow {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let bad = || "slow terminals are SHARE:RATE, such as 1%:1KB/s".to_owned();
        let (share, rate) = text.split_once(':').ok_or_else(bad)?;
        let rate = rate.trim_end_matches("/s").to_ascii_lowercase();
        let (number, unit) = match (rate.strip_suffix("kb"), rate.strip_suffix('b')) {
            (Some(number), _) => (number, 1000.0),
            (None, Some(number)) => (number, 1.0),
            (None, None) => (rate.as_str(), 1.0),
        };
        let rate = number.parse::<f64>().ok().filter(|rate| *rate > 0.0).ok_or_else(bad)?;
        Ok(Self { share: share.parse()?, rate: rate * unit })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_share_is_a_percentage_or_a_fraction() {
        for text in ["5%", "0.05"] {
            assert_eq!(text.parse(), Ok(Share(0.05)), "{text}");
        }
        for bad in ["", "5", "-1%", "x%"] {
            assert!(bad.parse::<Share>().is_err(), "{bad}");
        }
    }

    #[test]
    fn slow_terminals_need_a_rate() {
        for text in ["1%:2KB/s", "1%:2000", "0.01:2000B/s"] {
            assert_eq!(text.parse(), Ok(Slow { share: Share(0.01), rate: 2000.0 }), "{text}");
        }
        assert!("1%".parse::<Slow>().is_err() && "1%:0".parse::<Slow>().is_err());
    }
}
