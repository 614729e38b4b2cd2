//! Decides whether a missing lease means that its node is gone. A Redis that was away, is another process, or was
//! flushed may have lost the leases of live nodes. For a while after that no node leaves, so that live nodes can
//! register again. The caller gives the time.

use std::time::{Duration, Instant};

use crate::leases::RegistrySnapshot;

/// For how long no node leaves after such an event. Twice the duration of a lease: every live node has registered again
/// by then.
const GRACE: Duration = Duration::from_secs(12);

/// What is known of the Redis that holds the registry.
#[derive(Debug)]
pub struct RegistryTrust {
    run_id: Option<String>,
    leases: usize,
    away_since: Option<Instant>,
    frozen_until: Instant,
    read_at: Instant,
}

impl RegistryTrust {
    /// Nothing is known yet. A sidecar that `inherits` a set of nodes trusts the registry only after the grace time,
    /// since it does not know what happened to Redis since the set was made.
    pub fn new(inherits: bool, now: Instant) -> Self {
        let frozen_until = if inherits { now + GRACE } else { now };
        Self { run_id: None, leases: 0, away_since: None, frozen_until, read_at: now }
    }

    /// Records that Redis did not answer. Returns whether it answered before.
    pub fn failed(&mut self, now: Instant) -> bool {
        self.away_since.replace(self.away_since.unwrap_or(now)).is_none()
    }

    /// Records an answer of Redis. Returns why the registry is not trusted from now on for the grace time: `new`
    /// (another process), `back` (it was away) or `flushed` (no lease is left). `None` if nothing happened.
    pub fn read(&mut self, look: &RegistrySnapshot, now: Instant) -> Option<&'static str> {
        let (back, new) = (self.away_since.take(), self.run_id.as_ref().is_some_and(|id| *id != look.run_id));
        let flushed = self.leases > 0 && look.leased.is_empty();
        self.run_id = Some(look.run_id.clone());
        self.leases = look.leased.len();
        self.read_at = now;
        let why = match () {
            () if new => "new",
            () if back.is_some() => "back",
            () if flushed => "flushed",
            () => return None,
        };
        self.frozen_until = now + GRACE;
        Some(why)
    }

    /// Returns whether no node may leave now.
    pub fn frozen(&self, now: Instant) -> bool {
        self.away_since.is_some() || now < self.frozen_until
    }

    /// Returns whether Redis answered the last read.
    pub fn up(&self) -> bool {
        self.away_since.is_none()
    }

    /// Returns the time since Redis last answered.
    pub fn age(&self, now: Instant) -> Duration {
        now.duration_since(self.read_at)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn look(run_id: &str, nodes: u16) -> RegistrySnapshot {
        let leased = (0..nodes).map(|port| ([127, 0, 0, 1], 9000 + port).into()).collect();
        RegistrySnapshot { leased, run_id: run_id.into(), ..RegistrySnapshot::default() }
    }

    #[test]
    fn no_node_leaves_while_redis_is_away_and_for_the_grace_time_after_it_is_back_new_or_flushed() {
        let second = Duration::from_secs(1);
        let mut now = Instant::now();
        let mut trust = RegistryTrust::new(true, now);
        assert!(trust.frozen(now), "it inherits a set");
        assert!(!RegistryTrust::new(false, now).frozen(now));
        now += GRACE;
        assert_eq!((trust.read(&look("a", 2), now), trust.frozen(now)), (None, false));
        assert!(trust.failed(now) && !trust.failed(now + 60 * second) && trust.frozen(now + 60 * second));
        assert_eq!(trust.age(now + 60 * second), 60 * second);
        now += 60 * second;
        for (seen, why) in [(look("a", 2), "back"), (look("b", 2), "new"), (look("b", 0), "flushed")] {
            assert_eq!(trust.read(&seen, now), Some(why));
            assert!(trust.frozen(now + GRACE - second) && !trust.frozen(now + GRACE));
            now += GRACE;
        }
        assert_eq!(trust.read(&look("b", 0), now), None, "it was empty before");
    }
}
