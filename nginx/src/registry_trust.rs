//! Decides whether a missing lease means that its node is gone. A Redis that was away, is another process, or was
//! flushed may have lost the leases of live nodes. For a while after that, no node leaves because of a missing lease,
//! so that live nodes can register again. Each partition is judged for itself, and a node leaves only while at least
//! one is trusted. Live nodes hold a lease in every partition, so one trusted partition without the lease is enough.
//! The caller gives the time.

use std::time::{Duration, Instant};

use crate::leases::{PartitionLook, RegistrySnapshot};

/// For how long a partition is not trusted after such an event. Twice the duration of a lease: every live node has
/// registered again by then.
const GRACE: Duration = Duration::from_secs(12);

/// What is known of the Redis that holds the registry.
#[derive(Debug)]
pub struct RegistryTrust {
    /// What is known of each partition. Empty before the first answer.
    partitions: Vec<PartitionTrust>,
    away_since: Option<Instant>,
    frozen_until: Instant,
    read_at: Instant,
}

/// What is known of one partition.
#[derive(Debug, Clone)]
struct PartitionTrust {
    run_id: Option<String>,
    leases: usize,
    is_away: bool,
    frozen_until: Instant,
}

impl RegistryTrust {
    /// Begins without any knowledge. A sidecar that `inherits` a set of nodes trusts the registry only after the grace
    /// time, since it does not know what happened to Redis since the set was made.
    pub fn new(inherits: bool, now: Instant) -> Self {
        let frozen_until = if inherits { now + GRACE } else { now };
        Self { partitions: Vec::new(), away_since: None, frozen_until, read_at: now }
    }

    /// Records that no partition answered. Returns whether one answered before.
    pub fn failed(&mut self, now: Instant) -> bool {
        self.partitions.iter_mut().for_each(|partition| partition.is_away = true);
        self.away_since.replace(self.away_since.unwrap_or(now)).is_none()
    }

    /// Records the answers of partitions. Returns why the registry is not trusted from now on for the grace time: `new`
    /// (another process or another store), `back` (it was away) or `flushed` (no lease is left). `None` if nothing
    /// happened, or if another partition is trusted.
    pub fn read(&mut self, snapshot: &RegistrySnapshot, now: Instant) -> Option<&'static str> {
        (self.away_since, self.read_at) = (None, now);
        let mut why = self.is_replaced(snapshot).then_some("new");
        if why.is_some() {
            self.frozen_until = now + GRACE;
        }
        if self.partitions.len() != snapshot.partitions || why.is_some() {
            self.partitions = vec![PartitionTrust::new(self.frozen_until); snapshot.partitions];
        }
        for (index, look) in &snapshot.looks {
            match look {
                Some(look) => why = why.or(self.partitions[*index].read(look, now)),
                None => self.partitions[*index].is_away = true,
            }
        }
        why.filter(|_| self.frozen(now))
    }

    /// Returns whether the store is another one than before, and the one before had leases.
    fn is_replaced(&self, snapshot: &RegistrySnapshot) -> bool {
        let is_another = snapshot.is_reset || self.partitions.len() != snapshot.partitions;
        is_another && self.partitions.iter().any(|partition| partition.leases > 0)
    }

    /// Returns whether no node may leave now.
    pub fn frozen(&self, now: Instant) -> bool {
        match &self.partitions[..] {
            [] => self.away_since.is_some() || now < self.frozen_until,
            partitions => partitions.iter().all(|partition| !partition.is_trusted(now)),
        }
    }

    /// Returns whether Redis answered the last read, in one partition at least.
    pub fn up(&self) -> bool {
        self.away_since.is_none()
    }

    /// Returns the number of partitions that did not answer when they were last read.
    pub fn away(&self) -> usize {
        self.partitions.iter().filter(|partition| partition.is_away).count()
    }

    /// Returns the time since Redis last answered.
    pub fn age(&self, now: Instant) -> Duration {
        now.duration_since(self.read_at)
    }
}

impl PartitionTrust {
    fn new(frozen_until: Instant) -> Self {
        Self { run_id: None, leases: 0, is_away: false, frozen_until }
    }

