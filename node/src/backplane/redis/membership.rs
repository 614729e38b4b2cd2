//! This node among those of its cluster: what [`lease`](super::lease) and [`identity`](super::identity) know, for the node and for
//! operators.

use anyhow::bail;
use async_trait::async_trait;
use muster_protocol::{
    NodeId,
    api::{NodeList, NodeView},
    inbox::DrainRequest,
};
use redis::AsyncCommands;

use super::{
    RedisBackplane,
    refusal::{read, unavailable},
};
use crate::backplane::{BackplaneError, DegradedPartition, Envelope, Membership};

#[async_trait]
impl Membership for RedisBackplane {
    async fn run(&self) {
        let delivers = self.pacer.run(&*self.sessions);
        let late = async { tokio::join!(self.leave_late(), self.rejoin_strays()) };
        tokio::join!(self.keep_lease(), self.listen(), delivers, self.write_reports(), late, self.keep_checking());
    }

    fn node(&self) -> &NodeId {
        &self.node.id
    }

    async fn nodes(&self) -> Result<NodeList, BackplaneError> {
        let mut connection = self.reach()?;
        let ids: Vec<String> = connection.zrange(self.keys.nodes(), 0, -1).await.map_err(unavailable)?;
        let mut nodes = Vec::new();
        for id in ids.iter().filter_map(|id| id.parse::<NodeId>().ok()) {
            let lease: Option<String> = connection.get(self.keys.lease(id.as_str())).await.map_err(unavailable)?;
            nodes.extend(lease.as_deref().map(read::<NodeView>).transpose()?);
        }
        nodes.sort_by(|one, other| one.id.cmp(&other.id));
        Ok(NodeList { nodes, partial: Vec::new() })
    }

    /// Whether this node could write at its last beat and hears itself, and Redis is what a node needs.
    fn ready(&self) -> Result<Vec<DegradedPartition>, String> {
        self.reach().map_err(|refusal| refusal.to_string())?;
        self.requirements.check()?;
        self.hearing.check().map(|()| Vec::new())
    }

    async fn request_drain(&self, node: &NodeId, request: DrainRequest) -> Result<bool, BackplaneError> {
        self.tell(node, &Envelope::Depart(request)).await
    }

    async fn announce(&self) {
        if let Err(error) = self.renew().await {
            tracing::warn!(%error, "the lease could not tell the node's state");
        }
    }

    fn check_name(&self) -> anyhow::Result<()> {
        let Some(rival) = self.identity.lost_to() else { return Ok(()) };
        let (id, address) = (&self.node.id, rival.address());
        bail!(
            "ended: another process, at {address}, has taken the name {id} (--node-id) while this one could not renew \
             its lease; it has delivered nothing since"
        )
    }

    /// Gives the lease back, with whatever is still registered under it.
    async fn close(&self) {
        if let Err(error) = self.flush().await {
            tracing::warn!(%error, "the last reports were not written");
        }
        if let Err(error) = self.bury(&self.node.id, "node_stopped").await {
            tracing::warn!(%error, "the lease was not given back; it runs out by itself");
        }
    }
}
