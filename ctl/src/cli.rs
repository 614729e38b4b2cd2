//! The commands and their flags.

use std::{path::PathBuf, time::Duration};

use clap::{ArgGroup, Args, Parser, Subcommand, ValueEnum};
use clap_complete::Shell;
use muster_protocol::{
    CommandId, NodeId, TerminalId,
    selector::{MatchExpression, check_labels},
    token::Scope,
};

use crate::{profile::ClusterFlags, rollout::RolloutVerb};

/// Looks at a fleet of terminals, sends commands to it and says what became of them
///
/// Exit codes: 0 done; 1 nothing was sent; 2 some failed; 3 some timed out; 4 none was online; 130 interrupted, and the
/// command goes on.
#[derive(Debug, Parser)]
#[command(name = "muster", version, propagate_version = true, arg_required_else_help = true)]
pub struct Cli {
    #[command(subcommand)]
    pub verb: Verb,

    #[command(flatten)]
    pub cluster: ClusterFlags,

    /// Print what the API answers: a JSON object, or one on each line for a list
    #[arg(long, global = true)]
    pub json: bool,
}

#[derive(Debug, Subcommand)]
pub enum Verb {
    /// List terminals
    Ls(TerminalList),
    /// Show a terminal and its last changes
    Show { terminal: TerminalId },
    /// Count the fleet
    Fleet,
    /// Send a command
    Send(Box<Send>),
    /// Follow a command until it is done
    Watch {
        command: CommandId,
        #[command(flatten)]
        wait: Patience,
    },
    /// List commands, the newest first
    Commands(CommandList),
    /// Show a command and its targets
    Command {
        command: CommandId,
        /// Only targets in this state, such as failed
        #[arg(long, value_name = "STATE")]
        state: Option<String>,
        #[command(flatten)]
        limit: RowLimit,
    },
    /// Send a command again to those that did not do it
    Retry {
        command: CommandId,
        /// Follow the new command until it is done, for at most this long: --wait=30s
        #[arg(long, value_name = "TIME", num_args = 0..=1, require_equals = true, default_missing_value = "24h", value_parser = humantime::parse_duration)]
        wait: Option<Duration>,
    },
    /// Cancel a command where it was not sent yet
    Cancel { command: CommandId },
    /// Rollouts: commands that go out in waves
    #[command(subcommand)]
    Rollout(RolloutVerb),
    /// List the nodes
    Nodes,
    /// Have a node move its sessions to others and stop
    Drain { node: NodeId },
    /// Move sessions from nodes that have clearly more than others
    Rebalance {
        /// Sessions a second, in all
        #[arg(long, default_value_t = 50)]
        rate: u32,
    },
    /// Close a terminal's session; it comes back
    Kick { terminal: TerminalId },
    /// Remove a terminal; its client stays away
    Forget { terminal: TerminalId },
    /// Set the labels that operators give a terminal. They replace those that operators gave it before
    Label {
        terminal: TerminalId,
        /// KEY=VALUE. With none of them the terminal has no operator's labels
        #[arg(value_name = "KEY=VALUE", value_parser = label)]
        labels: Vec<(String, String)>,
    },
    /// Follow what happens
    Events(EventFlags),
    /// List who changed what, the newest first
    Audit(AuditList),
    /// Operators' keys
    #[command(subcommand)]
    Keys(KeyVerb),
    /// Start a node with three terminals on this machine, to try all of this
    Quickstart(Quickstart),
    /// Print a script that completes commands and flags
    Completions { shell: Shell },
}

/// How many rows are shown.
#[derive(Debug, Clone, Copy, Args)]
pub struct RowLimit {
    /// The most rows; 0 for all
    #[arg(long, value_name = "N", default_value_t = 100)]
    pub limit: usize,
}

/// How long a command is followed.
#[derive(Debug, Clone, Copy, Args)]
pub struct Patience {
    /// For at most this long
    #[arg(long = "for", value_name = "TIME", default_value = "24h", value_parser = humantime::parse_duration)]
    pub patience: Duration,
}

