//! The store while the node runs. If the store was lost, a node gives it its id and its number of partitions again. A
//! node follows the schema of the store, and ends if the store does not fit the node any more.

use std::time::Duration;

use muster_protocol::inbox::DrainRequest;
use tokio::time;

use super::{
    RedisBackplane,
    partition::store_info::{StoreInfo, UnfitStore},
};

/// The interval at which a node looks whether the store is still there, and which schema it has.
const LOOK: Duration = Duration::from_secs(1);

impl RedisBackplane {
    /// Looks whether the store is still the one that was opened; never returns. Gives a store that was lost its id,
    /// schema and number of partitions again. If another node did that first, the id from that node holds from then on.
    pub(super) async fn keep_store(&self) {
        let mut look = time::interval(LOOK);
        loop {
            look.tick().await;
            let Some(first) = self.members.first().filter(|first| first.check().is_ok()) else { continue };
            match first.store.open(self.partitions, &self.trust.store()).await {
                Ok(info) => match info.check(self.partitions) {
                    Ok(()) => self.follow(&info).await,
                    Err(unfit) => self.end_unfit(&unfit),
                },
                Err(error) => tracing::debug!(%error, "partition 0 does not answer"),
            }
        }
    }

    /// Uses the id and the schema that the store has. The schema of one store only rises: what was written in a schema
    /// is not readable in the one before. So a store that came back from a replica or a file without its last raise is
    /// raised again.
    async fn follow(&self, info: &StoreInfo) {
        let in_use = self.schema.get();
        if *info.id != *self.trust.store() {
            tracing::warn!("the store was lost and is another one now");
            self.trust.set_store(&info.id);
        } else if info.schema < in_use {
            tracing::warn!(
                from = info.schema,
                to = in_use,
                "the store has lost that its schema was raised, and is raised again"
            );
            if let Err(error) = self.members[0].store.raise_schema(info, in_use).await {
                tracing::warn!(%error, "the schema was not raised again yet");
            }
            return;
        } else if info.schema > in_use {
            tracing::info!(from = in_use, to = info.schema, "the schema of the store was raised");
        }
        self.schema.set(info.schema);
    }

    /// Ends this node. From now on it sends no command to its sessions and writes nothing that they report, since it
    /// might harm a store that it does not know.
    fn end_unfit(&self, unfit: &UnfitStore) {
        if self.misfit.set(unfit.clone()).is_err() {
            return;
        }
        tracing::error!("{unfit}; this node ends");
        for member in &self.members {
            member.set_misfit(unfit.to_string());
            member.claim.give_way();
        }
        self.sessions.request_drain(DrainRequest::End);
    }
}
