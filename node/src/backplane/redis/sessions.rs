//! Sessions: registered in their terminal's partition as they begin, and taken out as they end. A session that begins
//! never waits for a partition that is away: it becomes a [stray](crate::backplane::redis::strays). A session that ends
//! while its partition is away is remembered until a lease is renewed.

use std::{sync::Arc, time::Duration};

use async_trait::async_trait;
use futures_util::stream::{self, StreamExt};
use muster_protocol::{TerminalId, api::Protocol};
use redis::RedisResult;
use tokio::time;

use super::{
    RedisBackplane,
    member::PartitionMember,
    partition::sessions::{OrdinalLookup, PartitionJoin},
};
use crate::{
    backplane::{JoinOutcome, JoinRequest, SessionStore, redis::identity::nameless},
    end::{EndReport, SessionEnd},
    hub::SessionInfo,
};

/// How many sessions are unregistered at the same time after an outage.
const LEAVING: usize = 64;
/// The interval at which the node looks for strays that are due.
const LOOK: Duration = Duration::from_millis(250);

#[async_trait]
impl SessionStore for RedisBackplane {
    /// Registers a session. If that can't be done, the session becomes a stray, which later joins again by itself.
    async fn join(&self, request: &JoinRequest) -> JoinOutcome {
        let _permit = self.joining.acquire().await;
        let (info, member) = (&request.info, self.member_of(&request.info.terminal));
        if member.check().is_err() {
            self.strays.wait_for_redis(info);
            return JoinOutcome::Away;
        }
        match self.try_join(member, request).await {
            Ok(Some(outcome)) => {
                self.strays.remove(info.session);
                outcome
            }
            Ok(None) => {
                self.refused_new(member, &info.terminal);
                // A session that was let in while its partition was away goes on, and joins again later.
                if !self.strays.contains(info.session) && !request.again {
                    return JoinOutcome::Ended(SessionEnd::NoOrdinal);
                }
                self.strays.back_off(info);
                JoinOutcome::Away
            }
            Err(error) => {
                tracing::warn!(terminal = %info.terminal, %error, "not registered yet");
                self.strays.back_off(info);
                JoinOutcome::Away
            }
        }
    }

    /// Asks the partition only if it had no ordinal for the last new terminal. So the first new terminal without an
    /// ordinal is accepted, and its session ends when it joins.
    async fn has_place_for(&self, terminal: &TerminalId) -> bool {
        let member = self.member_of(terminal);
        if !member.refuses_new() || member.check().is_err() {
            return true;
        }
        match member.store.look_up_ordinal(terminal).await {
            Ok(OrdinalLookup::Refused) => {
                self.refused_new(member, terminal);
                false
            }
            Ok(OrdinalLookup::Free) => {
                member.set_refuses_new(false);
                true
            }
            Ok(OrdinalLookup::Known) | Err(_) => true,
        }
    }

    /// Unregisters a session if it is still the terminal's. If the partition is away this is done as soon as it is
    /// back.
    async fn leave(&self, info: &Arc<SessionInfo>, end: EndReport) {
        self.strays.remove(info.session);
        let member = self.member_of(&info.terminal);
        member.ordinals.end(info);
        if let Err(error) = self.try_leave(member, info, &end).await {
            tracing::warn!(terminal = %info.terminal, %error, "not unregistered yet");
            self.parted.push(info.clone(), end);
        }
    }
}

impl RedisBackplane {
    /// Returns the outcome of joining; none if the partition has no ordinal for a new terminal.
    async fn try_join(&self, member: &PartitionMember, request: &JoinRequest) -> RedisResult<Option<JoinOutcome>> {
        // What was sent to the terminal's sessions here must not count as missed, because a plain terminal can't tell
        // that a command comes twice.
        if request.info.protocol == Protocol::Plain || request.again {
            self.flush_in(member.index()).await?;
        } else {
            self.flush_events_of(&request.info.terminal, member.index()).await?;
        }
        match member.store.join(request, member.holder(&self.node.id)).await? {
            PartitionJoin::In { ordinal, point } => {
                member.ordinals.insert(ordinal, request.info.clone(), &point.cursor.epoch);
                Ok(Some(JoinOutcome::In(point)))
            }
            PartitionJoin::Ended(end) => Ok(Some(JoinOutcome::Ended(end))),
            PartitionJoin::Contested(delay) => Ok(Some(JoinOutcome::Contested(delay))),
            PartitionJoin::Nameless => Err(nameless()),
            PartitionJoin::NoOrdinal => Ok(None),
        }
    }

    /// Counts a new terminal for which a partition has no ordinal, and says so once a minute.
    fn refused_new(&self, member: &PartitionMember, terminal: &TerminalId) {
        member.set_refuses_new(true);
        self.metrics.registrations_refused.inc();
        if self.refusals.is_due() {
            tracing::warn!(
                %terminal, partition = %member.index(),
                "the partition has no number left for another terminal, and refuses new ones: too many were forgotten of late, as \
                 when clients make up an id for each connection (muster_registrations_refused_total counts them)"
            );
        }
    }

    async fn try_leave(&self, member: &PartitionMember, info: &SessionInfo, end: &EndReport) -> RedisResult<()> {
        self.flush_events_of(&info.terminal, member.index()).await?;
        member.store.leave(info, &self.node.id, end.clone(), member.hearing.reached()).await.map(drop)
    }

    /// Unregisters the sessions that ended while their partition was away; never returns. Runs beside the renewal of
    /// leases, which must not wait for many such sessions.
    pub(super) async fn leave_late(&self) {
        loop {
            self.renewed.notified().await;
            let parted = self.parted.take();
            stream::iter(parted).for_each_concurrent(LEAVING, |(info, end)| self.leave_again(info, end)).await;
        }
    }

    async fn leave_again(&self, info: Arc<SessionInfo>, end: EndReport) {
        let member = self.member_of(&info.terminal);
        // If the partition is still away, the other sessions must not each wait for its answer.
        if member.check().is_err() || self.try_leave(member, &info, &end).await.is_err() {
            self.parted.push(info, end);
        }
    }

    /// Asks strays that are due and whose partition is back to join again; never returns. Runs beside the renewal of
    /// leases, which must not wait until the shards have taken many messages.
    pub(super) async fn rejoin_strays(&self) {
        let mut look = time::interval(LOOK);
        loop {
            look.tick().await;
            for (session, terminal) in self.strays.take_due(|terminal| self.member_of(terminal).check().is_ok()) {
                if !self.sessions.rejoin_session(&terminal, session).await {
                    self.strays.remove(session);
                }
            }
        }
    }
}
