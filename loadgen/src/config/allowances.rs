//! The conditions whose failure does not make a run invalid.

use clap::Args;

/// The gates that a run may fail and still be valid: none by default.
#[derive(Debug, Clone, Copy, Default, Args)]
pub struct Allowances {
    /// Do not mark the run as invalid if a terminal never connects
    #[arg(long)]
    pub allow_shortfall: bool,

    /// Do not mark the run as invalid if the machine has no CPU to spare: deliveries are judged as usual, but the
    /// measured times must not be quoted. For demonstrations
    #[arg(long)]
    pub allow_busy: bool,
}
