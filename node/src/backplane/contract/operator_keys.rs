//! What a backplane does for operators' keys.

use async_trait::async_trait;
use muster_protocol::api::OperatorKey;

use crate::backplane::{BackplaneError, FoundKeys};

/// Operators' keys, which are listed until they expire: keys that the API made from the beginning, other keys from
/// their first use on. A key is valid by its signature, whether it is listed or not.
#[async_trait]
pub trait KeyStore: Send + Sync {
    /// Lists a key that was made.
    ///
    /// # Errors
    /// [`TooManyKeys`](BackplaneError::TooManyKeys) if the list is full.
    async fn add_key(&self, key: &OperatorKey) -> Result<(), BackplaneError>;

    /// Records when keys, at most 64, were last used. Lists keys that are not listed yet, while there is room.
    async fn record_key_uses(&self, keys: &[OperatorKey]) -> Result<(), BackplaneError>;

    /// Returns a listed key; `None` if the key is not listed.
    async fn key(&self, id: &str) -> Result<Option<OperatorKey>, BackplaneError>;

    /// Skips `after` keys and returns at most `limit`, the keys that expire first at the front. If some expire between
    /// two pages, the second page may miss as many.
    async fn keys(&self, after: u64, limit: u64) -> Result<FoundKeys, BackplaneError>;
}
