//! Checks that each master is what a node needs: at the start, and then every 10 s, since another master or another
//! setting may lose what was accepted.

use std::time::Duration;

use anyhow::bail;
use futures_util::future::join_all;
use muster_redis::{Fitness, Masters};
use tokio::time;

use super::{
    RedisBackplane,
    by_master::{by_master, master_name},
    member::PartitionMember,
    partition::StorePartition,
};

/// The time between two checks.
const CHECK: Duration = Duration::from_secs(10);
/// The time between two checks while a master is unfit. It is short, so that a master whose settings were mended is
/// used soon.
const UNFIT_CHECK: Duration = Duration::from_secs(1);

/// Checks each master at the start, with a write. Logs what the user of Redis may not check. A master that does not
/// answer is not checked now, but when its partitions are back.
///
/// # Errors
/// If a master is unfit. The text says which master, and what to set.
pub async fn check_at_start(masters: &Masters, stores: &[StorePartition]) -> anyhow::Result<()> {
    let groups = by_master(masters, stores.iter());
    let checks = join_all(groups.iter().map(|group| stores[group[0]].check_requirements(true))).await;
    for (group, checked) in groups.iter().zip(checks) {
        let master = master_name(masters, stores[group[0]].tag());
        match checked {
            Ok(Fitness::Fit(None)) => {}
            Ok(Fitness::Fit(Some(unchecked))) => tracing::warn!(master, "{unchecked}"),
            Ok(Fitness::Unfit(why)) => bail!("--redis: the master at {master}: {why}"),
            Err(error) => tracing::warn!(master, %error, "the master could not be checked"),
        }
    }
    Ok(())
}

impl RedisBackplane {
    /// Checks all masters for ever, with a write: a lease is renewed also by a master whose memory is full, which
    /// refuses commands.
    pub(super) async fn keep_checking(&self) {
        loop {
            let is_unfit = self.members.iter().any(|member| member.unfit().is_some());
            time::sleep(if is_unfit { UNFIT_CHECK } else { CHECK }).await;
            join_all(self.by_master().into_iter().map(|group| self.check_master(group))).await;
        }
    }

    async fn check_master(&self, members: Vec<&PartitionMember>) {
        // The renewal of leases notices a Redis that does not answer.
        let Ok(fitness) = members[0].store.check_requirements(true).await else { return };
        let (was_unfit, unfit) = (members.iter().any(|member| member.unfit().is_some()), fitness.unfit());
        let master = self.master_name(members[0]);
        match &unfit {
            Some(why) if !was_unfit => tracing::error!(master, "the partitions of this master are not ready: {why}"),
            None if was_unfit => tracing::info!(master, "Redis can be used again"),
            _ => {}
        }
        let unfit = unfit.map(|why| format!("the master at {master}: {why}"));
        members.iter().for_each(|member| member.set_unfit(unfit.clone()));
    }
}
