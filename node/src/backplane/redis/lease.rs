//! A node's lease: its claim to be alive, and to hold the sessions that it registered. Whoever sees that another's lease ran out
//! takes that node and its sessions out of the registry.

use std::time::Duration;

use jiff::Timestamp;
use muster_protocol::{
    NodeId,
    api::{NodeState, NodeView},
};
use redis::{AsyncCommands, RedisResult};
use std::sync::atomic::Ordering;
use tokio::time::{self, MissedTickBehavior};

use super::{Redis, keys, read, unavailable};
use crate::backplane::Refusal;

/// Three beats may be missed.
const LEASE: Duration = Duration::from_secs(6);
/// How often it is renewed.
pub const BEAT: Duration = Duration::from_secs(2);

impl Redis {
    /// Renews the lease for ever. One that was lost means that the registry may have forgotten this node's sessions.
    pub(super) async fn keep_lease(&self) {
        let mut beat = time::interval(BEAT);
        beat.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            beat.tick().await;
            let kept = match self.beat().await {
                Ok((true, dead)) => self.bury_all(dead).await,
                Ok((false, _)) => self.register_all().await,
                Err(error) => Err(error),
            };
            if let Err(error) = kept {
                tracing::warn!(%error, "the lease was not renewed");
            }
            self.probe().await;
        }
    }

    /// Renews the lease: whether it was held, and which nodes' leases ran out.
    pub(super) async fn beat(&self) -> RedisResult<(bool, Vec<String>)> {
        let view = serde_json::to_string(&self.view()).expect("a view is JSON");
        let mut call = self.scripts.beat.prepare_invoke();
        call.key(keys::NODES).key(keys::lease(&self.node.id));
        call.arg(self.node.id.as_str()).arg(view).arg(LEASE.as_millis() as u64);
        call.invoke_async(&mut self.connection.clone()).await
    }

    /// Takes a node out of the registry; if it is only thought `dead`, its lease must have run out.
    pub(super) async fn bury(&self, node: &NodeId, reason: &str, dead: bool) -> RedisResult<u64> {
        let mut call = self.scripts.bury.prepare_invoke();
        call.key(keys::NODES).key(keys::lease(node)).key(keys::held(node)).key(keys::ONLINE).key(keys::EVENTS);
        call.arg(node.as_str()).arg(reason).arg(if dead { "dead" } else { "" }).arg(Timestamp::now().to_string());
        call.invoke_async(&mut self.connection.clone()).await
    }

    async fn bury_all(&self, dead: Vec<String>) -> RedisResult<()> {
        for node in dead.iter().filter_map(|id| id.parse().ok()) {
            let sessions = self.bury(&node, "node_lost", true).await?;
            tracing::warn!(%node, sessions, "a node's lease ran out");
        }
        Ok(())
    }

    /// Gives the lease back, with whatever is still registered under it.
    pub(in crate::backplane) async fn close(&self) {
        if let Err(error) = self.write(self.reports.drain()).await {
            tracing::warn!(%error, "the last reports were not written");
        }
        if let Err(error) = self.bury(&self.node.id, "node_stopped", false).await {
            tracing::warn!(%error, "the lease was not given back; it runs out by itself");
        }
    }

    /// The nodes that hold a lease, in the order of their ids.
    pub(in crate::backplane) async fn nodes(&self) -> Result<Vec<NodeView>, Refusal> {
        let mut connection = self.connection.clone();
        let ids: Vec<String> = connection.zrange(keys::NODES, 0, -1).await.map_err(unavailable)?;
        let mut nodes = Vec::new();
        for id in ids.iter().filter_map(|id| id.parse().ok()) {
            let lease: Option<String> = connection.get(keys::lease(&id)).await.map_err(unavailable)?;
            nodes.extend(lease.as_deref().map(read::<NodeView>).transpose()?);
        }
        nodes.sort_by(|one, other| one.id.cmp(&other.id));
        Ok(nodes)
    }

    fn view(&self) -> NodeView {
        let state = if self.draining.load(Ordering::Relaxed) { NodeState::Draining } else { NodeState::Ready };
        NodeView { state, sessions: self.hub.len() as u64, ..self.node.clone() }
    }
}
