//! This node among those of its cluster, over all partitions.

use std::{collections::BTreeMap, time::Instant};

use anyhow::bail;
use async_trait::async_trait;
use muster_protocol::{
    NodeId,
    api::{NodeList, NodeView, ProxyView},
    inbox::DrainRequest,
};

use super::{RedisBackplane, delivery::PartitionEnvelope};
use crate::backplane::{
    BackplaneError, DegradedPartition, Membership,
    redis::refusal::{unavailable, unsure},
};

#[async_trait]
impl Membership for RedisBackplane {
    async fn run(&self) {
        let delivers = self.pacer.run(&*self.sessions);
        let late = async { tokio::join!(self.leave_late(), self.rejoin_strays()) };
        tokio::join!(
            self.keep_leases(),
            self.keep_store(),
            self.keep_checking(),
            self.keep_comparing_clocks(),
            self.keep_up(),
            self.listen(),
            delivers,
            self.write_reports(),
            late
        );
    }

    fn node(&self) -> &NodeId {
        &self.node.id
    }

    /// Returns the nodes that hold a lease in any partition. Of each, the lease that was renewed last counts.
    async fn nodes(&self) -> Result<NodeList, BackplaneError> {
        let answers = self.ask_all(|member| async move { member.store.leases().await.map_err(unavailable) }).await?;
        let mut nodes: BTreeMap<NodeId, NodeView> = BTreeMap::new();
        for (node, text) in answers.found.into_iter().flat_map(|(_, leases)| leases) {
            let Some(view) = self.trust.read_lease(&node, &text).map(|lease| lease.view) else { continue };
            match nodes.get(&view.id) {
                Some(known) if known.renewed_at >= view.renewed_at => {}
                _ => _ = nodes.insert(view.id.clone(), view),
            }
        }
        Ok(NodeList { nodes: nodes.into_values().collect(), partial: answers.partial })
    }

    fn proxies(&self) -> Vec<ProxyView> {
        self.proxies.list(Instant::now())
    }

    /// Returns whether this node could write in some partition at its last beat, hears itself there, and its Redis is
    /// what a node needs.
    fn ready(&self) -> Result<Vec<DegradedPartition>, String> {
        let mut degraded = self.degraded();
        if degraded.len() < self.members.len() { Ok(degraded) } else { Err(degraded.swap_remove(0).reason) }
    }

    /// Asks by the first partition that works.
    async fn request_drain(&self, node: &NodeId, request: DrainRequest) -> Result<bool, BackplaneError> {
        let message = serde_json::to_string(&PartitionEnvelope::Depart(request)).expect("an envelope is JSON");
        let mut away = None;
        for member in &self.members {
            match member.check() {
                Ok(()) => return member.store.tell(node, &message).await.map_err(unsure),
                Err(error) => away = Some(error),
            }
        }
        Err(away.expect("a store has at least one partition"))
    }

    async fn announce(&self) {
        let renewed = self.members.iter().map(|member| self.renew(member));
        if let Some(error) = futures_util::future::join_all(renewed).await.into_iter().find_map(Result::err) {
            tracing::warn!(%error, "a lease could not tell the node's state");
        }
    }

    fn check_end(&self) -> anyhow::Result<()> {
        if let Some(unfit) = self.misfit.get() {
            bail!("ended: {unfit}");
        }
        let lost = self.members.iter().find_map(|member| member.identity.lost_to());
        let Some(rival) = lost else { return Ok(()) };
        let (id, address) = (&self.node.id, rival.address());
        bail!(
            "ended: another process, at {address}, has taken the name {id} (--node-id) while this one could not renew \
             its lease; it has delivered nothing since"
        )
    }

    /// Gives the leases back, with whatever is still registered under them.
    async fn close(&self) {
        if let Err(error) = self.flush().await {
            tracing::warn!(%error, "the last reports were not written");
        }
        self.resign().await;
    }
}
