//! The targets of one command, one by one, for a stream with `command=ID&detail=1`.

use std::{collections::BTreeMap, sync::Arc};

use jiff::Timestamp;
use muster_protocol::{CommandId, TerminalId, api::TargetState};
use serde_json::json;

use super::message::{StreamMessage, TARGET};
use crate::backplane::{Backplane, BackplaneError, TargetQuery};

/// The most targets of a command whose targets are shown one by one: they are all looked at whenever some have changed.
pub const TARGETS_MAX: u64 = 1000;

/// The targets of a page.
const PAGE: usize = 500;

/// What a stream has told of the targets of its command.
#[derive(Debug)]
pub struct TargetWatch {
    command: CommandId,
    told: BTreeMap<TerminalId, TargetState>,
}

/// Targets whose states are others than those that were told.
#[derive(Debug)]
pub struct TargetChanges {
    /// One message for each.
    pub messages: Vec<Arc<StreamMessage>>,
    states: BTreeMap<TerminalId, TargetState>,
}

impl TargetWatch {
    /// A watch that has told nothing, of which it is known that every target was queued.
    pub fn new(command: CommandId) -> Self {
        Self { command, told: BTreeMap::new() }
    }

    /// The command.
    pub fn command(&self) -> CommandId {
        self.command
    }

    /// Looks at all targets. The messages stand behind the event with this cursor.
    pub async fn look(&self, backplane: &dyn Backplane, cursor: &str) -> Result<TargetChanges, BackplaneError> {
        let mut changes = TargetChanges { messages: Vec::new(), states: BTreeMap::new() };
        let Some(record) = backplane.command(self.command).await? else { return Ok(changes) };
        let (now, mut query) = (Timestamp::now(), TargetQuery { limit: PAGE, ..TargetQuery::default() });
        loop {
            let page = backplane.targets(self.command, &query).await?;
            for target in page.targets {
                let view = record.target_view(target.terminal, &target.record, None, now);
                let told = self.told.get(&view.terminal).copied().unwrap_or(TargetState::Queued);
                if told != view.state {
                    let at = view.at.values().max();
                    let data =
                        json!({ "command": self.command, "terminal": view.terminal, "state": view.state, "at": at });
                    changes.messages.push(Arc::new(StreamMessage::without_id(TARGET, cursor, &data.to_string())));
                }
                changes.states.insert(view.terminal, view.state);
            }
            query.after = page.next;
            if query.after.is_none() || changes.states.len() as u64 > TARGETS_MAX {
                return Ok(changes);
            }
        }
    }

    /// Records that these changes were told. Of targets whose partition is away, what was told before stays.
    pub fn has_told(&mut self, changes: TargetChanges) {
        self.told.extend(changes.states);
    }
}
