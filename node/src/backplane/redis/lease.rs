//! A node's lease: its process's claim to be alive, and to hold the sessions that it registered. Whoever sees that another's lease
//! ran out takes that node and its sessions out of the registry, once: in one step that looks again.

use std::{sync::atomic::Ordering, time::Duration};

use jiff::Timestamp;
use muster_protocol::{NodeId, api::NodeView};
use redis::RedisResult;
use tokio::time::{self, MissedTickBehavior};

use super::{PARTITION, RedisBackplane, identity::Rival};
use crate::{backplane::cursor::fresh_epoch, fence::BootInstant};

/// Five beats may be missed.
pub const LEASE: Duration = Duration::from_secs(6);
/// How often it is renewed, and how long a dead node can go unnoticed beyond its lease.
pub const BEAT: Duration = Duration::from_secs(1);

impl RedisBackplane {
    /// Renews the lease for ever.
    pub(super) async fn keep_lease(&self) {
        let mut beat = time::interval(BEAT);
        beat.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            beat.tick().await;
            if let Err(error) = self.renew().await {
                tracing::warn!(%error, "the lease was not renewed");
            }
            self.probe().await;
        }
    }

    /// Renews the lease, and tells whether that could be done: at once, since some wait for Redis to be back.
    pub(super) async fn renew(&self) -> RedisResult<()> {
        let renewed = self.try_renew().await;
        self.reachable.store(renewed.is_ok(), Ordering::Relaxed);
        if renewed.is_ok() {
            self.renewed.notify_one();
        }
        renewed
    }

    /// If the lease was lost, or commands ran into the fence, all sessions join again.
    async fn try_renew(&self) -> RedisResult<()> {
        let asked = BootInstant::now();
        let (name, dead) = self.beat().await?.map_err(|rival| self.give_way(rival))?;
        self.claim.renew(name, asked, LEASE, self.sessions.rejoin(PARTITION)).await;
        self.bury_all(dead).await
    }

    /// The first lease, before there are sessions; or the other process that has it.
    pub(super) async fn take_lease(&self) -> RedisResult<Result<(), Rival>> {
        let asked = BootInstant::now();
        Ok(self.beat().await?.map(|(name, _)| self.claim.begin(name, asked, LEASE)))
    }

    /// The lease's name in the store, and the nodes whose leases ran out; or the other process that has it.
    async fn beat(&self) -> RedisResult<Result<(String, Vec<String>), Rival>> {
        if let Some(rival) = self.identity.lost_to() {
            return Ok(Err(rival.clone()));
        }
        let view = serde_json::to_string(&self.view()).expect("a view is JSON");
        let mut call = self.scripts.beat();
        call.arg(self.node.id.as_str()).arg(view).arg(LEASE.as_millis() as u64).arg(fresh_epoch());
        let seen = self.hearing.seen();
        call.arg(self.bounds.forget.as_millis() as u64).arg(self.hearing.reached()).arg(seen.epoch).arg(seen.number);
        call.arg(self.identity.process()).arg(Timestamp::now().to_string());
        let answer: (String, String, Vec<String>) = call.invoke_async(&mut self.connection.clone()).await?;
        let (process, told, dead) = answer;
        if process != self.identity.process() {
            return Ok(Err(Rival::new(process, told)));
        }
        self.identity.forget_rival();
        Ok(Ok((told, dead)))
    }

    /// Takes a node out of the registry whose lease has run out, or is this process's own.
    pub(super) async fn bury(&self, node: &NodeId, reason: &str) -> RedisResult<u64> {
        let mut call = self.scripts.bury();
        call.arg(node.as_str()).arg(reason).arg(Timestamp::now().to_string()).arg(self.identity.process());
        call.invoke_async(&mut self.connection.clone()).await
    }

    async fn bury_all(&self, dead: Vec<String>) -> RedisResult<()> {
        for node in dead.iter().filter_map(|id| id.parse().ok()) {
            let sessions = self.bury(&node, "node_lost").await?;
            tracing::warn!(%node, sessions, "a node's lease ran out");
        }
        Ok(())
    }

    fn view(&self) -> NodeView {
        let (state, renewed_at) = (self.lifecycle.state(), Some(Timestamp::now()));
        NodeView { state, sessions: self.hub.len() as u64, renewed_at, ..self.node.clone() }
    }
}
