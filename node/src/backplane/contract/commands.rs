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
    /// Stores a command, fixes its targets and sends it on its way, in one step.
    ///
    /// A draft with an idempotency key that was used for the same body is not stored again: the result is
    /// [`Accepted::Before`].
    ///
    /// # Errors
    /// [`Unknown`](BackplaneError::Unknown), [`Offline`](BackplaneError::Offline) and [`Full`](BackplaneError::Full) if it can't be
    /// accepted for its targets, [`NoRoom`](BackplaneError::NoRoom) if there is no room for it,
    /// [`OtherBody`](BackplaneError::OtherBody) if the key was used for another body,
    /// [`Unfinished`](BackplaneError::Unfinished) if it is stored and a partition went away before it had its share, and
    /// [`Unreplicated`](BackplaneError::Unreplicated) if it is stored on too few servers.
    async fn accept(&self, draft: CommandDraft) -> Result<Accepted, BackplaneError>;

    /// The command that was accepted under a key, or may have been. `None` if none was.
    ///
    /// # Errors
    /// [`OtherBody`](BackplaneError::OtherBody) if the key was used for another body.
    async fn accepted_under(&self, key: &IdempotencyKey) -> Result<Option<CommandId>, BackplaneError>;

    /// Counts the terminals that a request would be for. Nothing is changed.
    ///
    /// # Errors
    /// [`Unknown`](BackplaneError::Unknown) and [`Offline`](BackplaneError::Offline), as for [`accept`](Self::accept).
    async fn estimate(&self, request: &CommandRequest) -> Result<DryRun, BackplaneError>;

    /// A command with the counts of its targets, or `None` if it is not known or not stored any more.
    async fn command(&self, id: CommandId) -> Result<Option<CommandRecord>, BackplaneError>;

    /// A page of the commands that are stored, newest first.
    async fn commands(&self, query: &CommandQuery) -> Result<FoundCommands, BackplaneError>;

    /// A page of the targets of a command. Empty if the command is not known.
    ///
    /// # Errors
    /// [`NoPage`](BackplaneError::NoPage) if no page has given out this place.
    async fn targets(&self, id: CommandId, query: &TargetQuery) -> Result<FoundTargets, BackplaneError>;

    /// Waits until a command is done or cancelled, for `limit` at most. It may return before that: whoever waits looks at the command, and
    /// waits again if it is still open.
    async fn wait(&self, id: CommandId, limit: Duration);

    /// The frames of commands for a terminal, in the order of `ids`; `None` for a command that is not stored any more or was
    /// cancelled. One that has expired may be among them.
    async fn frames(
        &self,
        terminal: &TerminalId,
        ids: &[CommandId],
    ) -> Result<Vec<Option<frame::Command>>, BackplaneError>;

    /// Cancels a command for the targets to which it was not sent yet. Returns the command after that, or `None` if it is not
    /// known. A command that has expired or was sent to all of its targets stays as it is.
    ///
    /// # Errors
    /// [`CancelledInPart`](BackplaneError::CancelledInPart) if only a part of the store could be reached.
    async fn cancel(&self, id: CommandId) -> Result<Option<CommandRecord>, BackplaneError>;
}
