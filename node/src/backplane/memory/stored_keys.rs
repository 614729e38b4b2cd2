//! Operators' keys that are listed.

use muster_protocol::api::OperatorKey;

use crate::backplane::rules::OPERATOR_KEYS_MAX;

/// The keys that are listed, those first that expire first.
#[derive(Debug, Default)]
pub(super) struct StoredKeys(pub(super) Vec<OperatorKey>);

impl StoredKeys {
    /// The key with this id, which may have expired.
    pub(super) fn find(&mut self, id: &str) -> Option<&mut OperatorKey> {
        self.0.iter_mut().find(|key| key.id == id)
    }

    /// Adds a key. False if as many are listed as may be.
    pub(super) fn add(&mut self, key: &OperatorKey) -> bool {
        let has_room = (self.0.len() as u64) < OPERATOR_KEYS_MAX;
        if has_room {
            let place = self.0.partition_point(|other| other.expires_at <= key.expires_at);
            self.0.insert(place, key.clone());
        }
        has_room
    }
}
