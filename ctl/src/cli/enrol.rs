//! The flags of `muster enrol`.

use std::time::Duration;

use clap::{Args, Subcommand};
use muster_protocol::TerminalId;

use super::{RowLimit, label};
use crate::completion::CandidateKind;

#[derive(Debug, Subcommand)]
pub enum EnrolVerb {
    /// Make a code and print it. Nobody can look it up later
    #[command(visible_alias = "new")]
    Make(EnrolMake),
    /// List the codes whose token was not given out, those first that end first
    Ls {
        #[command(flatten)]
        limit: RowLimit,
    },
    /// Let the terminal that has used a code have its token
    Approve {
        /// The id, as `muster enrol ls` shows it
        #[arg(add = CandidateKind::Enrolments.completer())]
        id: String,
    },
    /// Remove a code: it can't be used any more
    Rm {
        /// The id, as `muster enrol ls` shows it
        #[arg(add = CandidateKind::Enrolments.completer())]
        id: String,
    },
}

/// A code, and the token that a terminal gets for it.
#[derive(Debug, Args)]
pub struct EnrolMake {
    /// The only terminal that may use the code. Default: whichever has the code
    #[arg(long, value_name = "ID", add = CandidateKind::Terminals.completer())]
    pub terminal: Option<TerminalId>,
    /// A label in the terminal's token. Repeat the flag for more
    #[arg(long, short = 'l', value_name = "KEY=VALUE", value_parser = label, add = CandidateKind::Labels.completer())]
    pub label: Vec<(String, String)>,
    /// How long the code can be used
    #[arg(long, value_name = "TIME", default_value = "1h", value_parser = humantime::parse_duration)]
    pub expires_in: Duration,
    /// How long the token is valid
    #[arg(long, value_name = "TIME", default_value = "30d", value_parser = humantime::parse_duration)]
    pub valid_for: Duration,
    /// Let the terminal renew its token, each time for so long
    #[arg(long, value_name = "TIME", value_parser = humantime::parse_duration)]
    pub renew: Option<Duration>,
    /// Have an operator approve the terminal that uses the code
    #[arg(long)]
    pub approve: bool,
}
