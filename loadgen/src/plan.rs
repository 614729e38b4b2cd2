//! What is to happen, computed from the seed before anything does: when each terminal is on the line, and when each broadcast is
//! due. What the cluster then makes of it is judged against this, so that no loss hides behind another.

use std::{
    hash::{DefaultHasher, Hash, Hasher},
    time::Duration,
};

use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

use crate::config::Config;

/// The shortest absence: under it a terminal is back before anyone could miss it.
const AWAY_MIN: Duration = Duration::from_millis(200);

/// A time during which a terminal is meant to be on the line, from the start of the run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Stay {
    /// It connects.
    pub from: Duration,
    /// It leaves.
    pub to: Duration,
}

/// The whole schedule.
#[derive(Debug)]
pub struct Plan {
    /// From which it was made.
    pub seed: u64,
    /// Each terminal's stays, in order.
    pub stays: Vec<Vec<Stay>>,
    /// When each broadcast is due.
    pub broadcasts: Vec<Duration>,
    /// When the last broadcast has been due.
    pub end: Duration,
}

impl Plan {
    /// The schedule of a configuration.
    pub fn new(config: &Config) -> Self {
        let seed = config.seed.unwrap_or_else(rand::random);
        let begin = config.ramp + config.settle;
        let end = begin + config.duration;
        let count = (config.duration.as_secs_f64() * config.broadcasts).floor() as u32;
        let broadcasts =
            (0..count).map(|number| begin + Duration::from_secs_f64(f64::from(number) / config.broadcasts));
        // Those still there at the end stay until the last late message had its chance.
        let last = end + config.grace;
        let stays = (0..config.line.terminals).map(|number| stays(config, seed, number, last)).collect();
        Self { seed, stays, broadcasts: broadcasts.collect(), end }
    }

    /// The same for the same schedule.
    pub fn hash(&self) -> u64 {
        let mut hasher = DefaultHasher::new();
        (&self.stays, &self.broadcasts).hash(&mut hasher);
        hasher.finish()
    }
}

/// Each terminal has its own stream of chance, so that its schedule does not depend on the others.
fn stays(config: &Config, seed: u64, number: usize, last: Duration) -> Vec<Stay> {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    rng.set_stream(number as u64);
    let mut stays = Vec::new();
    let mut from = config.ramp.mul_f64(number as f64 / config.line.terminals as f64);
    while from < last {
        let life = if config.churn.0 > 0.0 { exponential(&mut rng, 1.0 / config.churn.0) } else { last };
        // Nobody leaves during the ramp: the churn is a share of all.
        let to = (from.max(config.ramp) + life).min(last);
        stays.push(Stay { from, to });
        let mean = config.away.saturating_sub(AWAY_MIN).as_secs_f64();
        from = to + AWAY_MIN + exponential(&mut rng, mean);
    }
    stays
}

/// A waiting time with this mean in seconds, as of things that happen at random.
fn exponential(rng: &mut ChaCha8Rng, mean: f64) -> Duration {
    let chance: f64 = rng.random_range(f64::EPSILON..1.0);
    Duration::from_secs_f64(-chance.ln() * mean)
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Parser)]
    struct Cli {
        #[command(flatten)]
        config: Config,
    }

    fn plan(seed: &str) -> Plan {
        let flags =
            ["x", "--url", "ws://h/ws", "--api", "http://h", "--terminals", "200", "--churn", "5%/s", "--seed", seed];
        Plan::new(&Cli::parse_from(flags).config)
    }

    #[test]
    fn the_seed_makes_the_schedule() {
        assert_eq!(plan("1").hash(), plan("1").hash());
        assert_ne!(plan("1").hash(), plan("2").hash());
    }

    #[test]
    fn the_churn_is_what_was_asked_for() {
        let plan = plan("7");
        assert_eq!(plan.broadcasts.len(), 100);
        // 200 terminals, 5 % a second, 25 s after the ramp: 250 departures, give or take four standard deviations.
        let departures: usize = plan.stays.iter().map(|stays| stays.len() - 1).sum();
        assert!((180..320).contains(&departures), "{departures}");
        for stays in &plan.stays {
            assert!(stays.windows(2).all(|pair| pair[1].from >= pair[0].to + AWAY_MIN));
        }
    }
}
