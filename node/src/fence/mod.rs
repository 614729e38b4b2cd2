//! The fence: until when this node may act as the owner of its sessions.
//!
//! A node holds a lease in each partition of the store, and has a fence for each ([`Fences`]). Each renewal of a lease
//! extends the fence of its partition. A node that was stopped and wakes up finds the fence expired, and delivers
//! nothing before its sessions have registered again.
//!
//! The end of the fence is counted from the moment at which a renewal was *requested*, by a clock that goes on while
//! the machine sleeps ([`BootInstant`]). So the fence expires before the lease in Redis does.

mod boot_clock;
mod claim;
#[cfg(all(test, feature = "shuttle"))]
mod models;
mod partitions;

use std::time::Duration;

pub use self::{boot_clock::BootInstant, claim::Claim, partitions::Fences};
use crate::sync::atomic::{AtomicBool, AtomicU64, Ordering};

/// The fence of one node in one partition of the store. The backplane extends it; the shards check it before they send.
#[derive(Debug)]
pub struct Fence {
    began: BootInstant,
    /// When the fence expires, in milliseconds since `began`.
    until: AtomicU64,
    tripped: AtomicBool,
}

impl Default for Fence {
    /// Returns a fence that never expires, for a node without a cluster.
    fn default() -> Self {
        Self { began: BootInstant::now(), until: AtomicU64::new(u64::MAX), tripped: AtomicBool::new(false) }
    }
}

impl Fence {
    /// Lets the fence hold for `duration` from `from`.
    pub fn extend(&self, from: BootInstant, duration: Duration) {
        let until = (from + duration).saturating_duration_since(self.began);
        self.until.store(until.as_millis() as u64, Ordering::Release);
    }

    /// Returns whether the fence holds. If not, the caller must drop what it was about to send, and the fence records
    /// that something was dropped.
    pub fn holds(&self) -> bool {
        let holds = (self.began.elapsed().as_millis() as u64) < self.until.load(Ordering::Acquire);
        if !holds {
            self.tripped.store(true, Ordering::Release);
        }
        holds
    }

    /// Returns whether [`holds`](Self::holds) has returned false since the last call of this function.
    pub fn takes_tripped(&self) -> bool {
        self.tripped.swap(false, Ordering::AcqRel)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_fence_expires_by_itself_and_records_that_it_was_found_expired() {
        let fence = Fence::default();
        assert!(fence.holds() && !fence.takes_tripped());
        fence.extend(BootInstant::now(), Duration::ZERO);
        assert!(!fence.holds() && fence.takes_tripped() && !fence.takes_tripped());
        fence.extend(BootInstant::now(), Duration::from_secs(60));
        assert!(fence.holds());
    }
}
