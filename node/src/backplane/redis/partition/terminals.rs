//! What operators change of a terminal, and when terminals are forgotten.

use std::time::Duration;

use muster_protocol::{TerminalId, selector::Labels};
use redis::{FromRedisValue, ScriptInvocation};

use super::StorePartition;
use crate::backplane::{BackplaneError, redis::refusal::unsure};

impl StorePartition {
    /// Replaces the labels that operators gave a terminal. Returns false if it is not known. The labels are checked
    /// before.
    ///
    /// # Errors
    /// [`BackplaneError::Unavailable`] if nothing was changed, [`BackplaneError::Unsure`] if Redis may have made the
    /// change.
    pub async fn label(&self, id: &TerminalId, labels: &Labels) -> Result<bool, BackplaneError> {
        let mut call = self.scripts.label(&self.keys);
        call.arg(id.as_str()).arg(serde_json::to_string(labels).expect("labels are JSON"));
        self.change(&call).await
    }

    /// Ends a terminal's session, on whichever node it is; the terminal may come back. Returns false if it has none.
    ///
    /// # Errors
    /// As [`label`](Self::label).
    pub async fn disconnect(&self, id: &TerminalId) -> Result<bool, BackplaneError> {
        self.change(self.scripts.disconnect(&self.keys).arg(id.as_str())).await
    }

    /// Forgets a terminal and all that waits for it. If it is online, its session ends and `terminal.offline` is
    /// written with the reason `removed`. Returns false if it is not known.
    ///
    /// # Errors
    /// As [`label`](Self::label).
    pub async fn forget(&self, id: &TerminalId) -> Result<bool, BackplaneError> {
        self.change(self.scripts.forget(&self.keys).arg(id.as_str())).await
    }

    /// Forgets terminals that were offline for longer than `after`, at most 64 of 512 ordinals. Each call goes on where
    /// the last one ended, whichever node made it. Returns how many were forgotten, or turned out to have come back.
    ///
    /// # Errors
    /// As [`label`](Self::label).
    pub async fn forget_away(&self, after: Duration) -> Result<u32, BackplaneError> {
        self.change(self.scripts.forget_away(&self.keys).arg(after.as_millis() as u64)).await
    }

    /// Calls a script that changes something.
    pub(super) async fn change<T: FromRedisValue>(&self, call: &ScriptInvocation<'_>) -> Result<T, BackplaneError> {
        call.invoke_async(&mut self.connection.clone()).await.map_err(unsure)
    }
}
