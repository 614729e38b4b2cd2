//! When each terminal means to be on the line, and how it leaves.

use std::str::FromStr;

use rand::RngExt;
use rand_chacha::ChaCha8Rng;

use super::{Stay, arrivals::exponential};
use crate::{
    clock::{MILLISECOND, Nanos, from_seconds},
    config::Share,
};

/// How terminals come and go: `0`, `5%/s` of them each second at random, `every:15s` each, or `together:30%:15s`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Churn {
    /// Lifetimes without memory: this share leaves each second.
    Poisson(f64),
    /// Each leaves so many seconds after it came, its first time at a random part of it.
    Every(f64),
    /// A share of them at once, each time so many seconds have passed.
    Together(f64, f64),
}

/// How a terminal leaves.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, serde::Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Leave {
    /// With a close.
    Close,
    /// With a reset, as a killed process does.
    Reset,
    /// Without a word, the connection left open, as a pulled cable does.
    BlackHole,
    /// Not at all: a second connection of the same terminal takes over.
    Twin,
}

/// How many leave in which way: `close`, or `close:8,reset:1,blackhole:1`.
#[derive(Debug, Clone, PartialEq)]
pub struct Leaves(Vec<(Leave, f64)>);

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

impl Leaves {
    fn draw(&self, rng: &mut ChaCha8Rng) -> Leave {
        let mut left = rng.random_range(0.0..1.0) * self.0.iter().map(|(_, weight)| weight).sum::<f64>();
        let chosen = self.0.iter().find(|(_, weight)| {
            left -= weight;
            left < 0.0
        });
        chosen.unwrap_or(&self.0[0]).0
    }
}

/// What the stays of a run have in common.
#[derive(Debug, Clone)]
pub struct Rules {
    /// Who goes, when.
    pub churn: Churn,
    /// How.
    pub leaves: Leaves,
    /// The mean of an absence.
    pub away: Nanos,
    /// The shortest absence; the same for all systems that are compared.
    pub away_min: Nanos,
    /// Nobody leaves before: the churn is a share of all.
    pub begin: Nanos,
    /// Nobody leaves after, and whoever is away is back.
    pub end: Nanos,
    /// The end of the run.
    pub last: Nanos,
}

impl Rules {
    /// One terminal's stays; it draws from its own stream of chance.
    pub fn stays(&self, first: Nanos, rng: &mut ChaCha8Rng) -> Vec<Stay> {
        let mut stays = Vec::new();
        let mut from = first;
        while let Some(to) = self.departure(from, stays.is_empty(), rng) {
            let leave = self.leaves.draw(rng);
            stays.push(Stay { from, to, leave });
            from = match leave {
                Leave::Twin => to,
                _ => (to + self.absence(rng)).min(self.end.max(to + MILLISECOND)),
            };
        }
        stays.push(Stay { from, to: self.last, leave: Leave::Close });
        stays
    }

    /// When one that came at this time leaves, unless it stays to the end.
    fn departure(&self, from: Nanos, first: bool, rng: &mut ChaCha8Rng) -> Option<Nanos> {
        let came = from.max(self.begin);
        let to = match self.churn {
            Churn::Poisson(share) if share <= 0.0 => return None,
            Churn::Poisson(share) => came + from_seconds(exponential(rng, 1.0 / share)),
            Churn::Every(period) if first => came + from_seconds(rng.random_range(0.0..1.0) * period),
            Churn::Every(period) => came + from_seconds(period),
            Churn::Together(share, period) => self.next_wave(came, from_seconds(period), share, rng)?,
        };
        (to > from && to < self.end).then_some(to)
    }

    /// The next wave that this terminal is part of.
    fn next_wave(&self, came: Nanos, period: Nanos, share: f64, rng: &mut ChaCha8Rng) -> Option<Nanos> {
        let mut wave = self.begin + ((came - self.begin) / period + 1) * period;
        while wave < self.end {
            if rng.random_bool(share) {
                return Some(wave);
            }
            wave += period;
        }
        None
    }

    fn absence(&self, rng: &mut ChaCha8Rng) -> Nanos {
        let over = self.away.saturating_sub(self.away_min);
        self.away_min + if over == 0 { 0 } else { (exponential(rng, 1.0) * over as f64) as Nanos }
    }
}
