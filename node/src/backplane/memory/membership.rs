//! A node alone: it is its whole cluster, and holds no lease.

use std::sync::PoisonError;

use async_trait::async_trait;
use jiff::Timestamp;
use muster_protocol::{
    NodeId,
    api::{NodeList, NodeView, ProxyView},
    inbox::DrainRequest,
};

use super::MemoryBackplane;
use crate::backplane::{BackplaneError, DegradedPartition, Membership};

#[async_trait]
impl Membership for MemoryBackplane {
    async fn run(&self) {
        let Some(arriving) = self.arriving.lock().unwrap_or_else(PoisonError::into_inner).take() else { return };
        tokio::join!(self.deliver(arriving), self.pacer.run(&*self.sessions), self.take_reports(), self.forget_old());
    }

    fn node(&self) -> &NodeId {
        &self.node.id
    }

    async fn nodes(&self) -> Result<NodeList, BackplaneError> {
        let view = NodeView {
            sessions: self.hub.len() as u64,
            renewed_at: Some(Timestamp::now()),
            ..self.lifecycle.told_by(&self.node)
        };
        Ok(NodeList { nodes: vec![view], partial: Vec::new() })
    }

    /// None: sidecars follow the nodes of a cluster.
    fn proxies(&self) -> Vec<ProxyView> {
        Vec::new()
    }

    fn ready(&self) -> Result<Vec<DegradedPartition>, String> {
        Ok(Vec::new())
    }

    async fn request_drain(&self, node: &NodeId, request: DrainRequest) -> Result<bool, BackplaneError> {
        let here = *node == self.node.id;
        if here {
            self.sessions.request_drain(request);
        }
        Ok(here)
    }

    async fn announce(&self) {}

    fn check_end(&self) -> anyhow::Result<()> {
        Ok(())
    }

    async fn close(&self) {}
}
