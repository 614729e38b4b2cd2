//! What a node does in each partition beside its sessions: it tells of dead nodes' sessions, forgets what may be
//! forgotten, finishes commands whose acceptance was left, works out which terminals have confirmed everything, and
//! mends what differs between the registry and what the node holds. Each renewal of the lease tells which of these
//! tasks are due, so an idle partition costs no further call.

use futures_util::future::join_all;
use tokio::time::{self, MissedTickBehavior};

use super::{
    RedisBackplane,
    member::PartitionMember,
    partition::{due::DueUpkeep, held::HeldDifference, lease::BEAT},
};
use crate::{
    backplane::{BackplaneError, redis::refusal::unavailable, terminal_record::stale_after},
    hub::SessionInfo,
};

/// How many calls at each beat write events about the sessions of one dead node. Each call is about 128 sessions.
const PORTIONS: usize = 32;
/// The beats between two looks for terminals that are to be forgotten, as long as a look does not find as many as it
/// can forget.
const FORGET_BEATS: u32 = 5;
/// The terminals that one look can forget, as in `forget_away.lua`.
const FORGOTTEN_MAX: u32 = 64;

impl RedisBackplane {
    /// Does the upkeep in each partition by itself; never returns.
    pub(super) async fn keep_up(&self) {
        join_all(self.members.iter().map(|member| self.keep_up_in(member))).await;
    }

    async fn keep_up_in(&self, member: &PartitionMember) {
        let mut beat = time::interval(BEAT);
        beat.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let (mut silent, mut differing) = (Vec::new(), HeldDifference::default());
        // Not at the same beat in all partitions.
        let mut until_forgetting = u32::from(member.index().0) % FORGET_BEATS;
        loop {
            beat.tick().await;
            if member.check().is_err() {
                continue;
            }
            let mut due = member.take_due();
            due.forget &= until_forgetting == 0;
            self.write_minute(member, &mut due).await;
            let kept = async {
                let forgot = self.keep_up_once(member, due).await?;
                until_forgetting = match until_forgetting.checked_sub(1) {
                    _ if forgot => 0,
                    Some(left) => left,
                    None => FORGET_BEATS - 1,
                };
                self.tell_silent(member, &mut silent).await?;
                if due.mend { self.mend(member, &mut differing).await } else { Ok(()) }
            };
            if let Err(error) = kept.await {
                member.add_due(due);
                tracing::debug!(partition = %member.index(), %error, "some upkeep waits for the next beat");
            }
        }
    }

    /// Writes the counters of a minute that has begun. After a failure, tries again at the next beat. A failure delays
    /// nothing else.
    async fn write_minute(&self, member: &PartitionMember, due: &mut DueUpkeep) {
        if std::mem::take(&mut due.minute)
            && let Err(error) = member.store.write_minute().await
        {
            member.add_due(DueUpkeep { minute: true, ..DueUpkeep::default() });
            tracing::debug!(partition = %member.index(), %error, "the counters of a minute wait for the next beat");
        }
    }

    /// Tells the partition which sessions of this node are silent, if others are silent than before.
    async fn tell_silent(&self, member: &PartitionMember, before: &mut Vec<u32>) -> Result<(), BackplaneError> {
        let silent = member.ordinals.silent(stale_after(self.ping));
        if silent != *before {
            member.store.set_stale(&self.node.id, &silent).await.map_err(unavailable)?;
            *before = silent;
        }
        Ok(())
    }

    /// Returns the ordinals of the sessions that this node holds in a partition.
    pub(super) fn held(&self, member: &PartitionMember) -> Vec<u32> {
        let here = |info: &SessionInfo| self.hub.addr(&info.terminal).is_some_and(|addr| addr.session == info.session);
        let all = member.ordinals.all();
        all.into_iter().filter(|(_, info)| here(info)).map(|(ordinal, _)| ordinal).collect()
    }

    /// Compares the registry with what this node holds, and mends what differed at the last beat too: a session that
    /// joins or leaves at the moment of one comparison is not in both.
    async fn mend(&self, member: &PartitionMember, before: &mut HeldDifference) -> Result<(), BackplaneError> {
        let (all, held) = (member.ordinals.all(), self.held(member));
        let compared = member.store.compare(&self.node.id, &held).await.map_err(unavailable)?.unwrap_or_default();
        for (_, info) in all.iter().filter(|(ordinal, _)| both(&compared.lacking, &before.lacking, ordinal)) {
            tracing::warn!(terminal = %info.terminal, "the registry lacks a session, which joins again");
            self.sessions.rejoin_session(&info.terminal, info.session).await;
        }
        for session in compared.extra.iter().filter(|session| before.extra.contains(session)) {
            // The store has registered this session, and the answer is late or was lost. Taking the session out would
            // write that its terminal is offline.
            if self.sessions.rejoin_session(&session.0, session.1).await {
                tracing::warn!(terminal = %session.0, "the registry has another place for a session, which joins again");
                continue;
            }
            tracing::warn!(terminal = %session.0, "the registry has a session that is not here, which is taken out");
            member.store.evict(session, &self.node.id, member.hearing.reached()).await.map_err(unavailable)?;
        }
        *before = compared;
        Ok(())
    }

    /// Does what is due. Returns whether as many terminals were forgotten as a call can.
    async fn keep_up_once(&self, member: &PartitionMember, due: DueUpkeep) -> Result<bool, BackplaneError> {
        for node in member.take_dead() {
            for _ in 0..PORTIONS {
                if !member.store.bury(&node).await.map_err(unavailable)? {
                    tracing::warn!(%node, partition = %member.index(), "a node is gone, and its sessions with it");
                    break;
                }
            }
        }
        let forgot = if due.forget { member.store.forget_away(self.forget).await? } else { 0 };
        if due.tell {
            self.tell_rest(member).await?;
        }
        if due.sweep {
            member.store.sweep().await?;
        }
        if due.confirm {
            member.store.confirm().await.map_err(unavailable)?;
        }
        if due.finish {
            self.finish_begun(member).await?;
        }
        Ok(forgot >= FORGOTTEN_MAX)
    }
}

fn both(one: &[u32], other: &[u32], ordinal: &u32) -> bool {
    one.contains(ordinal) && other.contains(ordinal)
}
