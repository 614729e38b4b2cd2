//! Revocations belong to no terminal: the first partition has them for all. While it is away none can be made, and
//! nodes go on with those that they have read.

use async_trait::async_trait;
use muster_protocol::api::Revocation;
use uuid::Uuid;

use super::{RedisBackplane, member::PartitionMember};
use crate::backplane::{BackplaneError, RevocationSet, RevocationStore};

#[async_trait]
impl RevocationStore for RedisBackplane {
    async fn revoke(&self, revocation: &Revocation) -> Result<(), BackplaneError> {
        let home = self.first_partition();
        home.ask(home.store.revoke(revocation)).await
    }

    async fn take_back(&self, id: Uuid) -> Result<bool, BackplaneError> {
        let home = self.first_partition();
        home.ask(home.store.take_back(id)).await
    }

    async fn revocations(&self, known: &str) -> Result<Option<RevocationSet>, BackplaneError> {
        let home = self.first_partition();
        home.ask(home.store.revocations(known)).await
    }
}

impl RedisBackplane {
    /// Returns the partition that has what belongs to no terminal.
    pub(super) fn first_partition(&self) -> &PartitionMember {
        &self.members[0]
    }
}
