//! The beginning of an import: the store must be empty, and no node may live.

use anyhow::bail;
use futures_util::future::try_join_all;
use muster_protocol::partition::Partitions;
use muster_service::output::note;

use super::access::StoreAccess;
use crate::backplane::redis::{
    partition::{
        StorePartition,
        restore::RestoreBegun,
        store_info::{StoreInfo, UnfitStore},
    },
    requirements::check_at_start,
};

/// A store that an import has to itself.
pub struct BegunImport {
    /// The id of the new store.
    pub store: String,
    /// Commands are numbered from here.
    pub base: u64,
}

/// Makes the new store, which no node uses before the import is done.
///
/// # Errors
/// If a node lives, if anything is stored, if another import was begun, or if a master is not what nodes need.
pub async fn begin(
    access: &StoreAccess,
    stores: &[StorePartition],
    partitions: Partitions,
    checksum: &str,
) -> anyhow::Result<BegunImport> {
    access.wait_for(&stores[0]).await?;
    check_at_start(&access.masters, stores).await?;
    let looks = try_join_all(stores.iter().map(StorePartition::restore_look)).await?;
    let mut nodes: Vec<_> = looks.iter().flat_map(|(_, nodes)| nodes.iter().cloned()).collect();
    nodes.sort_unstable();
    nodes.dedup();
    if !nodes.is_empty() {
        nodes.truncate(16);
        bail!(
            "nodes live on this store: {}; stop all nodes, wait until their leases have run out (6 s), and empty the database",
            nodes.join(", ")
        );
    }
    let found = stores[0].info().await?;
    let is_importing = |info: &StoreInfo| info.check(partitions) == Err(UnfitStore::Importing);
    if found.as_ref().map_or_else(|| looks.iter().any(|(is_used, _)| *is_used), |info| !is_importing(info)) {
        bail!(not_empty(access));
    }
    let id = format!("{:016x}", rand::random::<u64>());
    match stores[0].restore_begin(partitions, &id, checksum).await? {
        RestoreBegun::Begun { store, base, goes_on } => {
            if goes_on {
                note(format_args!(
                    "muster-node: an import of this file was begun before, and is done again from its beginning"
                ));
            }
            Ok(BegunImport { store, base })
        }
        RestoreBegun::Other => bail!(
            "an import of another file, or to another number of partitions, was begun here and has not ended: import that one again, or \
             empty the database (FLUSHDB at each master)"
        ),
        RestoreBegun::Used => bail!(not_empty(access)),
    }
}

fn not_empty(access: &StoreAccess) -> String {
    format!(
        "the store of the cluster {} at {} is not empty, and an import would mix two stores: export it if it is needed, and empty the \
         database (FLUSHDB at each master), or import into another database",
        access.cluster,
        access.masters.topology()
    )
}
