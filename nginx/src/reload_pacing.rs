//! Decides when a change of the set of nodes is worth a reload. Each reload leaves old workers behind, so changes are
//! collected: a set must stay the same for a while, and the number of reloads is limited. A change that waits is merged
//! with the next one and never lost. The caller gives the time.

use std::time::{Duration, Instant};

use crate::{config::Config, membership::Members};

/// A set that keeps changing is applied after this many times `--quiet`.
const QUIETS_AT_MOST: u32 = 6;
/// An urgent set that keeps changing is applied after this many times `--quiet-urgent`.
const URGENT_QUIETS_AT_MOST: u32 = 2;
/// The size of each of the two token buckets: how many reloads can follow each other at once. The second bucket is for
/// urgent changes alone.
const BURST: f64 = 2.0;

/// How much a change matters.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Urgency {
    /// No node is served yet.
    Now,
    /// A node died, or Nginx knows too few nodes for the load.
    Urgent,
    /// The change can wait: nodes place handshakes on new nodes themselves, and a node that leaves answers 503.
    Lazy,
}

/// Why a change is not applied yet.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ReloadDelay {
    /// The set has not stayed the same for long enough.
    Quiet,
    /// There were too many reloads lately.
    Rate,
    /// Too many old workers linger.
    Lingering,
    /// The change failed and is tried again later.
    Failed,
}

impl ReloadDelay {
    /// Returns the value of the label `why` of the metric.
    pub fn label(self) -> &'static str {
        match self {
            Self::Quiet => "quiet",
            Self::Rate => "rate",
            Self::Lingering => "lingering",
            Self::Failed => "failed",
        }
    }
}

/// The set that is wanted, since when, and the reloads that are left.
#[derive(Debug)]
pub struct ReloadPacing {
    quiet: Duration,
    quiet_urgent: Duration,
    every: Duration,
    wanted: Option<Wanted>,
    bucket: TokenBucket,
    reserve: TokenBucket,
}

#[derive(Debug)]
struct Wanted {
    set: Members,
    first: Instant,
    since: Instant,
}

#[derive(Debug)]
struct TokenBucket {
    tokens: f64,
    at: Instant,
}

impl ReloadPacing {
    /// Starts with full buckets and the configured times.
    pub fn new(config: &Config, now: Instant) -> Self {
        let bucket = || TokenBucket { tokens: BURST, at: now };
        Self {
            quiet: config.quiet,
            quiet_urgent: config.quiet_urgent,
            every: config.reload_every,
            wanted: None,
            bucket: bucket(),
            reserve: bucket(),
        }
    }

    /// Records that no change is wanted any more.
    pub fn clear(&mut self) {
        self.wanted = None;
    }

    /// Returns `Ok` and takes one of the reloads if this set is to be applied now, or returns why it waits. `crowded`
    /// says that too many old workers linger.
    pub fn due(&mut self, set: &Members, urgency: Urgency, crowded: bool, now: Instant) -> Result<(), ReloadDelay> {
        let (first, since) = self.want(set, now);
        let (quiet, most) = match urgency {
            Urgency::Now => return self.applied(),
            Urgency::Urgent => (self.quiet_urgent, self.quiet_urgent * URGENT_QUIETS_AT_MOST),
            Urgency::Lazy => (self.quiet, self.quiet * QUIETS_AT_MOST),
        };
        if now < since + quiet && now < first + most {
            return Err(ReloadDelay::Quiet);
        }
        self.take_reload(urgency, crowded, now)?;
        self.applied()
    }

    /// Takes one of the reloads, or returns why none can be taken.
    pub fn take_reload(&mut self, urgency: Urgency, crowded: bool, now: Instant) -> Result<(), ReloadDelay> {
        if crowded && urgency == Urgency::Lazy {
            return Err(ReloadDelay::Lingering);
        }
        let spare =
            self.bucket.take(self.every, now) || (urgency == Urgency::Urgent && self.reserve.take(self.every, now));
        if spare { Ok(()) } else { Err(ReloadDelay::Rate) }
    }

