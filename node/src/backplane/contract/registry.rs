//! What a backplane does for terminals that are known.

use std::{collections::HashMap, sync::Arc};

use async_trait::async_trait;
use muster_protocol::{
    TerminalId,
    api::{FleetHistory, FleetView, TerminalHistory, TerminalPage, TerminalView},
    selector::Labels,
};

use crate::backplane::{BackplaneError, TerminalQuery};

/// Terminals that are known: those that joined once and were not forgotten since.
#[async_trait]
pub trait TerminalRegistry: Send + Sync {
    /// A terminal, or `None` if it is not known.
    async fn terminal(&self, id: &TerminalId) -> Result<Option<TerminalView>, BackplaneError>;

    /// A page of the terminals that a query asks for, in ascending order of their ids.
    async fn terminals(&self, query: &TerminalQuery) -> Result<TerminalPage, BackplaneError>;

    /// The labels of those of these terminals that are known. A call to the store is about 64 terminals at most.
    async fn labels_of(&self, ids: &[TerminalId]) -> Result<HashMap<TerminalId, Arc<Labels>>, BackplaneError>;

    /// Replaces the labels that operators gave a terminal. Labels that the terminal has from elsewhere stay. Returns the
    /// terminal after that, or `None` if it is not known.
    async fn label(&self, id: &TerminalId, labels: &Labels) -> Result<Option<TerminalView>, BackplaneError>;

    /// Ends a terminal's session, on whichever node it is; the terminal may come back. False if it has none.
    async fn disconnect(&self, id: &TerminalId) -> Result<bool, BackplaneError>;

    /// Forgets a terminal and all that waits for it. If it is online, its session ends and `terminal.offline` is written with
    /// the reason `removed` and the labels that it had. False if it is not known.
    async fn forget(&self, id: &TerminalId) -> Result<bool, BackplaneError>;

    /// The last changes of a terminal, or `None` if it is not known. Empty with `--no-terminal-history`.
    async fn terminal_history(&self, id: &TerminalId) -> Result<Option<TerminalHistory>, BackplaneError>;

    /// Counts of all terminals.
    async fn fleet(&self) -> Result<FleetView, BackplaneError>;

    /// The counters of the last minutes, `minutes` of them at most: 1 to 1,440. A minute that no node wrote is left out.
    async fn fleet_history(&self, minutes: u32) -> Result<FleetHistory, BackplaneError>;
}
