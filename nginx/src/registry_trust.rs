//! Whether the registry can be trusted to say that a node is gone. A Redis that was away, is another process, or was flushed has
//! forgotten nodes that live; they get the time to register again before anyone is missed. Pure but for the clock given to it.

use std::time::{Duration, Instant};

use crate::leases::RegistrySnapshot;

/// Twice a lease: every node that lives has registered again by then.
const GRACE: Duration = Duration::from_secs(12);

/// What is known of Redis.
#[derive(Debug)]
pub struct RegistryTrust {
    run_id: Option<String>,
    leases: usize,
    away_since: Option<Instant>,
    frozen_until: Instant,
    read_at: Instant,
}

impl RegistryTrust {
    /// Nothing is known yet. Who takes a set of nodes over (`inherits`) does not know what Redis went through since it was made.
    pub fn new(inherits: bool, now: Instant) -> Self {
        let frozen_until = if inherits { now + GRACE } else { now };
        Self { run_id: None, leases: 0, away_since: None, frozen_until, read_at: now }
    }

    /// Redis did not answer. True if it did before.
    pub fn failed(&mut self, now: Instant) -> bool {
        self.away_since.replace(self.away_since.unwrap_or(now)).is_none()
    }

    /// Redis answered. Why it is not to be trusted from now on for a while, if so.
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

    /// Whether nobody is to leave now.
    pub fn frozen(&self, now: Instant) -> bool {
        self.away_since.is_some() || now < self.frozen_until
    }

    /// Whether Redis answers.
    pub fn up(&self) -> bool {
        self.away_since.is_none()
    }

    /// How old the last look is.
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
    fn it_is_frozen_while_redis_is_away_new_back_or_flushed_and_a_grace_beyond() {
        let second = Duration::from_secs(1);
        let mut now = Instant::now();
        let mut trust = RegistryTrust::new(true, now);
        assert!(trust.frozen(now), "it has just begun");
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
        assert_eq!(trust.read(&look("b", 0), now), None, "still empty is nothing new");
    }
}
