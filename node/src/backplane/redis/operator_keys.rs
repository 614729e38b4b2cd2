//! Operators' keys belong to no terminal: the first partition has the list of all.

use async_trait::async_trait;
use muster_protocol::api::OperatorKey;

use super::RedisBackplane;
use crate::backplane::{BackplaneError, FoundKeys, KeyStore};

#[async_trait]
impl KeyStore for RedisBackplane {
    async fn add_key(&self, key: &OperatorKey) -> Result<(), BackplaneError> {
        let home = self.first_partition();
        home.ask(home.store.add_key(key)).await
    }

    async fn record_key_uses(&self, keys: &[OperatorKey]) -> Result<(), BackplaneError> {
        let home = self.first_partition();
        home.ask(home.store.record_key_uses(keys)).await
    }

    async fn key(&self, id: &str) -> Result<Option<OperatorKey>, BackplaneError> {
        let home = self.first_partition();
        home.ask(home.store.operator_key(id)).await
    }

    async fn keys(&self, after: u64, limit: u64) -> Result<FoundKeys, BackplaneError> {
        let home = self.first_partition();
        home.ask(home.store.operator_keys(after, limit)).await
    }
}
