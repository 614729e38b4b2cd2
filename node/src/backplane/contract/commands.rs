//! What a backplane does for commands.

use std::time::Duration;

use async_trait::async_trait;
use muster_protocol::{
    CommandId, TerminalId,
    api::{CommandRequest, DryRun},
    frame,
};

use crate::backplane::{
    Accepted, BackplaneError, CommandDraft, CommandQuery, CommandRecord, FoundCommands, FoundTargets, IdempotencyKey,
    TargetQuery,
};

/// Commands, their targets and their frames.
#[async_trait]
pub trait CommandStore: Send + Sync {
    /// In one step, stores a command, freezes its targets, and sends it on its way.
    ///
    /// A draft with an idempotency key that was used for the same body is not stored again: the result is
    /// [`Accepted::Before`].
    ///
    /// # Errors
    /// [`Unknown`](BackplaneError::Unknown), [`Offline`](BackplaneError::Offline) and [`Full`](BackplaneError::Full) if
    /// the command can't be accepted for its targets, [`NoRoom`](BackplaneError::NoRoom) if there is no room for it,
    /// [`OtherBody`](BackplaneError::OtherBody) if the key was used for another body,
    /// [`Unfinished`](BackplaneError::Unfinished) if it is stored and a partition went away before it had its share,
    /// and [`Unreplicated`](BackplaneError::Unreplicated) if it is stored on too few servers.
    async fn accept(&self, draft: CommandDraft) -> Result<Accepted, BackplaneError>;

    /// Returns the command that was accepted, or may have been accepted, under a key. `None` if there was none.
    ///
    /// # Errors
    /// [`OtherBody`](BackplaneError::OtherBody) if the key was used for another body.
    async fn accepted_under(&self, key: &IdempotencyKey) -> Result<Option<CommandId>, BackplaneError>;

    /// Counts the terminals that a request would be for. Changes nothing.
    ///
    /// # Errors
    /// [`Unknown`](BackplaneError::Unknown) and [`Offline`](BackplaneError::Offline), as for [`accept`](Self::accept).
    async fn estimate(&self, request: &CommandRequest) -> Result<DryRun, BackplaneError>;

    /// Returns a command with the counts of its targets; `None` if the command is not stored, or not any more.
    async fn command(&self, id: CommandId) -> Result<Option<CommandRecord>, BackplaneError>;

    /// Returns a page of the stored commands, newest first.
    async fn commands(&self, query: &CommandQuery) -> Result<FoundCommands, BackplaneError>;

    /// Returns a page of the targets of a command. The page is empty if the command is not stored.
    ///
    /// # Errors
    /// [`NoPage`](BackplaneError::NoPage) if no page has given out this place.
    async fn targets(&self, id: CommandId, query: &TargetQuery) -> Result<FoundTargets, BackplaneError>;

    /// Waits until a command is done or cancelled, for at most `limit`. May return earlier: the caller must look at the
    /// command, and wait again if the command is still open.
    async fn wait(&self, id: CommandId, limit: Duration);

    /// Returns the frames of commands for a terminal, in the order of `ids`; `None` for a command that is not stored
    /// any more or was cancelled. Expired commands may be among them.
    async fn frames(
        &self,
        terminal: &TerminalId,
        ids: &[CommandId],
    ) -> Result<Vec<Option<frame::Command>>, BackplaneError>;

    /// Cancels a command for the targets to which it was not sent yet. Returns the command after the change; `None` if
    /// it is not stored. Leaves a command as it is if it has expired or was sent to all of its targets.
    ///
    /// # Errors
    /// [`CancelledInPart`](BackplaneError::CancelledInPart) if only a part of the store could be reached.
    async fn cancel(&self, id: CommandId) -> Result<Option<CommandRecord>, BackplaneError>;
}
