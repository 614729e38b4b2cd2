//! Idempotency keys: which request became which command.

use std::{collections::VecDeque, time::Instant};

use muster_protocol::CommandId;
use rustc_hash::FxHashMap;

use crate::backplane::{IdempotencyKey, rules::KEY_TTL};

/// The keys of the last [`KEY_TTL`].
#[derive(Debug, Default)]
pub(super) struct IdempotencyKeys {
    by_key: FxHashMap<String, (String, CommandId)>,
    /// The keys and when each was used, oldest first.
    order: VecDeque<(Instant, String)>,
}

impl IdempotencyKeys {
    /// The hash of the body and the command of a key that was used.
    pub(super) fn find(&self, key: &str) -> Option<&(String, CommandId)> {
        self.by_key.get(key)
    }

    pub(super) fn insert(&mut self, key: &IdempotencyKey, command: CommandId, now: Instant) {
        self.by_key.insert(key.key.clone(), (key.body.clone(), command));
        self.order.push_back((now, key.key.clone()));
    }

    /// Forgets the keys that were stored for long enough.
    pub(super) fn forget_old(&mut self, now: Instant) {
        while let Some((_, key)) = self.order.pop_front_if(|(since, _)| now - *since >= KEY_TTL) {
            self.by_key.remove(&key);
        }
    }

    /// The number of keys.
    pub(super) fn len(&self) -> u64 {
        self.by_key.len() as u64
    }
}
