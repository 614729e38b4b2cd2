//! The flags of a command that is sent, and of its targets.

use std::{path::PathBuf, time::Duration};

use clap::{ArgGroup, Args, ValueEnum};
use muster_protocol::{TerminalId, selector::MatchExpression};

use super::label;
use crate::completion::CandidateKind;

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum ConfirmName {
    None,
    Ack,
    Result,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum OfflineName {
    Queue,
    Skip,
}

/// Which terminals a command is for.
#[derive(Debug, Args)]
#[command(group = ArgGroup::new("targets").required(true).multiple(true).args(["to", "label", "expression", "all"]))]
pub struct TargetFlags {
    /// A terminal. Repeat the flag for more
    #[arg(long, value_name = "ID", conflicts_with_all = ["label", "expression", "all"], add = CandidateKind::Terminals.completer())]
    pub to: Vec<TerminalId>,

    /// Terminals with this label. Repeat the flag for more labels, all of which they must have
    #[arg(long, short = 'l', value_name = "KEY=VALUE", value_parser = label, add = CandidateKind::Labels.completer(), conflicts_with_all = ["expression", "all"])]
    pub label: Vec<(String, String)>,

    /// Terminals that this picks, such as 'version < 2.1 and not @status = offline'
    #[arg(long = "match", value_name = "SELECTOR", conflicts_with = "all")]
    pub expression: Option<MatchExpression>,

    /// All terminals
    #[arg(long)]
    pub all: bool,
}

/// What a command says.
#[derive(Debug, Args)]
pub struct NamedPayload {
    /// What to do, in a word that the terminals know
    pub name: String,

    /// The payload as JSON, such as '{"text":"hi"}'. Without it: null
    pub payload: Option<String>,

    /// The payload as a text, instead of JSON
    #[arg(long, conflicts_with = "payload")]
    pub text: Option<String>,

    /// A file with the payload: JSON, or bytes with --bytes. - is standard input
    #[arg(long, value_name = "FILE", conflicts_with_all = ["payload", "text"])]
    pub file: Option<PathBuf>,

    /// The file has bytes
    #[arg(long, requires = "file")]
    pub bytes: bool,
}

/// A command and its targets.
#[derive(Debug, Args)]
pub struct Send {
    #[command(flatten)]
    pub what: NamedPayload,

    #[command(flatten)]
    pub targets: TargetFlags,

    /// How long the command may still be run
    #[arg(long, value_name = "TIME", default_value = "60s", value_parser = humantime::parse_duration)]
    pub expires_in: Duration,

    /// What a terminal must report to be done
    #[arg(long, value_enum, default_value = "ack")]
    pub confirm: ConfirmName,

    /// Whether terminals that are offline get it on return
    #[arg(long, value_enum, default_value = "queue")]
    pub offline: OfflineName,

    /// Each terminal waits a random time up to this
    #[arg(long, value_name = "TIME", value_parser = humantime::parse_duration)]
    pub stagger: Option<Duration>,

    /// Targets a second
    #[arg(long)]
    pub rate: Option<f64>,

    /// Follow the command until it is done, for at most this long: --wait=30s
    #[arg(long, value_name = "TIME", num_args = 0..=1, require_equals = true, default_missing_value = "24h", value_parser = humantime::parse_duration)]
    pub wait: Option<Duration>,

    /// Count the targets, and send nothing
    #[arg(long, conflicts_with = "wait")]
    pub dry_run: bool,

    /// Do not ask before sending to several terminals
    #[arg(long, short)]
    pub yes: bool,

    /// The same key and command are sent once, however often this is called. Default: a new key
    #[arg(long, value_name = "KEY")]
    pub idempotency_key: Option<String>,
}

/// How long a command is followed.
#[derive(Debug, Clone, Copy, Args)]
pub struct Patience {
    /// For at most this long
    #[arg(long = "for", value_name = "TIME", default_value = "24h", value_parser = humantime::parse_duration)]
    pub patience: Duration,
}
