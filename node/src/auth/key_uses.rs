//! Which keys were used lately. The store learns it of each key once a minute at most, so a key that is used all the time costs it nothing.

use std::{
    collections::HashMap,
    sync::{Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use jiff::Timestamp;
use muster_protocol::api::OperatorKey;

use super::{VerifiedOperator, operator::used_key};

/// The least time between two writes about one key.
const INTERVAL: Duration = Duration::from_secs(60);
/// The keys that a node remembers: as many as the store lists. The use of a further one is not recorded.
const KEYS_MAX: usize = 4096;
/// The keys of one write.
const WRITE_MAX: usize = 64;

/// The keys that were used on this node.
#[derive(Debug, Default)]
pub struct KeyUses(Mutex<HashMap<Box<str>, KeyUse>>);

#[derive(Debug)]
struct KeyUse {
    key: OperatorKey,
    written_at: Option<Instant>,
    is_due: bool,
}

impl KeyUses {
    /// Records that a key was used. One without an id is not listed.
    pub(super) fn record(&self, operator: &VerifiedOperator, now: Timestamp) {
        let Some(id) = operator.key_id() else { return };
        let mut all = self.lock();
        if let Some(known) = all.get_mut(id) {
            known.key.last_used_at = Some(now);
            known.is_due = true;
            return;
        }
        if all.len() >= KEYS_MAX {
            all.retain(|_, known| known.key.expires_at > now);
        }
        if all.len() < KEYS_MAX
            && let Some(key) = used_key(operator, now)
        {
            all.insert(id.into(), KeyUse { key, written_at: None, is_due: true });
        }
    }

    /// Keys of which the store is to learn that they were used, at most 64.
    pub fn due(&self, now: Instant) -> Vec<OperatorKey> {
        let is_over = |at: Instant| now.saturating_duration_since(at) >= INTERVAL;
        let all = self.lock();
        let due = all.values().filter(|known| known.is_due && known.written_at.is_none_or(is_over));
        due.take(WRITE_MAX).map(|known| known.key.clone()).collect()
    }

    /// Records that the store has learnt of these uses. What was used since is due again.
    pub fn set_written(&self, keys: &[OperatorKey], now: Instant) {
        let mut all = self.lock();
        for key in keys {
            if let Some(known) = all.get_mut(key.id.as_str()) {
                known.written_at = Some(now);
                known.is_due = known.key.last_used_at != key.last_used_at;
            }
        }
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<Box<str>, KeyUse>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use muster_protocol::token::{KeyLimits, Scope};

    use super::*;
    use crate::auth::{TokenHolder, TokenMark};

    fn record(uses: &KeyUses, id: Option<&str>, second: i64) {
        let holder = TokenHolder::Operator("ann".into());
        let mark = TokenMark { holder, token_id: id.map(Into::into), origin: None, kid: None, issued_at: None };
        let operator = VerifiedOperator {
            name: "ann".into(),
            scope: Scope::Read,
            limits: KeyLimits::default(),
            expires: Some(1000),
            key_expires: Some(1000),
            token: Some(Arc::new(mark)),
        };
        uses.record(&operator, Timestamp::from_second(second).unwrap());
    }

    fn ids(keys: &[OperatorKey]) -> Vec<&str> {
        keys.iter().map(|key| key.id.as_str()).collect()
    }

    #[test]
    fn a_key_is_written_at_once_and_then_once_a_minute() {
        let (uses, began) = (KeyUses::default(), Instant::now());
        record(&uses, Some("a"), 1);
        record(&uses, None, 1);
        let due = uses.due(began);
        assert_eq!(ids(&due), ["a"]);
        record(&uses, Some("a"), 2);
        uses.set_written(&due, began);
        assert_eq!(ids(&uses.due(began + INTERVAL / 2)), [""; 0]);
        let due = uses.due(began + INTERVAL);
        assert_eq!(due[0].last_used_at, Timestamp::from_second(2).ok());
        uses.set_written(&due, began + INTERVAL);
        assert_eq!(ids(&uses.due(began + 3 * INTERVAL)), [""; 0], "it was not used since");
    }

    #[test]
    fn keys_that_are_remembered_are_bounded_and_those_that_expired_make_room() {
        let uses = KeyUses::default();
        (0..=KEYS_MAX).for_each(|number| record(&uses, Some(&number.to_string()), 1));
        assert_eq!(uses.due(Instant::now()).len(), WRITE_MAX);
        assert_eq!(uses.lock().len(), KEYS_MAX);
        record(&uses, Some("late"), 1001);
        assert_eq!(uses.lock().len(), 1);
    }
}
