//! The claim: which lease this node knows that it holds, and what a renewal changes.

use std::{
    sync::{Arc, PoisonError},
    time::Duration,
};

use super::{BootInstant, Fence};
use crate::sync::{Mutex, MutexGuard};

/// The claim of this node in one partition: the name of the lease under which the node's sessions are registered, and
/// the fence that holds for as long as the lease does.
#[derive(Debug)]
pub struct Claim {
    /// Never locked across an await.
    name: Mutex<String>,
    fence: Arc<Fence>,
}

impl Claim {
    /// Returns a claim that has no lease yet.
    pub fn new(fence: Arc<Fence>) -> Self {
        Self { name: Mutex::default(), fence }
    }

    /// Records the first lease, which was requested at `asked` and lasts for `lasting`. There are no sessions yet.
    pub fn begin(&self, name: String, asked: BootInstant, lasting: Duration) {
        *self.name() = name;
        self.fence.extend(asked, lasting);
    }

    /// Records a renewal that was requested at `asked` and lasts for `lasting`. Awaits `rejoin`, which has the
    /// partition's sessions join again, in two cases: the lease has another name, so it was lost meanwhile; or commands
    /// were dropped because the fence had expired. `rejoin` must complete only when each shard has handled what waited
    /// in its mailbox before.
    pub async fn renew(&self, name: String, asked: BootInstant, lasting: Duration, rejoin: impl Future<Output = ()>) {
        let held = *self.name() == name;
        let tripped = self.fence.takes_tripped();
        if !held || tripped {
            tracing::info!(held, tripped, "the sessions of a partition join again");
            rejoin.await;
            // The name is set only after the sessions were asked. So of two renewals at once, neither extends the fence
            // before that.
            *self.name() = name;
        }
        // Extended any earlier, the fence would let commands that waited in a mailbox out to sessions that have another
        // owner by now.
        self.fence.extend(asked, lasting);
    }

    /// Lets the fence expire, because another process holds the lease.
    pub fn give_way(&self) {
        self.fence.extend(BootInstant::now(), Duration::ZERO);
    }

    fn name(&self) -> MutexGuard<'_, String> {
        self.name.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn all_sessions_join_again_if_the_lease_was_lost_or_a_command_was_dropped() {
        let fence = Arc::<Fence>::default();
        let claim = Claim::new(fence.clone());
        claim.begin("first".into(), BootInstant::now(), Duration::from_secs(60));
        let renew = async |name: &str| {
            let mut rejoined = false;
            claim.renew(name.into(), BootInstant::now(), Duration::from_secs(60), async { rejoined = true }).await;
            rejoined
        };
        assert!(!renew("first").await);
        assert!(renew("second").await && !renew("second").await);
        claim.give_way();
        assert!(!fence.holds());
        assert!(renew("second").await && fence.holds());
    }
}
