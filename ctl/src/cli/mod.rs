//! The commands and their flags.

mod enrol;
mod keys;
mod lists;
mod notices;
mod rollout;
mod selectors;
mod send;
mod tokens;

use std::time::Duration;

use clap::{Args, Parser, Subcommand};
use clap_complete::Shell;
use muster_protocol::{CommandId, NodeId, TerminalId, selector::check_labels};

pub use self::{
    enrol::{EnrolMake, EnrolVerb},
    keys::KeyVerb,
    lists::{AuditList, CommandList, EventFlags, RowLimit, StatusName, TerminalList},
    notices::NoticeVerb,
    rollout::{RolloutCreate, RolloutVerb},
    selectors::SelectorVerb,
    send::{ConfirmName, NamedPayload, OfflineName, Patience, Send, TargetFlags},
    tokens::{TokenRevoke, TokenVerb},
};
use crate::{completion::CandidateKind, profile::ClusterFlags};

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
    Show {
        #[arg(add = CandidateKind::Terminals.completer())]
        terminal: TerminalId,
    },
    /// Count the fleet
    Fleet,
    /// Send a command
    Send(Box<Send>),
    /// Follow a command until it is done
    Watch {
        #[arg(add = CandidateKind::Commands.completer())]
        command: CommandId,
        #[command(flatten)]
        wait: Patience,
    },
    /// List commands, the newest first
    Commands(CommandList),
    /// Show a command and its targets
    Command {
        #[arg(add = CandidateKind::Commands.completer())]
        command: CommandId,
        /// Only targets in this state, such as failed
        #[arg(long, value_name = "STATE")]
        state: Option<String>,
        #[command(flatten)]
        limit: RowLimit,
    },
    /// Send a command again to those that did not do it
    Retry {
        #[arg(add = CandidateKind::Commands.completer())]
        command: CommandId,
        /// Follow the new command until it is done, for at most this long: --wait=30s
        #[arg(long, value_name = "TIME", num_args = 0..=1, require_equals = true, default_missing_value = "24h", value_parser = humantime::parse_duration)]
        wait: Option<Duration>,
    },
    /// Cancel a command where it was not sent yet
    Cancel {
        #[arg(add = CandidateKind::Commands.completer())]
        command: CommandId,
    },
    /// Rollouts: commands that go out in waves
    #[command(subcommand)]
    Rollout(RolloutVerb),
    /// List the nodes
    Nodes,
    /// Show the fleet, the nodes and the running commands, until q or Ctrl-C
    Top {
        /// How often they are looked at
        #[arg(long, value_name = "TIME", default_value = "2s", value_parser = humantime::parse_duration)]
        every: Duration,
    },
    /// Have a node move its sessions to others and stop
    Drain {
        #[arg(add = CandidateKind::Nodes.completer())]
        node: NodeId,
    },
    /// Move sessions from nodes that have clearly more than others
    Rebalance {
        /// Sessions a second, in all
        #[arg(long, default_value_t = 50)]
        rate: u32,
    },
    /// Close a terminal's session; it comes back
    Kick {
        #[arg(add = CandidateKind::Terminals.completer())]
        terminal: TerminalId,
    },
    /// Remove a terminal; its client stays away
    Forget {
        #[arg(add = CandidateKind::Terminals.completer())]
        terminal: TerminalId,
    },
    /// Set the labels that operators give a terminal. They replace those that operators gave it before
    Label {
        #[arg(add = CandidateKind::Terminals.completer())]
        terminal: TerminalId,
        /// KEY=VALUE. With none of them the terminal has no operator's labels
        #[arg(value_name = "KEY=VALUE", value_parser = label, add = CandidateKind::Labels.completer())]
        labels: Vec<(String, String)>,
    },
    /// Follow what happens
    Events(EventFlags),
    /// List who changed what, the newest first
    Audit(AuditList),
    /// Operators' keys
    #[command(subcommand)]
    Keys(KeyVerb),
    /// Tokens that are refused though they have not expired
    #[command(subcommand)]
    Tokens(TokenVerb),
    /// Codes that terminals trade for their first token
    #[command(subcommand)]
    Enrol(EnrolVerb),
    /// Saved selectors: in any other one, @saved(NAME) stands for what is saved
    #[command(subcommand)]
    Selector(SelectorVerb),
    /// Notices: what is posted to a URL, so that you hear it without looking
    #[command(subcommand)]
    Notices(NoticeVerb),
    /// Start a node with three terminals on this machine, to try all of this
    Quickstart(Quickstart),
    /// Print a script that has a shell complete commands, flags, ids and labels
    Completions { shell: Shell },
}

#[derive(Debug, Args)]
pub struct Quickstart {
    /// The port of the node; another one that is free if this one is taken
    #[arg(long, default_value_t = 9000)]
    pub port: u16,
}

/// Reads a label, as the API takes it.
///
/// # Errors
/// If it has no `=`, or breaks a limit of labels.
pub fn label(text: &str) -> Result<(String, String), String> {
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
        let page = include_str!("../../../docs/cli.md");
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
