//! The fence: until when this node may act as the owner of its sessions. Each renewal of the lease moves it; a node that was
//! stopped and wakes up finds itself behind it, and delivers nothing before it has joined its sessions again.
//!
//! It stands by this machine's monotonic clock, from the moment a renewal was *asked* for: so it falls before the lease does.

use std::{
    sync::atomic::{AtomicBool, AtomicU64, Ordering},
    time::{Duration, Instant},
};

/// Shared by the backplane, which moves it, and the shards, which look at it before they send.
#[derive(Debug)]
pub struct Fence {
    began: Instant,
    /// In milliseconds since `began`.
    until: AtomicU64,
    tripped: AtomicBool,
}

impl Default for Fence {
    /// One that never falls, for a node alone.
    fn default() -> Self {
        Self { began: Instant::now(), until: AtomicU64::new(u64::MAX), tripped: AtomicBool::new(false) }
    }
}

impl Fence {
    /// It stands for so long from this moment.
    pub fn extend(&self, from: Instant, lasting: Duration) {
        let until = (from + lasting).saturating_duration_since(self.began);
        self.until.store(until.as_millis() as u64, Ordering::Release);
    }

    /// Whether it stands. If not, something was not sent that was counted as handled.
    pub fn holds(&self) -> bool {
        let holds = (self.began.elapsed().as_millis() as u64) < self.until.load(Ordering::Acquire);
        if !holds {
            self.tripped.store(true, Ordering::Release);
        }
        holds
    }

    /// Whether it was found fallen since the last call.
    pub fn takes_tripped(&self) -> bool {
        self.tripped.swap(false, Ordering::AcqRel)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_falls_by_itself_and_remembers_who_ran_into_it() {
        let fence = Fence::default();
        assert!(fence.holds() && !fence.takes_tripped());
        fence.extend(Instant::now(), Duration::ZERO);
        assert!(!fence.holds() && fence.takes_tripped() && !fence.takes_tripped());
        fence.extend(Instant::now(), Duration::from_secs(60));
        assert!(fence.holds());
    }
}
