//! Says when commands go to another server than before.

use std::sync::Arc;

use redis::ConnectionAddr;
use tokio::sync::watch;

use crate::{cluster::ClusterMasters, single::SingleMaster};

/// Watches whether the master of some slots still has this address.
pub struct Whereabouts {
    master: ConnectionAddr,
    watched: Watched,
}

enum Watched {
    Single(watch::Receiver<Option<ConnectionAddr>>),
    Slots(Arc<ClusterMasters>, Vec<u16>, watch::Receiver<u64>),
}

impl Whereabouts {
    /// Watches the one master.
    pub fn of_single(single: &SingleMaster, master: ConnectionAddr) -> Self {
        Self { master, watched: Watched::Single(single.found()) }
    }

    /// Watches the master of these slots of a cluster.
    pub fn of_slots(cluster: Arc<ClusterMasters>, slots: Vec<u16>, master: ConnectionAddr) -> Self {
        let changes = cluster.changes();
        Self { master, watched: Watched::Slots(cluster, slots, changes) }
    }

    /// Returns the address that is watched.
    pub fn master(&self) -> &ConnectionAddr {
        &self.master
    }

    /// Waits until commands for one of the slots go to another address. A slot whose master is being looked for has not
    /// moved yet.
    pub async fn moved(&mut self) {
        match &mut self.watched {
            Watched::Single(found) => {
                let _ = found.wait_for(|found| found.as_ref() != Some(&self.master)).await;
            }
            Watched::Slots(cluster, slots, changes) => {
                let elsewhere = |slot: &u16| cluster.owner(*slot).is_some_and(|owner| owner != self.master);
                while !slots.iter().any(elsewhere) {
                    if changes.changed().await.is_err() {
                        return;
                    }
                }
            }
        }
    }
}
