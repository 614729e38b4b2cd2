//! A command that a node sends to its terminal without storing it, because the store is away. Such a command reaches
//! `sent` and no further state, because nobody can look it up later.

use jiff::Timestamp;
use muster_protocol::{
    Selector, TerminalId,
    api::{CommandState, CommandView, Confirm, TargetState},
    frame,
    partition::PartitionIndex,
};

use super::HttpState;
use crate::backplane::{CommandDraft, Cursor, encode};

/// A command that needs no store: it is for one terminal, needs no confirmation, and has no idempotency key.
pub struct DirectCommand {
    terminal: TerminalId,
    command: frame::Command,
    created_at: Timestamp,
    by: String,
}

impl DirectCommand {
    /// Returns the command of `draft`; none if the command needs the store.
    pub fn of(draft: &CommandDraft) -> Option<Self> {
        match &draft.request.target {
            Selector::Terminal(terminal) if draft.request.confirm == Confirm::None && draft.key.is_none() => {
                let (command, by) = (draft.frame.clone(), draft.by.clone());
                Some(Self { terminal: terminal.clone(), command, created_at: draft.created_at, by })
            }
            _ => None,
        }
    }

    /// Sends the command if the terminal's session is on this node. Returns a view which says that nothing is stored;
    /// none if the command was not sent.
    pub async fn deliver(self, state: &HttpState) -> Option<CommandView> {
        let view = CommandView {
            id: self.command.id,
            name: self.command.name.clone(),
            state: CommandState::Done,
            targets: 1,
            counts: [(TargetState::Sent, 1)].into(),
            created_at: self.created_at,
            expires_at: self.command.expires_at,
            stored: false,
            by: Some(self.by).filter(|by| !by.is_empty()),
            target: None,
            payload: None,
            payload_base64: None,
            results: None,
            partial: Vec::new(),
            lost: Vec::new(),
        };
        // The command has no number and no partition. The shard ignores both for a command that was not stored.
        let nowhere = Cursor { epoch: String::new(), number: 0 };
        let encoded = encode(PartitionIndex::default(), self.command, &nowhere, false);
        state.shared.shards.send_unstored(&self.terminal, encoded).await.then_some(view)
    }
}
