//! Parses how terminals leave and come back.

use std::{str::FromStr, time::Duration};

use clap::Args;

use super::share::Share;

/// How terminals leave and come back.
#[derive(Debug, Clone, Args)]
pub struct ChurnSettings {
    /// How terminals leave and come back: 5%/s of them at random, every:15s for each of them, or together:30%:15s
    #[arg(long = "churn", value_name = "CHURN", default_value = "0")]
    pub when: Churn,

    /// How terminals leave: close, reset, blackhole or twin (a second connection takes over), or a weighted mix:
    /// close:8,reset:2
    #[arg(long, value_name = "WAYS", default_value = "close")]
    pub leave: Leaves,

    /// How long a terminal that left stays away, on average
    #[arg(long, value_name = "TIME", value_parser = humantime::parse_duration, default_value = "1s")]
    pub away: Duration,

    /// The minimum time that a terminal stays away. Systems that are compared need the same value
    #[arg(long, value_name = "TIME", value_parser = humantime::parse_duration, default_value = "200ms")]
    pub away_min: Duration,

    /// The upper limit of the first random delay after a lost connection. The limit doubles with each further
    /// attempt, up to 30 s or this value if it is greater
    #[arg(long, value_name = "TIME", value_parser = humantime::parse_duration, default_value = "5s")]
    pub backoff: Duration,
}

/// When terminals leave: `0` (never), `5%/s` (this share each second at random), `every:15s` (each terminal after
/// this time) or `together:30%:15s` (this share at once, in each period).
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Churn {
    /// Exponentially distributed lifetimes: this share of the terminals leaves each second.
    Poisson(f64),
    /// Each terminal leaves this many seconds after it came. Its first stay lasts a random part of that time.
    Every(f64),
    /// A share of the terminals leaves at once, each time this many seconds have passed.
    Together(f64, f64),
}

/// How a terminal leaves.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, serde::Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Leave {
    /// With a close frame.
    Close,
    /// With a TCP reset, as a killed process does.
    Reset,
    /// Without a close frame and with the connection left open, as after a pulled cable.
    BlackHole,
    /// The terminal does not leave: a second connection of the same terminal takes over.
    Twin,
}

/// The ways to leave with their weights: `close`, or `close:8,reset:1,blackhole:1`. The default weight is 1.
#[derive(Debug, Clone, PartialEq)]
pub struct Leaves(pub Vec<(Leave, f64)>);

impl FromStr for Churn {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let bad = || "churn is 5%/s, every:15s or together:30%:15s".to_owned();
        let seconds = |text: &str| {
            let time = humantime::parse_duration(text).ok().filter(|time| !time.is_zero());
            time.map(|time| time.as_secs_f64()).ok_or_else(bad)
        };
        match text.split(':').collect::<Vec<_>>()[..] {
            [share] => Ok(Self::Poisson(share.trim_end_matches("/s").parse::<Share>().map_err(|_| bad())?.0)),
            ["every", period] => Ok(Self::Every(seconds(period)?)),
            ["together", share, period] => {
                Ok(Self::Together(share.parse::<Share>().map_err(|_| bad())?.0, seconds(period)?))
            }
            _ => Err(bad()),
        }
    }
}

impl FromStr for Leaves {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let bad = || "a way to leave is close, reset, blackhole or twin, or several: close:8,reset:1".to_owned();
        let one = |part: &str| {
            let (name, weight) = part.split_once(':').unwrap_or((part, "1"));
            let leave = match name {
                "close" => Leave::Close,
                "reset" => Leave::Reset,
                "blackhole" => Leave::BlackHole,
                "twin" => Leave::Twin,
                _ => return Err(bad()),
            };
            let weight = weight.parse::<f64>().ok().filter(|weight| *weight > 0.0 && weight.is_finite());
            Ok((leave, weight.ok_or_else(bad)?))
        };
        text.split(',').map(one).collect::<Result<_, _>>().map(Self)
    }
}
