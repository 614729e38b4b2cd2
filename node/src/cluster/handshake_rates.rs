//! Budgets of handshakes of each terminal, and of refused handshakes of each address, beside the node's own. So a terminal that connects
//! again and again takes nothing from the others, and an address that tries tokens is told to wait.

use std::time::Instant;

use super::{KeyedBudgets, admission::Busy, keyed_budgets::of_site};
use crate::config::Config;

/// A budget that was not used for a while has so many seconds' worth.
const BURST_SECONDS: f64 = 20.0;

/// The budgets of one node.
#[derive(Debug)]
pub struct HandshakeRates {
    terminals: KeyedBudgets,
    refusals: KeyedBudgets,
}

impl HandshakeRates {
    /// The budgets that the configuration sets.
    pub fn new(config: &Config) -> Self {
        let budgets = |rate: u32| KeyedBudgets::new(rate.into(), f64::from(rate) * BURST_SECONDS);
        Self { terminals: budgets(config.handshakes_per_terminal), refusals: budgets(config.refusals_per_address) }
    }

    /// Takes a handshake of a terminal whose token was verified from its budget.
    pub fn admit(&self, terminal: &str) -> Result<(), Busy> {
        let why = "this terminal makes more handshakes than a node takes of one terminal (--handshakes-per-terminal)";
        self.terminals.take(terminal, Instant::now()).map_err(|retry_after| Busy { why, retry_after })
    }

    /// Takes a handshake from an address whose token was refused from the address's budget. A good token is let in whatever the budget
    /// has: thousands of terminals may stand behind one address, and one of them must not keep the others out.
    pub fn refused(&self, address: &str) -> Result<(), Busy> {
        let why = "too many handshakes from this address had no good token (--refusals-per-address)";
        self.refusals.take(of_site(address), Instant::now()).map_err(|retry_after| Busy { why, retry_after })
    }
}
