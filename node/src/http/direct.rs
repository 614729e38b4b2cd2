//! A command that reaches its terminal while the store is away. Called when it could not be stored; claims nothing that nobody could
//! look up later.

use jiff::Timestamp;
use muster_protocol::{
    Selector, TerminalId,
    api::{CommandState, CommandView, Confirm, TargetState},
    frame,
};

use super::Front;
use crate::backplane::{Cursor, Draft, parcel};

/// A command that can do without the store: for one terminal, of which nothing is to be confirmed.
pub struct Direct {
    terminal: TerminalId,
    command: frame::Command,
    created_at: Timestamp,
}

impl Direct {
    /// If the command is such a one.
    pub fn of(draft: &Draft) -> Option<Self> {
        match &draft.request.target {
            Selector::Terminal(terminal) if draft.request.confirm == Confirm::None && draft.key.is_none() => {
                Some(Self { terminal: terminal.clone(), command: draft.frame.clone(), created_at: draft.created_at })
            }
            _ => None,
        }
    }

    /// Sends it, if the terminal is on this node; the answer says that nothing is stored.
    pub async fn deliver(self, front: &Front) -> Option<CommandView> {
        let view = CommandView {
            id: self.command.id,
            name: self.command.name.clone(),
            state: CommandState::Done,
            targets: 1,
            counts: [(TargetState::Sent, 1)].into(),
            created_at: self.created_at,
            expires_at: self.command.expires_at,
            stored: false,
            results: None,
        };
        let nowhere = Cursor { epoch: String::new(), number: 0 };
        let parcel = parcel(self.command, &nowhere, false);
        front.shared.hub.direct(&self.terminal, parcel).await.then_some(view)
    }
}
