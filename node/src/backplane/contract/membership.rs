//! What a backplane does for its node among the others.

use async_trait::async_trait;
use muster_protocol::{
    NodeId,
    api::{NodeList, ProxyView},
    inbox::DrainRequest,
};

use crate::backplane::{BackplaneError, DegradedPartition};

/// This node among the nodes of its cluster. A node alone is a cluster of one.
#[async_trait]
pub trait Membership: Send + Sync {
    /// Does the backplane's own work: delivers commands, takes reports every 50 ms and, in a cluster, renews the lease
    /// and listens to other nodes. Never returns. Must be called once.
    async fn run(&self);

    /// Returns this node's id.
    fn node(&self) -> &NodeId;

    /// Returns the nodes that hold a lease, in ascending order of their ids.
    async fn nodes(&self) -> Result<NodeList, BackplaneError>;

    /// Returns the proxies that have reported lately, in ascending order of their ids. Waits for nothing.
    fn proxies(&self) -> Vec<ProxyView>;

    /// Returns the partitions that do not work, if this node can store and deliver now: a node is ready while a part of
    /// the store works. Otherwise fails with the reason, as a sentence for operators.
    fn ready(&self) -> Result<Vec<DegradedPartition>, String>;

    /// Asks a node, which may be this node, to send sessions away. Returns false if no such node listens.
    async fn request_drain(&self, node: &NodeId, request: DrainRequest) -> Result<bool, BackplaneError>;

    /// Tells the other nodes this node's state now, not only with the next renewal of its lease. A failure is logged.
    async fn announce(&self);

    /// Fails if this node ended by itself, because another process has taken its id or the store does not fit the node
    /// any more. The error says which.
    fn check_end(&self) -> anyhow::Result<()>;

    /// Stores the last reports and gives the lease back. Logs a failure. Must be called when [`run`](Self::run) has
    /// been dropped.
    async fn close(&self);
}
