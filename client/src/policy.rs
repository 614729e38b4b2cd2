//! How long a terminal waits before it reconnects. There is no clock and no I/O here: the connector asks for a delay
//! and waits.
//!
//! Two things always hold. No delay is longer than 1.1 × [`Policy::hint_cap`], [`Policy::cap`] or [`Policy::slow`],
//! whichever is most. Terminals that lost their node at the same moment do not all reconnect at the same moment.

use std::time::Duration;

use muster_protocol::close::Advice;
use rand::{RngExt, SeedableRng, rngs::SmallRng};

use crate::ConnectionEnd;

/// The numbers of the reconnect policy.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Policy {
    /// The first delay is uniform between 0 and this; 5 s by default. It is wide, since all terminals of a lost node
    /// draw from it at once.
    pub first: Duration,
    /// The range doubles with each failure up to this; 30 s by default.
    pub cap: Duration,
    /// A session must last this long for the next delay to be a first one again; 60 s by default. A shorter session
    /// proves little: without this bound, terminals would again and again dial a node that accepts and then breaks,
    /// with the shortest delays.
    pub stable: Duration,
    /// The longest time between two attempts with a token that was refused or has expired; 5 min by default. The
    /// shortest is half of this. Meanwhile the terminal asks the token source about every [`cap`](Self::cap).
    pub slow: Duration,
    /// A longer hint counts as this; 10 min by default. So a mistake of a node does not keep a fleet offline for a
    /// year.
    pub hint_cap: Duration,
}

impl Default for Policy {
    fn default() -> Self {
        Self {
            first: Duration::from_secs(5),
            cap: Duration::from_secs(30),
            stable: Duration::from_secs(60),
            slow: Duration::from_secs(300),
            hint_cap: Duration::from_secs(600),
        }
    }
}

/// Draws the delays of one terminal at random.
#[derive(Debug)]
pub struct Backoff {
    policy: Policy,
    failures: u32,
    rng: SmallRng,
}

impl Backoff {
    /// Makes a backoff. Two with the same seed draw the same delays.
    pub fn new(policy: Policy, seed: u64) -> Self {
        Self { policy, failures: 0, rng: SmallRng::seed_from_u64(seed) }
    }

    /// Returns the delay after a session that lasted for `lasted` (zero if none was opened) and ended with `end`.
    /// `None` means to stay away.
    pub fn after(&mut self, end: &ConnectionEnd, lasted: Duration) -> Option<Duration> {
        if lasted >= self.policy.stable {
            self.failures = 0;
        }
        match (end.advice(), end.hint()) {
            (Advice::StayAway, _) => None,
            (Advice::FollowHint, Some(hint)) => Some(self.spread(hint.min(self.policy.hint_cap))),
            _ => Some(self.jitter()),
        }
    }

    /// Returns the delay before an attempt with a token that was refused or has expired.
    pub fn slowly(&mut self) -> Duration {
        let half = self.policy.slow / 2;
        half + self.uniform(half)
    }

    /// Returns the delay before the terminal asks the token source again, after `refused` different tokens were refused
    /// in a row. The delay doubles with each of them, so that a source whose tokens are all refused does not make a
    /// storm of attempts.
    pub(crate) fn before_asking(&mut self, refused: u32) -> Duration {
        let doubled = self.policy.cap.saturating_mul(1 << refused.saturating_sub(1).min(16));
        let half = doubled.min(self.policy.slow) / 2;
        half + self.uniform(half)
    }

    /// Adds up to a tenth to a hint. If the node drew the hint for this terminal alone, a tenth changes little; if it
    /// gave the same hint to many, a tenth spreads them.
    fn spread(&mut self, hint: Duration) -> Duration {
        hint + self.uniform(hint / 10)
    }

    /// Draws a delay by full jitter: uniform between zero and a range that doubles with each failure.
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

    fn lost() -> ConnectionEnd {
        ConnectionEnd::Lost("reset".into())
    }

    /// Returns the longest delay that 500 seeds draw after this many failures.
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
    fn the_shortest_delays_are_near_zero() {
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
    fn a_hint_is_followed_with_up_to_a_tenth_added_and_counts_as_no_failure() {
        let mut backoff = Backoff::new(Policy::default(), 7);
        let end = ConnectionEnd::Closed { code: 1012, reason: String::new(), hint: Some(10 * SECOND) };
        let delays: Vec<_> = (0..100).map(|_| backoff.after(&end, NEVER).unwrap()).collect();
        assert!(delays.iter().all(|delay| (10 * SECOND..=11 * SECOND).contains(delay)));
        assert_ne!(delays[0], delays[1]);
        assert_eq!(backoff.failures, 0);
    }

    #[test]
    fn without_a_new_token_attempts_are_minutes_apart_and_the_source_is_asked_more_often() {
        let mut backoff = Backoff::new(Policy::default(), 7);
        for _ in 0..100 {
            assert!((150 * SECOND..=300 * SECOND).contains(&backoff.slowly()));
            for (refused, longest) in [(0, 30), (1, 30), (2, 60), (9, 300)] {
                let delay = backoff.before_asking(refused);
                assert!((longest * SECOND / 2..=longest * SECOND).contains(&delay), "{refused}: {delay:?}");
            }
        }
    }

    #[test]
    fn an_absurd_hint_is_capped() {
        let end = ConnectionEnd::Refused { status: 429, hint: Some(Duration::MAX) };
        assert!(Backoff::new(Policy::default(), 7).after(&end, NEVER).unwrap() <= Duration::from_secs(660));
    }

    #[test]
    fn after_a_final_close_there_is_no_delay() {
        let end = ConnectionEnd::Closed { code: 4509, reason: String::new(), hint: None };
        assert_eq!(Backoff::new(Policy::default(), 7).after(&end, Duration::MAX), None);
    }
}
