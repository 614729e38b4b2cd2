//! Admission: how many handshakes this node takes. The node has a budget of handshakes per second, of sessions, and of
//! file descriptors.
//!
//! Admission is checked before the upgrade. So each refused handshake costs one HTTP answer, and connected terminals do
//! not notice a flood of handshakes.

use std::{
    os::fd::RawFd,
    sync::{Mutex, PoisonError},
    time::Instant,
};

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

use crate::config::Config;

/// File descriptors that are reserved for everything that is not a session: Redis, the listener, operators' requests,
/// and the handshake that is being refused.
const RESERVE: u64 = 128;
/// A full node draws its `Retry-After`, in seconds, at random from this range. The range is long, because sessions do
/// not end soon.
const FULL: std::ops::RangeInclusive<u64> = 5..=30;
/// The longest `Retry-After` in seconds.
const RETRY_MAX: f64 = 60.0;

/// The budgets of one node.
#[derive(Debug)]
pub struct Admission {
    rate: f64,
    sessions: usize,
    descriptors: RawFd,
    bucket: Mutex<TokenBucket>,
}

/// A token bucket, and the number of terminals that were refused and will come back.
#[derive(Debug)]
struct TokenBucket {
    /// Handshakes that may be admitted at once: at most those of one second.
    tokens: f64,
    /// An estimate of how many refused terminals have not come back yet. It falls by `rate` a second, since so many
    /// find a token.
    waiting: f64,
    at: Instant,
}

/// Why a handshake is refused, and when to try again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Busy {
    /// The reason, for people.
    pub why: &'static str,
    /// The `Retry-After` in seconds. It is drawn anew for each refusal, so that the terminals do not return together.
    pub retry_after: u64,
}

impl Admission {
    /// Returns the budgets that the configuration and this process's limit of open files set.
    pub fn new(config: &Config) -> Self {
        let limit = getrlimit(Resource::Nofile).current.unwrap_or(1 << 20);
        Self {
            rate: f64::from(config.handshakes),
            sessions: config.max_sessions,
            descriptors: limit.saturating_sub(RESERVE).try_into().unwrap_or(RawFd::MAX),
            bucket: Mutex::new(TokenBucket { tokens: f64::from(config.handshakes), waiting: 0.0, at: Instant::now() }),
        }
    }

    /// Returns how many connections that are neither sessions nor streams the node may hold: `wanted`, but at most a
    /// quarter of the descriptors for sessions, and at least 16.
    pub fn http_connections(&self, wanted: usize) -> usize {
        wanted.min(usize::try_from(self.descriptors / 4).unwrap_or(usize::MAX)).max(16)
    }

    /// Admits a handshake that came on the connection with `descriptor`. Fails if a budget is used up. The kernel gives
    /// out the lowest free number, so `descriptor` tells about how many descriptors are in use.
    pub fn admit(&self, sessions: usize, descriptor: RawFd) -> Result<(), Busy> {
        let full = |why| Busy { why, retry_after: rand::random_range(FULL) };
        if sessions >= self.sessions {
            return Err(full("this node holds as many sessions as it takes"));
        }
        if descriptor >= self.descriptors {
            return Err(full("this node has no more open files for sessions"));
        }
        let mut bucket = self.bucket.lock().unwrap_or_else(PoisonError::into_inner);
        bucket.take(self.rate, Instant::now()).map_err(|up_to| Busy {
            why: "more handshakes come than this node takes in a second",
            retry_after: rand::random_range(1..=up_to),
        })
    }
}

impl TokenBucket {
    /// Takes a token. If there is none, fails with the most seconds that the terminal should wait: one and a half times
    /// as long as all terminals that wait need for a token each, from 2 s to [`RETRY_MAX`].
    fn take(&mut self, rate: f64, now: Instant) -> Result<(), u64> {
        let earned = now.duration_since(self.at).as_secs_f64() * rate;
        self.at = now;
        self.tokens = (self.tokens + earned).min(rate.max(1.0));
        self.waiting = (self.waiting - earned).max(0.0);
        if self.tokens >= 1.0 {
            self.tokens -= 1.0;
            return Ok(());
        }
        self.waiting = (self.waiting + 1.0).min(rate * RETRY_MAX);
        Err((self.waiting / rate * 1.5).clamp(2.0, RETRY_MAX).ceil() as u64)
    }
}

/// Raises the soft limit of open files to the hard limit, because each session needs a file descriptor. Logs a warning
/// if that fails.
pub fn raise_descriptors() {
    let limit = getrlimit(Resource::Nofile);
    let raised = setrlimit(Resource::Nofile, Rlimit { current: limit.maximum, ..limit });
    if let Err(error) = raised {
        tracing::warn!(%error, "the limit of open files could not be raised");
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn ten_times_the_budget_gets_the_budget_and_the_others_are_spread_over_what_they_need() {
        let began = Instant::now();
        let mut bucket = TokenBucket { tokens: 100.0, waiting: 0.0, at: began };
        let mut taken = 0;
        let mut latest = 0;
        for handshake in 0..10_000u64 {
            match bucket.take(100.0, began + Duration::from_millis(handshake)) {
                Ok(()) => taken += 1,
                Err(up_to) => latest = latest.max(up_to),
            }
        }
        assert!((1000..=1101).contains(&taken), "{taken}");
        // About 8,000 terminals waited at the end. The node admits them in 80 s, which is beyond the longest
        // `Retry-After`.
        assert_eq!(latest, 60);
        assert_eq!(bucket.take(100.0, began + Duration::from_secs(200)), Ok(()));
    }

    #[test]
    fn a_node_that_is_full_says_so_before_the_budget_is_touched() {
        let admission = Admission {
            rate: 1.0,
            sessions: 10,
            descriptors: 100,
            bucket: Mutex::new(TokenBucket { tokens: 1.0, waiting: 0.0, at: Instant::now() }),
        };
        assert!(admission.admit(10, 5).unwrap_err().why.contains("as many sessions"));
        assert!(admission.admit(9, 100).unwrap_err().why.contains("open files"));
        assert_eq!(admission.admit(9, 99), Ok(()));
        let busy = admission.admit(9, 99).unwrap_err();
        assert!(busy.why.contains("in a second") && (1..=2).contains(&busy.retry_after), "{busy:?}");
    }
}
