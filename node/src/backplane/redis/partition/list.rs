//! Commands of one home in a list (list.lua), and which of some have a terminal as target (is_target.lua).

use muster_protocol::{CommandId, TerminalId, api::CommandState};

use super::StorePartition;
use crate::backplane::{
    BackplaneError, CommandFilter, CommandPlace,
    redis::refusal::{broken, unavailable},
};

/// Commands of one home, newest first.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct HomeCommands {
    /// The commands. If a terminal was asked for, also those of which only the terminal's partition knows.
    pub commands: Vec<ListedCommand>,
    /// Where the next page begins. `None` on the last page. A page may be short, or empty, and not the last.
    pub next: Option<CommandPlace>,
}

/// A command in a list.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ListedCommand {
    /// Its place.
    pub place: CommandPlace,
    /// The bytes of its request, without the payload.
    pub bytes: usize,
}

impl StorePartition {
    /// Returns a page of the commands whose home this is, newest first, at most `limit` and 512. `after` is
    /// [`HomeCommands::next`] of the page before.
    pub async fn commands(
        &self,
        filter: &CommandFilter,
        after: Option<CommandPlace>,
        limit: usize,
    ) -> Result<HomeCommands, BackplaneError> {
        let name = filter.name.as_ref().map(|name| serde_json::to_string(name).expect("a text is JSON"));
        let mut call = self.scripts.list(&self.keys);
        call.arg(after.map(|place| format!("{} {}", place.number, place.id)).unwrap_or_default());
        call.arg(name.unwrap_or_default()).arg(filter.by.as_deref().unwrap_or_default());
        call.arg(filter.terminal.as_ref().map(TerminalId::as_str).unwrap_or_default());
        call.arg(filter.state.map(CommandState::name).unwrap_or_default()).arg(limit.min(512));
        let mut rows: Vec<String> = call.invoke_async(&mut self.connection.clone()).await.map_err(unavailable)?;
        let next = Some(rows.remove(0)).filter(|next| !next.is_empty()).map(|next| place(&mut next.split(' ')));
        let listed = |row: &String| {
            let mut words = row.split(' ');
            Ok(ListedCommand { place: place(&mut words)?, bytes: number(words.next())? as usize })
        };
        let commands = rows.iter().map(listed).collect::<Result<_, BackplaneError>>()?;
        Ok(HomeCommands { commands, next: next.transpose()? })
    }

    /// Returns whether a terminal, which lies in this partition, is a target of each of these commands, at most 512.
    pub async fn is_target(&self, terminal: &TerminalId, ids: &[CommandId]) -> Result<Vec<bool>, BackplaneError> {
        if ids.is_empty() {
            return Ok(Vec::new());
        }
        let mut call = self.scripts.is_target(&self.keys);
        call.arg(terminal.as_str());
        ids.iter().for_each(|id| {
            call.arg(id.to_string());
        });
        call.invoke_async(&mut self.connection.clone()).await.map_err(unavailable)
    }
}

/// Returns a number and an id.
fn place<'a>(words: &mut impl Iterator<Item = &'a str>) -> Result<CommandPlace, BackplaneError> {
    let number = number(words.next())?;
    let id = words.next().and_then(|id| id.parse().ok()).ok_or_else(|| broken("a place in list.lua has no id"))?;
    Ok(CommandPlace { number, id })
}

fn number(word: Option<&str>) -> Result<u64, BackplaneError> {
    let number = word.and_then(|word| word.parse::<f64>().ok()).ok_or_else(|| broken("list.lua has no number"))?;
    Ok(number as u64)
}