    /// Gives a reload back, since Nginx was not reloaded and left no old workers behind.
    pub fn give_back(&mut self) {
        self.bucket.tokens = (self.bucket.tokens + 1.0).min(BURST);
    }

    /// Takes one of the reloads without asking, even if none is left: the next one then waits for longer.
    pub fn spend(&mut self) {
        self.bucket.tokens = (self.bucket.tokens - 1.0).max(-1.0);
    }

    fn applied(&mut self) -> Result<(), ReloadDelay> {
        self.clear();
        Ok(())
    }

    /// Returns since when any change is wanted, and since when this set is.
    fn want(&mut self, set: &Members, now: Instant) -> (Instant, Instant) {
        let wanted = self.wanted.get_or_insert_with(|| Wanted { set: set.clone(), first: now, since: now });
        if wanted.set != *set {
            wanted.set.clone_from(set);
            wanted.since = now;
        }
        (wanted.first, wanted.since)
    }
}

impl TokenBucket {
    fn take(&mut self, every: Duration, now: Instant) -> bool {
        let earned = now.duration_since(self.at).as_secs_f64() / every.as_secs_f64().max(0.001);
        self.at = now;
        self.tokens = (self.tokens + earned).min(BURST);
        let enough = self.tokens >= 1.0;
        if enough {
            self.tokens -= 1.0;
        }
        enough
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::tests::config;

    const TICK: Duration = Duration::from_millis(500);

    fn set(ports: &[u16]) -> Members {
        ports.iter().map(|port| ([127, 0, 0, 1], *port).into()).collect()
    }

    /// Returns the second of each reload, when `wanted` says every half second which set is wanted and how urgently.
    fn reloads(seconds: u32, crowded: bool, wanted: impl Fn(u32) -> (Members, Urgency)) -> Vec<u32> {
        let began = Instant::now();
        let mut pace = ReloadPacing::new(&config(&[]), began);
        let due = |half: &u32| {
            let (set, urgency) = wanted(*half);
            pace.due(&set, urgency, crowded, began + TICK * *half).is_ok()
        };
        (0..seconds * 2).filter(due).map(|half| half / 2).collect()
    }

    #[test]
    fn a_set_that_stays_the_same_is_applied_after_the_quiet_time() {
        assert_eq!(reloads(6, false, |_| (set(&[1]), Urgency::Lazy)), [5]);
        assert_eq!(reloads(1, false, |_| (set(&[1]), Urgency::Urgent)), [0]);
        assert_eq!(reloads(1, false, |_| (set(&[1]), Urgency::Now))[0], 0);
    }

    #[test]
    fn a_set_that_keeps_changing_is_applied_rarely() {
        let flapping = |half: u32| (set(&[1, (half / 2 % 2) as u16]), Urgency::Lazy);
        assert_eq!(reloads(31, false, flapping), [30]);
        let dying = |half: u32| (set(&[half as u16]), Urgency::Urgent);
        let times = reloads(60, false, dying);
        assert!(times.len() <= 7, "four at once, and one more from each of the two buckets in 30 s: {times:?}");
    }

    #[test]
    fn a_reload_that_did_not_happen_is_given_back() {
        let began = Instant::now();
        let mut pace = ReloadPacing::new(&config(&[]), began);
        let spare = |pace: &mut ReloadPacing| pace.take_reload(Urgency::Lazy, false, began).is_ok();
        assert_eq!([(); 3].map(|()| spare(&mut pace)), [true, true, false]);
        pace.give_back();
        assert_eq!([(); 2].map(|()| spare(&mut pace)), [true, false]);
    }

    #[test]
    fn while_too_many_old_workers_linger_only_urgent_changes_are_applied() {
        assert!(reloads(60, true, |_| (set(&[1]), Urgency::Lazy)).is_empty());
        assert!(!reloads(2, true, |_| (set(&[1]), Urgency::Urgent)).is_empty());
    }
}
