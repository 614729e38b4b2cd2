//! The flags of `muster keys`.

use std::time::Duration;

use clap::Subcommand;
use muster_protocol::token::Scope;

use super::{RowLimit, label};
use crate::completion::CandidateKind;

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
        /// Limit the key to terminals with this label. Repeat the flag for more labels, all of which they must have
        #[arg(long, short = 'l', value_name = "KEY=VALUE", value_parser = label, add = CandidateKind::Labels.completer())]
        label: Vec<(String, String)>,
        /// Limit the key to commands with this name. Repeat the flag for more
        #[arg(long, value_name = "NAME")]
        command: Vec<String>,
    },
    /// Revoke a key: within 2 s every node refuses it
    Revoke {
        /// The key's id, as `muster keys ls` shows it
        #[arg(add = CandidateKind::Keys.completer())]
        id: String,
    },
}
