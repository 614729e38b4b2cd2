//! When to come back. Pure: no clock, no I/O; the life asks, and waits. What always holds: no delay is longer than
//! [`Policy::hint_cap`] and a tenth, and a fleet that lost its node together does not come back together.

use std::time::Duration;

use muster_protocol::close::Advice;
use rand::{RngExt, SeedableRng, rngs::SmallRng};

use crate::End;

/// The numbers of the reconnect policy.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Policy {
    /// The first delay is uniform in 0 to this. Wide, since a node's whole fleet draws from it at once.
    pub first: Duration,
    /// The range doubles with each failure up to this.
    pub cap: Duration,
    /// Only a session that stood this long makes the next delay a first one again. A shorter one proves little: a node that
    /// accepts and then breaks would otherwise be dialled without end.
    pub stable: Duration,
    /// No hint is followed beyond this, so that a slip on the node's side does not silence a fleet for a year.
    pub hint_cap: Duration,
}

impl Default for Policy {
    fn default() -> Self {
        Self {
            first: Duration::from_secs(5),
            cap: Duration::from_secs(30),
            stable: Duration::from_secs(60),
            hint_cap: Duration::from_secs(600),
        }
    }
}

/// Draws the delays of one terminal.
#[derive(Debug)]
pub struct Backoff {
    policy: Policy,
    failures: u32,
    rng: SmallRng,
}

impl Backoff {
    /// The same seed draws the same delays.
    pub fn new(policy: Policy, seed: u64) -> Self {
        Self { policy, failures: 0, rng: SmallRng::seed_from_u64(seed) }
    }

    /// How long to wait after this end of a session that stood for `stood` (zero if it never did), or `None` to stay away.
    pub fn after(&mut self, end: &End, stood: Duration) -> Option<Duration> {
        if stood >= self.policy.stable {
            self.failures = 0;
        }
        match (end.advice(), end.hint()) {
            (Advice::StayAway, _) => None,
            (Advice::FollowHint, Some(hint)) => Some(self.spread(hint.min(self.policy.hint_cap))),
            _ => Some(self.jitter()),
        }
    }

    /// A hint was already drawn for this terminal, or is the same for many: a tenth on top serves both.
    fn spread(&mut self, hint: Duration) -> Duration {
        hint + self.uniform(hint / 10)
    }

    /// Full jitter: uniform from zero, in a range that doubles.
    fn jitter(&mut self) -> Duration {
        let doubled = self.policy.first.saturating_mul(1 << self.failures.min(16));
        self.failures = self.failures.saturating_add(1);
        self.uniform(doubled.min(self.policy.cap))
    }

    fn uniform(&mut self, up_to: Duration) -> Duration {
        up_to.mul_f64(self.rng.random_range(0.0..=1.0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NEVER: Duration = Duration::ZERO;
    const SECOND: Duration = Duration::from_secs(1);

    fn lost() -> End {
        End::Lost("reset".into())
    }

    /// The longest delay of many seeds after the same failures.
    fn longest(failures: u32) -> Duration {
        let delay = |seed| {
            let mut backoff = Backoff::new(Policy::default(), seed);
            (0..failures).map(|_| backoff.after(&lost(), NEVER).unwrap()).last().unwrap()
        };
        (0..500).map(delay).max().unwrap()
    }

    #[test]
    fn the_range_starts_wide_doubles_and_is_capped() {
        for (failures, range) in [(1, 5), (2, 10), (3, 20), (4, 30), (40, 30)] {
            let (longest, range) = (longest(failures), range * SECOND);
            assert!(longest <= range && longest > range * 95 / 100, "{failures} failures: {longest:?} of {range:?}");
        }
    }

    #[test]
    fn jitter_is_full() {
        let shortest = (0..500).map(|seed| Backoff::new(Policy::default(), seed).after(&lost(), NEVER).unwrap()).min();
        assert!(shortest.unwrap() < SECOND / 10);
    }

    #[test]
    fn only_a_stable_session_resets() {
        let mut backoff = Backoff::new(Policy::default(), 7);
        for _ in 0..5 {
            backoff.after(&lost(), Duration::from_secs(59));
        }
        assert_eq!(backoff.failures, 5);
        backoff.after(&lost(), Duration::from_secs(60));
        assert_eq!(backoff.failures, 1);
    }

    #[test]
    fn a_hint_comes_first_with_a_tenth_on_top_and_counts_as_no_failure() {
        let mut backoff = Backoff::new(Policy::default(), 7);
        let end = End::Closed { code: 1012, reason: String::new(), hint: Some(10 * SECOND) };
        let delays: Vec<_> = (0..100).map(|_| backoff.after(&end, NEVER).unwrap()).collect();
        assert!(delays.iter().all(|delay| (10 * SECOND..=11 * SECOND).contains(delay)));
        assert_ne!(delays[0], delays[1]);
        assert_eq!(backoff.failures, 0);
    }

    #[test]
    fn an_absurd_hint_is_capped() {
        let end = End::Refused { status: 429, hint: Some(Duration::MAX) };
        assert!(Backoff::new(Policy::default(), 7).after(&end, NEVER).unwrap() <= Duration::from_secs(660));
    }

    #[test]
    fn stay_away_means_never() {
        let end = End::Closed { code: 4509, reason: String::new(), hint: None };
        assert_eq!(Backoff::new(Policy::default(), 7).after(&end, Duration::MAX), None);
    }
}
