//! When each terminal means to be on the line, and how it leaves.

use rand::RngExt;
use rand_chacha::ChaCha8Rng;

use super::{Stay, arrivals::exponential};
use crate::{
    clock::{MILLISECOND, Nanos, from_seconds},
    config::{Churn, Leave, Leaves},
};

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
            let leave = draw(&self.leaves, rng);
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

/// One of the ways, as often as it weighs.
fn draw(leaves: &Leaves, rng: &mut ChaCha8Rng) -> Leave {
    let mut left = rng.random_range(0.0..1.0) * leaves.0.iter().map(|(_, weight)| weight).sum::<f64>();
    let chosen = leaves.0.iter().find(|(_, weight)| {
        left -= weight;
        left < 0.0
    });
    chosen.unwrap_or(&leaves.0[0]).0
}
