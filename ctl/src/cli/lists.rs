//! The flags of lists, and of the stream of events.

use clap::{Args, ValueEnum};
use muster_protocol::{CommandId, TerminalId, selector::MatchExpression};

use super::label;
use crate::completion::CandidateKind;

/// How many rows are shown.
#[derive(Debug, Clone, Copy, Args)]
pub struct RowLimit {
    /// The most rows; 0 for all
    #[arg(long, value_name = "N", default_value_t = 100)]
    pub limit: usize,
}

#[derive(Debug, Args)]
pub struct TerminalList {
    /// Only those that are online, stale or offline
    #[arg(long)]
    pub status: Option<StatusName>,
    /// Only those with this label. Repeat the flag for more labels, all of which they must have
    #[arg(long, short = 'l', value_name = "KEY=VALUE", value_parser = label, add = CandidateKind::Labels.completer())]
    pub label: Vec<(String, String)>,
    /// Only those that this picks, such as 'version < 2.1 and not @status = offline'
    #[arg(long = "match", value_name = "SELECTOR")]
    pub expression: Option<MatchExpression>,
    /// Only those whose id begins with this
    #[arg(long)]
    pub prefix: Option<String>,
    #[command(flatten)]
    pub limit: RowLimit,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
pub enum StatusName {
    Online,
    Stale,
    Offline,
}

#[derive(Debug, Args)]
pub struct CommandList {
    /// Only those that are open, done or cancelled
    #[arg(long)]
    pub state: Option<String>,
    /// Only those with this name
    #[arg(long)]
    pub name: Option<String>,
    /// Only those of this operator
    #[arg(long)]
    pub by: Option<String>,
    /// Only those that were for this terminal
    #[arg(long, value_name = "ID", add = CandidateKind::Terminals.completer())]
    pub terminal: Option<TerminalId>,
    #[command(flatten)]
    pub limit: RowLimit,
}

#[derive(Debug, Args)]
pub struct EventFlags {
    /// Only events of this kind, such as terminal.online. Repeat the flag for more
    #[arg(long)]
    pub kind: Vec<String>,
    /// Only events of this terminal
    #[arg(long, value_name = "ID", add = CandidateKind::Terminals.completer())]
    pub terminal: Option<TerminalId>,
    /// Only events of terminals with this label. Repeat the flag for more labels, all of which they must have
    #[arg(long, short = 'l', value_name = "KEY=VALUE", value_parser = label, add = CandidateKind::Labels.completer())]
    pub label: Vec<(String, String)>,
    /// Only events of terminals that this picks by labels and @id, such as 'site ^= bj or @id = t1'
    #[arg(long = "match", value_name = "SELECTOR")]
    pub expression: Option<MatchExpression>,
    /// Only events of this command
    #[arg(long, value_name = "ID", add = CandidateKind::Commands.completer())]
    pub command: Option<CommandId>,
    /// Begin after the event with this id, as --json shows it
    #[arg(long, value_name = "EVENT")]
    pub after: Option<String>,
}

#[derive(Debug, Args)]
pub struct AuditList {
    /// Only calls of this operator
    #[arg(long)]
    pub by: Option<String>,
    /// Only calls that name this terminal
    #[arg(long, value_name = "ID", add = CandidateKind::Terminals.completer())]
    pub terminal: Option<TerminalId>,
    /// Only calls about this command
    #[arg(long, value_name = "ID", add = CandidateKind::Commands.completer())]
    pub command: Option<CommandId>,
    #[command(flatten)]
    pub limit: RowLimit,
}
