//! The conditions whose failure does not make a run invalid.

use clap::Args;

/// The gates that a run may fail and still be valid: none by default.
#[derive(Debug, Clone, Copy, Default, Args)]
pub struct Allowances {
    /// Do not mark the run as invalid if a terminal never connects
    #[arg(long)]
    pub allow_shortfall: bool,
}
