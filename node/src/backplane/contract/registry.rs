//! What a backplane does for terminals that are known.

use std::{collections::HashMap, sync::Arc};

use async_trait::async_trait;
use muster_protocol::{
    TerminalId,
    api::{FleetHistory, FleetView, TerminalHistory, TerminalPage, TerminalView},
    selector::Labels,
};

use crate::backplane::{BackplaneError, TerminalQuery};

/// The registry: terminals that have joined once and were not forgotten since.
#[async_trait]
pub trait TerminalRegistry: Send + Sync {
    /// Returns a terminal; `None` if it is not known.
    async fn terminal(&self, id: &TerminalId) -> Result<Option<TerminalView>, BackplaneError>;

    /// Returns a page of the terminals that a query asks for, in ascending order of their ids.
    async fn terminals(&self, query: &TerminalQuery) -> Result<TerminalPage, BackplaneError>;

    /// Returns the labels of these terminals, without those that are not known. Makes one call to the store for each 64
    /// terminals.
    async fn labels_of(&self, ids: &[TerminalId]) -> Result<HashMap<TerminalId, Arc<Labels>>, BackplaneError>;

    /// Replaces the labels that operators gave a terminal. Labels that the terminal has from elsewhere stay. Returns
    /// the terminal after the change; `None` if it is not known.
    async fn label(&self, id: &TerminalId, labels: &Labels) -> Result<Option<TerminalView>, BackplaneError>;

    /// Ends a terminal's session, on any node. The terminal may come back. Returns false if the terminal has no
    /// session.
    async fn disconnect(&self, id: &TerminalId) -> Result<bool, BackplaneError>;

    /// Forgets a terminal and all that waits for it. If it is online, its session ends and `terminal.offline` is
    /// written with the reason `removed` and the labels that it had. Returns false if the terminal is not known.
    async fn forget(&self, id: &TerminalId) -> Result<bool, BackplaneError>;

    /// Returns the last changes of a terminal; `None` if the terminal is not known. Empty with `--no-terminal-history`.
    async fn terminal_history(&self, id: &TerminalId) -> Result<Option<TerminalHistory>, BackplaneError>;

    /// Returns the counts of all terminals.
    async fn fleet(&self) -> Result<FleetView, BackplaneError>;

    /// Returns the counters of the last `minutes` minutes, which must be 1 to 1,440. Leaves out a minute that no node
    /// wrote.
    async fn fleet_history(&self, minutes: u32) -> Result<FleetHistory, BackplaneError>;
}
