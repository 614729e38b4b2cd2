//! The revocations that a partition holds for all of them (revoke.lua, take_back.lua, revocations.lua).

use muster_protocol::api::Revocation;
use redis::RedisResult;
use uuid::Uuid;

use super::StorePartition;
use crate::backplane::{
    BackplaneError, RevocationSet,
    redis::refusal::{unavailable, unsure},
    rules::REVOCATIONS_MAX,
};

impl StorePartition {
    /// Stores a revocation.
    ///
    /// # Errors
    /// [`BackplaneError::TooManyRevocations`], and those of a call that changes something.
    pub async fn revoke(&self, revocation: &Revocation) -> Result<(), BackplaneError> {
        let json = serde_json::to_string(revocation).expect("a revocation has a JSON form");
        let mut call = self.scripts.revoke(&self.keys);
        call.arg(revocation.id.to_string()).arg(json).arg(revocation.expires_at.as_millisecond());
        call.arg(REVOCATIONS_MAX).arg(revision());
        let stored: RedisResult<bool> = call.invoke_async(&mut self.connection.clone()).await;
        if stored.map_err(unsure)? { Ok(()) } else { Err(BackplaneError::TooManyRevocations(REVOCATIONS_MAX)) }
    }

    /// Removes a revocation. False if it is not stored.
    ///
    /// # Errors
    /// Those of a call that changes something.
    pub async fn take_back(&self, id: Uuid) -> Result<bool, BackplaneError> {
        let mut call = self.scripts.take_back(&self.keys);
        call.arg(id.to_string()).arg(revision());
        call.invoke_async(&mut self.connection.clone()).await.map_err(unsure)
    }

    /// Returns all revocations. None if their revision is `known`. One that can't be read is left out, and logged.
    ///
    /// # Errors
    /// [`BackplaneError::Unavailable`] if Redis does not answer.
    pub async fn revocations(&self, known: &str) -> Result<Option<RevocationSet>, BackplaneError> {
        let mut call = self.scripts.revocations(&self.keys);
        type Answer = (String, bool, Vec<Vec<u8>>);
        let answer: RedisResult<Answer> = call.arg(known).invoke_async(&mut self.connection.clone()).await;
        let (revision, is_other, all) = answer.map_err(unavailable)?;
        let read = |json: Vec<u8>| match serde_json::from_slice(&json) {
            Ok(revocation) => Some(revocation),
            Err(error) => {
                tracing::warn!(%error, "a revocation can't be read, and is not applied by this node");
                None
            }
        };
        Ok(is_other.then(|| RevocationSet { revision, all: all.into_iter().filter_map(read).collect() }))
    }
}

fn revision() -> String {
    Uuid::now_v7().to_string()
}
