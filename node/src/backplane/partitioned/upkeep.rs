//! What a node does in each partition beside its sessions: it tells of dead nodes' sessions, forgets what may be forgotten, finishes
//! commands whose acceptance was left, and mends what differs between the registry and what the node holds.

use futures_util::future::join_all;
use tokio::time::{self, MissedTickBehavior};

use super::{PartitionedBackplane, member::PartitionMember, partition::lease::BEAT};
use crate::backplane::BackplaneError;

/// The calls in which the sessions of one dead node are told of at each beat, 512 a call.
const PORTIONS: usize = 8;

impl PartitionedBackplane {
    /// Does it for ever, in each partition by itself.
    pub(super) async fn keep_up(&self) {
        join_all(self.members.iter().map(|member| self.keep_up_in(member))).await;
    }

    async fn keep_up_in(&self, member: &PartitionMember) {
        let mut beat = time::interval(BEAT);
        beat.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            beat.tick().await;
            if member.check().is_err() {
                continue;
            }
            if let Err(error) = self.keep_up_once(member).await {
                tracing::debug!(partition = %member.index(), %error, "some upkeep waits for the next beat");
            }
        }
    }

    async fn keep_up_once(&self, member: &PartitionMember) -> Result<(), BackplaneError> {
        let unavailable = crate::backplane::redis::refusal::unavailable;
        for node in member.take_dead() {
            for _ in 0..PORTIONS {
                if !member.store.bury(&node).await.map_err(unavailable)? {
                    tracing::warn!(%node, partition = %member.index(), "a node is gone, and its sessions with it");
                    break;
                }
            }
        }
        member.store.forget_away(self.forget).await?;
        member.store.sweep().await?;
        self.finish_begun(member).await
    }
}