    fn read(&mut self, look: &PartitionLook, now: Instant) -> Option<&'static str> {
        let new = self.run_id.as_ref().is_some_and(|id| *id != look.run_id);
        let back = std::mem::take(&mut self.is_away);
        let flushed = self.leases > 0 && look.leases == 0;
        self.run_id = Some(look.run_id.clone());
        self.leases = look.leases;
        let why = match () {
            () if new => "new",
            () if back => "back",
            () if flushed => "flushed",
            () => return None,
        };
        self.frozen_until = now + GRACE;
        Some(why)
    }

    fn is_trusted(&self, now: Instant) -> bool {
        self.run_id.is_some() && !self.is_away && now >= self.frozen_until
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// One look at partitions: the id of each one's process and the number of leases there; `None` for one that is
    /// away.
    fn look(partitions: &[Option<(&str, usize)>]) -> RegistrySnapshot {
        let answer = |(run_id, leases): (&str, usize)| PartitionLook { run_id: run_id.into(), leases };
        let looks = partitions.iter().map(|partition| partition.map(answer)).enumerate().collect();
        RegistrySnapshot { partitions: partitions.len(), looks, ..RegistrySnapshot::default() }
    }

    const SECOND: Duration = Duration::from_secs(1);

    #[test]
    fn no_node_leaves_while_redis_is_away_and_for_the_grace_time_after_it_is_back_new_or_flushed() {
        let mut now = Instant::now();
        let mut trust = RegistryTrust::new(true, now);
        assert!(trust.frozen(now), "it inherits a set");
        assert!(!RegistryTrust::new(false, now).frozen(now));
        now += GRACE;
        assert_eq!((trust.read(&look(&[Some(("a", 2))]), now), trust.frozen(now)), (None, false));
        assert!(trust.failed(now) && !trust.failed(now + 60 * SECOND) && trust.frozen(now + 60 * SECOND));
        assert_eq!(trust.age(now + 60 * SECOND), 60 * SECOND);
        now += 60 * SECOND;
        for (seen, why) in [(("a", 2), "back"), (("b", 2), "new"), (("b", 0), "flushed")] {
            assert_eq!(trust.read(&look(&[Some(seen)]), now), Some(why));
            assert!(trust.frozen(now + GRACE - SECOND) && !trust.frozen(now + GRACE));
            now += GRACE;
        }
        assert_eq!(trust.read(&look(&[Some(("b", 0))]), now), None, "it was empty before");
    }

    #[test]
    fn one_partition_that_is_trusted_is_enough_and_one_that_is_not_is_no_reason() {
        let (here, there) = (Some(("a", 2)), Some(("b", 2)));
        let mut now = Instant::now();
        let mut trust = RegistryTrust::new(false, now);
        for lost in [None, Some(("c", 0)), Some(("b", 0))] {
            assert_eq!((trust.read(&look(&[here, there]), now), trust.frozen(now)), (None, false));
            assert_eq!((trust.read(&look(&[here, lost]), now), trust.frozen(now)), (None, false));
            assert_eq!(trust.away(), usize::from(lost.is_none()));
            assert!(trust.read(&look(&[Some(("a", 0)), lost]), now) == Some("flushed") && trust.frozen(now));
            now += GRACE;
            assert!(!trust.frozen(now), "{lost:?}");
            trust = RegistryTrust::new(false, now);
        }
    }

    #[test]
    fn a_store_that_was_made_again_is_not_trusted_at_once() {
        let now = Instant::now();
        let mut trust = RegistryTrust::new(false, now);
        let seen = look(&[Some(("a", 0))]);
        trust.read(&seen, now);
        assert!(
            trust.read(&look(&[Some(("a", 0)); 3]), now).is_none() && !trust.frozen(now),
            "there was nothing to lose"
        );
        let seen = look(&[Some(("a", 2)); 3]);
        trust.read(&seen, now);
        let again = RegistrySnapshot { is_reset: true, ..seen.clone() };
        assert!(trust.read(&again, now) == Some("new") && trust.frozen(now + GRACE - SECOND));
        assert!(!trust.frozen(now + GRACE));
        let other = look(&[Some(("a", 2)); 4]);
        assert!(trust.read(&other, now + GRACE) == Some("new") && trust.frozen(now + GRACE));
    }
}
