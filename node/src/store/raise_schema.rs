//! Raises the schema of a store. `docs/upgrading.md` says when.

use std::collections::BTreeSet;

use anyhow::{Context, bail};
use muster_protocol::{partition::Partitions, seal::SealedLease};

use super::access::{StoreAccess, StoreFlags};

/// The result of raising the schema.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RaisedSchema {
    /// The schema that the store had.
    pub from: u32,
    /// The schema that it has now.
    pub to: u32,
}

/// Raises the schema of a store to this one, which is the newest that this program runs on. The number of partitions is read from the
/// store.
///
/// # Errors
/// If there is no store or it does not fit, if a node lives that does not run on the new schema, or if it is not known whether one
/// lives, since a partition does not answer or a lease was sealed by nobody known. Nothing is changed then, unless the last call to
/// Redis was not answered. The text names the nodes or the flag.
pub async fn raise_schema(flags: StoreFlags, to: u32) -> anyhow::Result<RaisedSchema> {
    let access = flags.open()?;
    // The tag of partition 0 is the same for every number of partitions.
    let first = &access.partitions(Partitions::ONE)[0];
    access.wait_for(first).await?;
    let Some(info) = first.info().await? else {
        bail!(
            "--redis, --cluster {}: there is no store; the first node makes one, of the newest schema",
            access.cluster
        );
    };
    let partitions = Partitions::new(info.partitions).context("the store has no valid number of partitions")?;
    info.check(partitions)?;
    let raised = RaisedSchema { from: info.schema, to };
    if raised.from == raised.to {
        return Ok(raised);
    }
    let old = old_nodes(&access, partitions, &info.id, to).await?;
    if !old.is_empty() {
        let old = old.into_iter().collect::<Vec<_>>().join(", ");
        bail!("the schema is still {}: replace these nodes first, which do not run on schema {to}: {old}", info.schema);
    }
    if !first.raise_schema(&info, to).await? {
        bail!("the store was changed by someone else at the same time; look at it again by the same command");
    }
    Ok(raised)
}

/// The nodes that live and do not run on this schema, for a message.
async fn old_nodes(
    access: &StoreAccess,
    partitions: Partitions,
    store: &str,
    schema: u32,
) -> anyhow::Result<BTreeSet<String>> {
    let mut old = BTreeSet::new();
    for partition in access.partitions(partitions) {
        let index = partition.index;
        let leases = partition.leases().await;
        let leases =
            leases.with_context(|| format!("partition {index} does not answer, and may know a node that lives"))?;
        for (node, text) in leases {
            let Ok(lease) = SealedLease::read(&access.lease, store, &node, &text) else {
                bail!(
                    "the lease of {node} can't be read, so it is not known on which schema that node runs: give this command the \
                     --cluster, --cluster-secret-file and --secret-file of the nodes; if it has them, a stranger wrote the lease"
                );
            };
            if lease.schema < schema {
                old.insert(format!("{node} at {} (version {})", lease.view.address, lease.view.version));
            }
        }
    }
    Ok(old)
}
