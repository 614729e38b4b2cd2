//! What does not count against a run: conditions whose failure does not make it invalid, and what the server does not promise.

use clap::Args;

/// The gates that a run may fail and still be valid, and what is not promised: none by default.
#[derive(Debug, Clone, Copy, Default, Args)]
pub struct Allowances {
    /// Do not mark the run as invalid if a terminal never connects
    #[arg(long)]
    pub allow_shortfall: bool,

    /// Do not mark the run as invalid if messages could not be sent because the connection that sends them was down: for runs
    /// in which the server restarts
    #[arg(long)]
    pub allow_unsent: bool,

    /// The server delivers at most once, whatever its protocol promises: what is sent while a terminal has no session is not
    /// promised, and no fault
    #[arg(long)]
    pub at_most_once: bool,
}
