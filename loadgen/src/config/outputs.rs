//! The files that a run writes.

use std::path::PathBuf;

use clap::Args;

/// The files that a run writes, besides the report on stdout. None by default.
#[derive(Debug, Clone, Default, Args)]
pub struct OutputSettings {
    /// Write the report as JSON to this file, too
    #[arg(long, value_name = "FILE")]
    pub json: Option<PathBuf>,

    /// Write the report as a single HTML page to this file, too
    #[arg(long, value_name = "FILE")]
    pub html: Option<PathBuf>,

    /// Write the checked conditions as JUnit XML to this file, too
    #[arg(long, value_name = "FILE")]
    pub junit: Option<PathBuf>,

    /// Write each histogram as NAME.hgrm and all of them as an interval log to this directory, too
    #[arg(long, value_name = "DIR")]
    pub hgrm: Option<PathBuf>,

    /// Write the plan and everything that was recorded as JSON lines to this directory, too. scripts/e2e/muster/ledger.py
    /// computes the same figures from them
    #[arg(long, value_name = "DIR")]
    pub logs: Option<PathBuf>,
}
