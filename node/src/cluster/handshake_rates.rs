//! Budgets beside the node's own: one of handshakes for each terminal, and one of refused handshakes for each address.
//! So a terminal that connects again and again takes nothing from the others, and an address that tries tokens is told
//! to wait.

use std::time::Instant;

use super::{KeyedBudgets, admission::Busy, keyed_budgets::of_site};
use crate::config::Config;

/// The most that a budget saves up, in seconds of its rate.
const BURST_SECONDS: f64 = 20.0;

/// The budgets of one node for terminals and addresses.
#[derive(Debug)]
pub struct HandshakeRates {
    terminals: KeyedBudgets,
    refusals: KeyedBudgets,
}

impl HandshakeRates {
    /// Returns the budgets that the configuration sets.
    pub fn new(config: &Config) -> Self {
        let budgets = |rate: u32| KeyedBudgets::new(rate.into(), f64::from(rate) * BURST_SECONDS);
        Self { terminals: budgets(config.handshakes_per_terminal), refusals: budgets(config.refusals_per_address) }
    }

    /// Takes one handshake from the budget of a terminal whose token was verified. Fails if the budget is used up.
    pub fn admit(&self, terminal: &str) -> Result<(), Busy> {
        let why = "this terminal makes more handshakes than a node takes of one terminal (--handshakes-per-terminal)";
        self.terminals.take(terminal, Instant::now()).map_err(|retry_after| Busy { why, retry_after })
    }

    /// Takes one handshake from the budget of an address, because the node refused the token of that handshake. Fails
    /// if the budget is used up. Handshakes with a good token do not depend on this budget: thousands of terminals may
    /// stand behind one address, and one of them must not keep the others out.
    pub fn refused(&self, address: &str) -> Result<(), Busy> {
        let why = "too many handshakes from this address had no good token (--refusals-per-address)";
        self.refusals.take(of_site(address), Instant::now()).map_err(|retry_after| Busy { why, retry_after })
    }
}
