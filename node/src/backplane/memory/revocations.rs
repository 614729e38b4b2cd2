//! Revocations of a node alone. They end with the process, as everything does that it stores.

use async_trait::async_trait;
use muster_protocol::api::Revocation;
use uuid::Uuid;

use super::MemoryBackplane;
use crate::backplane::{BackplaneError, RevocationSet, RevocationStore, rules::REVOCATIONS_MAX};

#[async_trait]
impl RevocationStore for MemoryBackplane {
    async fn revoke(&self, revocation: &Revocation) -> Result<(), BackplaneError> {
        let now = self.clock.now();
        let stored = &mut self.store().revocations;
        stored.all.retain(|revocation| revocation.expires_at > now);
        if stored.all.len() as u64 >= REVOCATIONS_MAX {
            return Err(BackplaneError::TooManyRevocations(REVOCATIONS_MAX));
        }
        stored.all.push(revocation.clone());
        stored.changes += 1;
        Ok(())
    }

    async fn take_back(&self, id: Uuid) -> Result<bool, BackplaneError> {
        let stored = &mut self.store().revocations;
        let before = stored.all.len();
        stored.all.retain(|revocation| revocation.id != id);
        let is_removed = stored.all.len() < before;
        stored.changes += u64::from(is_removed);
        Ok(is_removed)
    }

    async fn revocations(&self, known: &str) -> Result<Option<RevocationSet>, BackplaneError> {
        let stored = &self.store().revocations;
        let revision = stored.changes.to_string();
        Ok((revision != known).then(|| RevocationSet { revision, all: stored.all.clone() }))
    }
}
