//! This node's leases, one in each partition: each is renewed for itself, and what follows from a renewal concerns the
//! sessions of its partition alone.

use std::{sync::Arc, time::Duration};

use anyhow::bail;
use futures_util::future::join_all;
use muster_protocol::{api::NodeView, inbox::DrainRequest};
use redis::{RedisError, RedisResult};
use tokio::time::{self, MissedTickBehavior};

use super::{
    RedisBackplane,
    member::PartitionMember,
    partition::lease::{BEAT, LEASE, LeaseRenewal, RenewedLease},
};
use crate::{
    backplane::{
        fleet_minute::minute_of,
        redis::{
            identity::{Rival, nameless},
            refusal::why_away,
        },
    },
    fence::BootInstant,
};

/// The interval at which a process that starts looks whether its name is free.
const LOOK: Duration = Duration::from_millis(250);

impl RedisBackplane {
    /// Renews all leases; never returns. A Redis that does not answer delays only the next renewal of its own leases.
    pub(super) async fn keep_leases(&self) {
        join_all(self.members.iter().map(|member| self.keep_lease(member))).await;
    }

    async fn keep_lease(&self, member: &PartitionMember) {
        let mut beat = time::interval(BEAT);
        beat.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            beat.tick().await;
            if let Err(error) = self.renew(member).await {
                tracing::warn!(partition = %member.index(), %error, "the lease was not renewed");
            }
        }
    }

    /// Renews the lease in a partition, and records whether that could be done. A node that the store does not fit any
    /// more lets its leases run out.
    pub(super) async fn renew(&self, member: &PartitionMember) -> RedisResult<()> {
        if member.is_misfit() {
            return Ok(());
        }
        let renewed = self.try_renew(member).await;
        if member.set_reachable(renewed.as_ref().copied().map_err(why_away)) {
            // Streams of events tell which partitions are away.
            self.hears_of_event(member);
        }
        self.show_partitions();
        if renewed.is_ok() {
            self.renewed.notify_one();
        }
        renewed
    }

    /// If the lease was lost, or commands were dropped because the fence had expired, the partition's sessions join
    /// again.
    async fn try_renew(&self, member: &PartitionMember) -> RedisResult<()> {
        let asked = BootInstant::now();
        let name = self.beat(member).await?.map_err(|rival| self.give_way(member, rival))?;
        member.claim.renew(name, asked, LEASE, self.sessions.rejoin(member.index())).await;
        Ok(())
    }

    /// Returns the name of the lease, or the other process that holds it.
    async fn beat(&self, member: &PartitionMember) -> RedisResult<Result<String, Rival>> {
        if let Some(rival) = member.identity.lost_to() {
            return Ok(Err(rival.clone()));
        }
        let lease = self.trust.seal_lease(member.identity.process(), &member.lease_name(), self.view());
        let seen = member.seen();
        let held = self.held(member);
        let renewal =
            LeaseRenewal { lease: &lease, reached: member.hearing.reached(), seen: seen.as_ref(), held: Some(&held) };
        match member.store.beat(member.holder(&self.node.id), renewal).await? {
            RenewedLease::Other { process, lease } => {
                let view = self.trust.read_lease(self.node.id.as_str(), &lease).map(|lease| lease.view);
                let view = view.and_then(|view| serde_json::to_string(&view).ok());
                Ok(Err(Rival::new(process, view.unwrap_or(lease))))
            }
            RenewedLease::Held { name, time, dead, due } => {
                member.identity.forget_rival();
                member.set_dead(dead);
                member.add_due(due);
                member.set_minute(minute_of(time));
                member.set_lease_name(&name);
                Ok(Ok(name))
            }
        }
    }

    /// Another process has this node's lease in a partition. Until the lease is seen to be renewed, which proves that
    /// the other lives, this process only has no lease there. Then it ends.
    fn give_way(&self, member: &PartitionMember, rival: Rival) -> RedisError {
        member.claim.give_way();
        if member.identity.meets(&rival) && member.identity.lose_to(rival.clone()) {
            tracing::error!(address = rival.address(), "another process has this node's name; this one ends");
        }
        if member.identity.lost_to().is_some() {
            self.sessions.request_drain(DrainRequest::End);
        }
        nameless()
    }

    /// Takes this node's name in all partitions that answer. Fails if another process holds the name in any partition
    /// and goes on renewing its lease there, or if no partition answers.
    pub(super) async fn take_name(&self) -> anyhow::Result<()> {
        let taken = join_all(self.members.iter().map(|member| self.take_lease(member))).await;
        let mut failure = None;
        for (member, taken) in self.members.iter().zip(&taken) {
            match taken {
                Ok(Ok(())) => {}
                Ok(Err(rival)) => bail!(
                    "--node-id {}: another process has this name, at {}, and goes on renewing its lease; stop that one, or start \
                     this one with another name (without --node-id it takes a fresh one)",
                    self.node.id,
                    rival.address()
                ),
                Err(error) => {
                    tracing::warn!(partition = %member.index(), %error, "the partition is away");
                    member.set_reachable(Err(why_away(error)));
                    failure = Some(error.clone());
                }
            }
        }
        let all_away = taken.iter().all(Result::is_err);
        match failure.filter(|_| all_away) {
            Some(error) => Err(error.into()),
            None => Ok(()),
        }
    }

    /// Returns the first lease in a partition, before there are sessions, or the other process that holds it.
    async fn take_lease(&self, member: &PartitionMember) -> RedisResult<Result<(), Rival>> {
        let began = BootInstant::now();
        loop {
            let asked = BootInstant::now();
            let rival = match self.beat(member).await? {
                Ok(name) => {
                    member.claim.begin(name, asked, LEASE);
                    return Ok(Ok(()));
                }
                Err(rival) => rival,
            };
            if began.elapsed() > LEASE + BEAT {
                return Ok(Err(rival));
            }
            if member.identity.rival().is_none() {
                let (id, address) = (&self.node.id, rival.address());
                tracing::info!(%id, %address, "waiting for the lease of another process with this name to run out");
            }
            member.identity.meets(&rival);
            time::sleep(LOOK).await;
        }
    }

    /// Gives all leases back.
    pub(super) async fn resign(&self) {
        let resigned = join_all(
            self.members.iter().map(|member| member.store.resign(member.holder(&self.node.id), "node_stopped")),
        );
        if let Some(error) = resigned.await.into_iter().find_map(Result::err) {
            tracing::warn!(%error, "a lease was not given back; it runs out by itself");
        }
    }

    /// Returns what the leases say of this node now.
    pub(super) fn view(&self) -> NodeView {
        NodeView {
            sessions: self.hub.len() as u64,
            renewed_at: Some(self.clock.now()),
            partitions: Some(self.partition_counts()),
            foreign: self.trust.foreign(),
            ..self.lifecycle.told_by(&self.node)
        }
    }

    /// Returns the part of this node in the partition of a terminal.
    pub(super) fn member_of(&self, terminal: &muster_protocol::TerminalId) -> &Arc<PartitionMember> {
        &self.members[usize::from(self.partitions.of(terminal).0)]
    }
}
