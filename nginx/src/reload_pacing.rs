//! When a change is worth a reload. Each reload leaves workers behind, so changes are gathered: a set must stand still for a
//! while, and reloads are few. Pure but for the clock given to it. A change that waits is merged with the next and never lost.

use std::time::{Duration, Instant};

use crate::{config::Config, membership::Members};

/// A set that does not come to rest is applied after so many times its quiet.
const RESTLESS: u32 = 6;
const RESTLESS_URGENT: u32 = 2;
/// Reloads at once; and as many again, refilled as slowly, for deaths alone.
const BURST: f64 = 2.0;

/// How much a change matters.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Urgency {
    /// There was nobody, or the sidecar's own settings changed.
    Now,
    /// A node died, or too few are known for the load.
    Urgent,
    /// The nodes do well without it: they place handshakes themselves, and answer 503 when they go.
    Lazy,
}

/// Why a change waits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ReloadDelay {
    /// The set does not stand still.
    Quiet,
    /// Too many reloads lately.
    Rate,
    /// Too many old workers linger.
    Lingering,
    /// It was tried and failed, and is tried again later.
    Failed,
}

impl ReloadDelay {
    /// The value of the metric's label.
    pub fn label(self) -> &'static str {
        match self {
            Self::Quiet => "quiet",
            Self::Rate => "rate",
            Self::Lingering => "lingering",
            Self::Failed => "failed",
        }
    }
}

/// What is wanted since when, and how many reloads are left.
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
    /// With the configured times.
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

    /// Nothing is to be changed any more.
    pub fn settle(&mut self) {
        self.wanted = None;
    }

    /// Whether this set is to be applied now; if so, that takes one of the reloads.
    pub fn due(&mut self, set: &Members, urgency: Urgency, crowded: bool, now: Instant) -> Result<(), ReloadDelay> {
        let (first, since) = self.want(set, now);
        let (quiet, most) = match urgency {
            Urgency::Now => return self.applied(),
            Urgency::Urgent => (self.quiet_urgent, self.quiet_urgent * RESTLESS_URGENT),
            Urgency::Lazy => (self.quiet, self.quiet * RESTLESS),
        };
        if now < since + quiet && now < first + most {
            return Err(ReloadDelay::Quiet);
        }
        self.spare(urgency, crowded, now)?;
        self.applied()
    }

    /// Whether there is a reload left for a change that need not stand still, or does; if so, that takes it.
    pub fn spare(&mut self, urgency: Urgency, crowded: bool, now: Instant) -> Result<(), ReloadDelay> {
        if crowded && urgency == Urgency::Lazy {
            return Err(ReloadDelay::Lingering);
        }
        let spare =
            self.bucket.take(self.every, now) || (urgency == Urgency::Urgent && self.reserve.take(self.every, now));
        if spare { Ok(()) } else { Err(ReloadDelay::Rate) }
    }

    /// Nginx was not reloaded after all, and no worker was left behind.
    pub fn spared(&mut self) {
        self.bucket.tokens = (self.bucket.tokens + 1.0).min(BURST);
    }

    fn applied(&mut self) -> Result<(), ReloadDelay> {
        self.settle();
        Ok(())
    }

    /// Since when anything, and since when this set is wanted.
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

    /// The second of each reload, when every half second `wanted` says what is wanted and how urgently.
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
    fn a_set_that_stands_still_is_applied_after_its_quiet() {
        assert_eq!(reloads(6, false, |_| (set(&[1]), Urgency::Lazy)), [5]);
        assert_eq!(reloads(1, false, |_| (set(&[1]), Urgency::Urgent)), [0]);
        assert_eq!(reloads(1, false, |_| (set(&[1]), Urgency::Now))[0], 0);
    }

    #[test]
    fn one_that_does_not_is_applied_now_and_then_and_never_often() {
        let flapping = |half: u32| (set(&[1, (half / 2 % 2) as u16]), Urgency::Lazy);
        assert_eq!(reloads(31, false, flapping), [30]);
        let dying = |half: u32| (set(&[half as u16]), Urgency::Urgent);
        let times = reloads(60, false, dying);
        assert!(times.len() <= 7, "four at once and two buckets that each earn one in 30 s: {times:?}");
    }

    #[test]
    fn what_nginx_refused_before_it_was_reloaded_is_not_counted() {
        let began = Instant::now();
        let mut pace = ReloadPacing::new(&config(&[]), began);
        let spare = |pace: &mut ReloadPacing| pace.spare(Urgency::Lazy, false, began).is_ok();
        assert_eq!([(); 3].map(|()| spare(&mut pace)), [true, true, false]);
        pace.spared();
        assert_eq!([(); 2].map(|()| spare(&mut pace)), [true, false]);
    }

    #[test]
    fn while_old_workers_crowd_only_a_death_is_worth_a_reload() {
        assert!(reloads(60, true, |_| (set(&[1]), Urgency::Lazy)).is_empty());
        assert!(!reloads(2, true, |_| (set(&[1]), Urgency::Urgent)).is_empty());
    }
}