#[derive(Debug, Args)]
pub struct TerminalList {
    /// Only those that are online, stale or offline
    #[arg(long)]
    pub status: Option<StatusName>,
    /// Only those with this label. Repeat the flag for more labels, all of which they must have
    #[arg(long, short = 'l', value_name = "KEY=VALUE", value_parser = label)]
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
    #[arg(long, value_name = "ID", conflicts_with_all = ["label", "expression", "all"])]
    pub to: Vec<TerminalId>,

    /// Terminals with this label. Repeat the flag for more labels, all of which they must have
    #[arg(long, short = 'l', value_name = "KEY=VALUE", value_parser = label, conflicts_with_all = ["expression", "all"])]
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
    #[arg(long, value_name = "ID")]
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
    #[arg(long, value_name = "ID")]
    pub terminal: Option<TerminalId>,
    /// Only events of terminals with this label. Repeat the flag for more labels, all of which they must have
    #[arg(long, short = 'l', value_name = "KEY=VALUE", value_parser = label)]
    pub label: Vec<(String, String)>,
    /// Only events of terminals that this picks by labels and @id, such as 'site ^= bj or @id = t1'
    #[arg(long = "match", value_name = "SELECTOR")]
    pub expression: Option<MatchExpression>,
    /// Only events of this command
    #[arg(long, value_name = "ID")]
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
    #[arg(long, value_name = "ID")]
    pub terminal: Option<TerminalId>,
    /// Only calls about this command
    #[arg(long, value_name = "ID")]
    pub command: Option<CommandId>,
    #[command(flatten)]
    pub limit: RowLimit,
}

#[derive(Debug, Subcommand)]
pub enum KeyVerb {
    /// List the keys
    Ls {
        #[command(flatten)]
        limit: RowLimit,
    },
    /// Make a key and print it. Nobody can look it up later
    Make {
        /// The operator's name
        name: String,
        /// What the key allows: read, command or admin
        #[arg(long)]
        scope: Scope,
        /// How long the key is valid
        #[arg(long, value_name = "TIME", default_value = "30d", value_parser = humantime::parse_duration)]
        valid_for: Duration,
        /// RowLimit the key to terminals with this label. Repeat the flag for more labels, all of which they must have
        #[arg(long, short = 'l', value_name = "KEY=VALUE", value_parser = label)]
        label: Vec<(String, String)>,
        /// RowLimit the key to commands with this name. Repeat the flag for more
        #[arg(long, value_name = "NAME")]
        command: Vec<String>,
    },
    /// Revoke a key: within 2 s every node refuses it
    Revoke {
        /// The key's id, as `muster keys ls` shows it
        id: String,
    },
}

#[derive(Debug, Args)]
pub struct Quickstart {
    /// The port of the node; another one that is free if this one is taken
    #[arg(long, default_value_t = 9000)]
    pub port: u16,
}

fn label(text: &str) -> Result<(String, String), String> {
    let (key, value) = text.split_once('=').ok_or("a label is written KEY=VALUE")?;
    let label = (key.to_owned(), value.to_owned());
    check_labels(&[label.clone()].into()).map_err(|error| error.to_string())?;
    Ok(label)
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_flags_fit_each_other() {
        Cli::command().debug_assert();
    }

    #[test]
    fn the_page_names_each_command() {
        let page = include_str!("../../docs/cli.md");
        for verb in Cli::command().get_subcommands() {
            assert!(
                page.contains(&format!("`muster {}", verb.get_name())),
                "docs/cli.md has no muster {}",
                verb.get_name()
            );
        }
    }

    #[test]
    fn a_command_needs_targets() {
        let parsed = |line: &str| Cli::try_parse_from(line.split(' ')).is_ok();
        assert!(parsed("muster send show --to t1") && parsed("muster send show --to t1 --to t2 --wait=5s"));
        assert!(parsed("muster send show {} -l site=bj -l kind=kiosk") && parsed("muster send show --all --wait"));
        assert!(parsed("muster send show --match site=bj") && parsed("muster ls --match site=bj -l a=b"));
        assert!(!parsed("muster send show"));
        assert!(!parsed("muster send show --match site") && !parsed("muster ls --match site="));
        assert!(!parsed("muster send show --match a=b --all") && !parsed("muster send show --match a=b -l a=b"));
        assert!(!parsed("muster send show --all --to t1") && !parsed("muster send show --all -l site=bj"));
        assert!(!parsed("muster send show -l site") && !parsed("muster send show --to a/b"));
    }
}
