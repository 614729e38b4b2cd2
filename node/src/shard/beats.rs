//! Which shards answer. A shard beats twice a second, from the loop that does all of the shard's other work. A shard
//! that has not beaten for 5 s is frozen: its thread hangs, or does one thing for far too long, and its sessions
//! get nothing.

use std::time::{Duration, Instant};

use crate::sync::atomic::{AtomicU64, Ordering};

/// A shard that has not beaten for this long is late. A walk over 100,000 sockets takes a fifth of this time.
const LATE: Duration = Duration::from_secs(5);

/// When each shard of a node beat last.
#[derive(Debug)]
pub struct Beats {
    began: Instant,
    /// When each shard beat last, in milliseconds since `began`.
    last: Vec<AtomicU64>,
}

impl Beats {
    /// Returns the beats of so many shards, all of which beat just now.
    pub fn new(shards: usize) -> Self {
        Self { began: Instant::now(), last: (0..shards).map(|_| AtomicU64::new(0)).collect() }
    }

    /// Records that a shard answers.
    pub fn beat(&self, shard: usize, now: Instant) {
        self.last[shard].store(self.millis(now), Ordering::Relaxed);
    }

    /// Returns whether a shard has not answered for 5 s.
    pub fn is_late(&self, shard: usize, now: Instant) -> bool {
        let last = self.last[shard].load(Ordering::Relaxed);
        self.millis(now).saturating_sub(last) >= LATE.as_millis() as u64
    }

    /// Returns the indexes of the shards that are late.
    pub fn late(&self, now: Instant) -> Vec<usize> {
        (0..self.last.len()).filter(|shard| self.is_late(*shard, now)).collect()
    }

    fn millis(&self, now: Instant) -> u64 {
        now.saturating_duration_since(self.began).as_millis() as u64
    }
}

#[cfg(all(test, not(feature = "shuttle")))]
mod tests {
    use super::*;

    #[test]
    fn a_shard_is_late_until_it_answers_again() {
        let (beats, now) = (Beats::new(2), Instant::now());
        assert!(beats.late(now).is_empty());
        beats.beat(1, now + LATE);
        assert_eq!(beats.late(now + LATE + Duration::from_millis(10)), [0]);
        beats.beat(0, now + LATE * 2);
        assert_eq!(beats.late(now + LATE * 2 + Duration::from_millis(10)), [1]);
    }
}
