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
    /// Does what the backplane does by itself: it delivers commands, takes reports every 50 ms and, in a cluster, renews the
    /// lease and listens. Never returns. Call it once.
    async fn run(&self);

    /// This node's id.
    fn node(&self) -> &NodeId;

    /// The nodes that hold a lease, in ascending order of their ids.
    async fn nodes(&self) -> Result<NodeList, BackplaneError>;

    /// The proxies that have reported lately, in ascending order of their ids. It waits for nothing.
    fn proxies(&self) -> Vec<ProxyView>;

    /// Whether this node can store and deliver now, or why not, as a sentence for operators. While a part of the store works the node
    /// is ready; the partitions that do not work are returned.
    fn ready(&self) -> Result<Vec<DegradedPartition>, String>;

    /// Asks a node, which may be this one, to send sessions away. False if no such node listens.
    async fn request_drain(&self, node: &NodeId, request: DrainRequest) -> Result<bool, BackplaneError>;

    /// Tells the other nodes this node's state now, not only with the next renewal of its lease. A failure is logged.
    async fn announce(&self);

    /// Fails if this node ended by itself: another process has taken its id, or the store does not fit it any more. The error says which.
    fn check_end(&self) -> anyhow::Result<()>;

    /// Stores the last reports and gives the lease back. A failure is logged. Call it when [`run`](Self::run) has been dropped.
    async fn close(&self);
}
