//! What a backplane does for operators' keys.

use async_trait::async_trait;
use muster_protocol::api::OperatorKey;

use crate::backplane::{BackplaneError, FoundKeys};

/// Operators' keys that are listed until they expire: those that were made through the API, and others from their first use on. A key is
/// valid by its signature, listed or not.
#[async_trait]
pub trait KeyStore: Send + Sync {
    /// Lists a key that was made.
    ///
    /// # Errors
    /// [`TooManyKeys`](BackplaneError::TooManyKeys) if as many are listed as may be.
    async fn add_key(&self, key: &OperatorKey) -> Result<(), BackplaneError>;

    /// Records when keys, 64 at most, were last used. Those that are not listed yet are listed, while there is room.
    async fn record_key_uses(&self, keys: &[OperatorKey]) -> Result<(), BackplaneError>;

    /// A key that is listed, or `None`.
    async fn key(&self, id: &str) -> Result<Option<OperatorKey>, BackplaneError>;

    /// At most `limit` keys behind the first `after`, those first that expire first. While some expire, a page may miss as many.
    async fn keys(&self, after: u64, limit: u64) -> Result<FoundKeys, BackplaneError>;
}
