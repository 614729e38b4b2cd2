//! Operators' keys of a node alone. The list ends with the process, as everything does that it stores; the keys do not.

use async_trait::async_trait;
use muster_protocol::api::OperatorKey;

use super::MemoryBackplane;
use crate::backplane::{BackplaneError, FoundKeys, KeyStore, rules::OPERATOR_KEYS_MAX};

#[async_trait]
impl KeyStore for MemoryBackplane {
    async fn add_key(&self, key: &OperatorKey) -> Result<(), BackplaneError> {
        let now = self.clock.now();
        let stored = &mut self.store().keys;
        stored.0.retain(|key| key.expires_at > now);
        if stored.add(key) { Ok(()) } else { Err(BackplaneError::TooManyKeys(OPERATOR_KEYS_MAX)) }
    }

    async fn record_key_uses(&self, keys: &[OperatorKey]) -> Result<(), BackplaneError> {
        let now = self.clock.now();
        let stored = &mut self.store().keys;
        stored.0.retain(|key| key.expires_at > now);
        for key in keys {
            match stored.find(&key.id) {
                Some(known) => known.last_used_at = known.last_used_at.max(key.last_used_at),
                None => _ = stored.add(key),
            }
        }
        Ok(())
    }

    async fn key(&self, id: &str) -> Result<Option<OperatorKey>, BackplaneError> {
        let now = self.clock.now();
        Ok(self.store().keys.find(id).filter(|key| key.expires_at > now).cloned())
    }

    async fn keys(&self, after: u64, limit: u64) -> Result<FoundKeys, BackplaneError> {
        let now = self.clock.now();
        let stored = &mut self.store().keys;
        stored.0.retain(|key| key.expires_at > now);
        let found: Vec<_> = stored.0.iter().skip(after as usize).take(limit as usize).cloned().collect();
        let next = (found.len() as u64 == limit).then_some(after + limit);
        Ok(FoundKeys { found, next })
    }
}
