//! A command that is sent to its terminal while the store is away. Used when a command could not be stored. Such a
//! command reaches `sent` and no further, because nobody could look it up later.

use jiff::Timestamp;
use muster_protocol::{
    Selector, TerminalId,
    api::{CommandState, CommandView, Confirm, TargetState},
    frame,
    partition::PartitionIndex,
};

use super::HttpState;
use crate::backplane::{CommandDraft, Cursor, encode};

/// A command that needs no store: it is for one terminal, and nothing of it is to be confirmed.
pub struct DirectCommand {
    terminal: TerminalId,
    command: frame::Command,
    created_at: Timestamp,
    by: String,
}

impl DirectCommand {
    /// The command of `draft`, or none if the command needs the store.
    pub fn of(draft: &CommandDraft) -> Option<Self> {
        match &draft.request.target {
            Selector::Terminal(terminal) if draft.request.confirm == Confirm::None && draft.key.is_none() => {
                let (command, by) = (draft.frame.clone(), draft.by.clone());
                Some(Self { terminal: terminal.clone(), command, created_at: draft.created_at, by })
            }
            _ => None,
        }
    }

    /// Sends the command if the terminal's session is on this node. The answer says that nothing is stored.
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
        // A command without a number has no partition either: the shard looks at neither.
        let nowhere = Cursor { epoch: String::new(), number: 0 };
        let encoded = encode(PartitionIndex::default(), self.command, &nowhere, false);
        state.shared.shards.send_unstored(&self.terminal, encoded).await.then_some(view)
    }
}
