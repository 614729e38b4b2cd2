//! Computes when each terminal is meant to be connected, and how it leaves.

use rand::{RngExt, rngs::ChaCha8Rng};

use super::{Stay, arrivals::exponential};
use crate::{
    clock::{MILLISECOND, Nanos, from_seconds},
    config::{Churn, Leave, Leaves},
};

/// The settings that the stays of all terminals share.
#[derive(Debug, Clone)]
pub struct StayRules {
    /// Which terminals leave, and when.
    pub churn: Churn,
    /// The ways to leave and their weights.
    pub leaves: Leaves,
    /// The mean length of an absence.
    pub away: Nanos,
    /// The minimum length of an absence. Runs that are compared with each other need the same minimum.
    pub away_min: Nanos,
    /// No terminal leaves before this time, because the churn is a share of all terminals and they are not all
    /// connected earlier.
    pub begin: Nanos,
    /// No terminal leaves after this time, and every absent terminal comes back by then, or 1 ms after it left if
    /// that is later.
    pub end: Nanos,
    /// The end of the run, which is the end of each terminal's last stay.
    pub last: Nanos,
}

impl StayRules {
    /// Computes the stays of one terminal, which first connects at `first`. `rng` must be the terminal's own random
    /// stream.
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

    /// Returns when a terminal that connected at `from` leaves. Returns `None` if it stays to the end.
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

    /// Returns the next wave in which this terminal leaves. Returns `None` if there is none before the end.
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

/// Draws a way to leave, in proportion to the weights.
fn draw(leaves: &Leaves, rng: &mut ChaCha8Rng) -> Leave {
    let mut left = rng.random_range(0.0..1.0) * leaves.0.iter().map(|(_, weight)| weight).sum::<f64>();
    let chosen = leaves.0.iter().find(|(_, weight)| {
        left -= weight;
        left < 0.0
    });
    chosen.unwrap_or(&leaves.0[0]).0
}
