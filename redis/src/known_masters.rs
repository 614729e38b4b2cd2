//! Who knows where the masters are: of one server or Sentinels, or of a Redis Cluster.

use std::sync::Arc;

use redis::ConnectionAddr;

use crate::{
    cluster::ClusterMasters,
    single::SingleMaster,
    topology::{Servers, Topology},
};

/// The masters, with one connection to each. Clones share them.
#[derive(Clone)]
pub enum KnownMasters {
    Single(Arc<SingleMaster>),
    Cluster(Arc<ClusterMasters>),
}

impl KnownMasters {
    pub fn new(topology: Topology) -> Self {
        match topology.servers() {
            Servers::Cluster(_) => Self::Cluster(Arc::new(ClusterMasters::new(topology))),
            Servers::Fixed(_) | Servers::Sentinels(_) => Self::Single(Arc::new(SingleMaster::new(topology))),
        }
    }

    /// Returns where the masters are looked for.
    pub fn topology(&self) -> &Topology {
        match self {
            Self::Single(single) => single.topology(),
            Self::Cluster(cluster) => cluster.topology(),
        }
    }

    /// Returns which master of a Redis Cluster has the slot. `None` while that is unknown, and if one master has all
    /// slots.
    pub fn owner(&self, slot: u16) -> Option<ConnectionAddr> {
        match self {
            Self::Single(_) => None,
            Self::Cluster(cluster) => cluster.owner(slot),
        }
    }
}
