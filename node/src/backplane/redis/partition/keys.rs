//! Idempotency keys that lie in another partition than the command (key.lua).

use muster_protocol::CommandId;
use redis::ScriptInvocation;

use super::{
    StorePartition,
    accept::{PartitionBounds, add_key},
    reading::ScriptAnswer,
};
use crate::backplane::{BackplaneError, IdempotencyKey, redis::refusal::unsure};

/// The result of reserving an idempotency key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KeyOutcome {
    /// The command is to be accepted by this id, with `again`. It is another than the one asked for if the key was
    /// reserved before and it is not known what became of the command.
    Reserved(CommandId),
    /// The command was accepted before.
    Before(CommandId),
}

impl StorePartition {
    /// Reserves a key, which lies in this partition, for a command that is accepted in another.
    ///
    /// # Errors
    /// [`OtherBody`](BackplaneError::OtherBody) if the key was used for another body, and
    /// [`NoRoom`](BackplaneError::NoRoom).
    pub async fn reserve_key(
        &self,
        key: &IdempotencyKey,
        id: CommandId,
        bounds: &PartitionBounds,
    ) -> Result<KeyOutcome, BackplaneError> {
        let mut call = self.key_call("reserve", key, id);
        call.arg(bounds.bytes).arg(bounds.keep.as_millis() as u64);
        let mut answer = self.key_answer(&call).await?;
        match answer.outcome() {
            "reserved" => Ok(KeyOutcome::Reserved(answer.id()?)),
            "same" => Ok(KeyOutcome::Before(answer.id()?)),
            _ => Err(answer.refusal()),
        }
    }

    /// Returns the command that was accepted under a key, which lies in this partition. None if the key is not used.
    ///
    /// # Errors
    /// [`OtherBody`](BackplaneError::OtherBody) if the key was used for another body.
    pub async fn used_key(&self, key: &IdempotencyKey, id: CommandId) -> Result<Option<CommandId>, BackplaneError> {
        let mut answer = self.key_answer(&self.key_call("look", key, id)).await?;
        match answer.outcome() {
            "ok" => Ok(None),
            "reserved" | "same" => Ok(Some(answer.id()?)),
            _ => Err(answer.refusal()),
        }
    }

    /// Marks a key as used, when its command is accepted.
    pub async fn confirm_key(&self, key: &IdempotencyKey, id: CommandId) -> Result<(), BackplaneError> {
        self.key_answer(&self.key_call("confirm", key, id)).await.map(drop)
    }

    /// Gives a key back, when its command was refused and nothing was stored. A key that is confirmed stays, and so
    /// does one that another request has found reserved meanwhile: that request may have been accepted.
    pub async fn release_key(&self, key: &IdempotencyKey, id: CommandId) -> Result<(), BackplaneError> {
        self.key_answer(&self.key_call("release", key, id)).await.map(drop)
    }

    fn key_call(&self, step: &str, key: &IdempotencyKey, id: CommandId) -> ScriptInvocation<'_> {
        let mut call = self.scripts.key(&self.keys);
        call.arg(step);
        add_key(&mut call, Some(key), Some(id));
        call
    }

    async fn key_answer(&self, call: &ScriptInvocation<'_>) -> Result<ScriptAnswer, BackplaneError> {
        let answer = call.invoke_async(&mut self.connection.clone()).await.map_err(unsure)?;
        ScriptAnswer::new("key.lua", answer)
    }
}
