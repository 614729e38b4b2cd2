//! The flags of `muster tokens`.

use std::time::Duration;

use clap::{ArgGroup, Args, Subcommand};
use jiff::Timestamp;
use muster_protocol::TerminalId;
use uuid::Uuid;

use super::RowLimit;
use crate::completion::CandidateKind;

#[derive(Debug, Subcommand)]
pub enum TokenVerb {
    /// Revoke tokens: within 2 s every node refuses them and ends their sessions. A token that is made later lets the terminal in again
    Revoke(TokenRevoke),
    /// List what is revoked, the newest first
    Revoked {
        #[command(flatten)]
        limit: RowLimit,
    },
    /// Take a revocation back: the tokens are accepted again
    TakeBack {
        /// The revocation's id, as `muster tokens revoked` shows it
        #[arg(add = CandidateKind::Revocations.completer())]
        revocation: Uuid,
    },
}

/// Which tokens. Those that have all of what is given.
#[derive(Debug, Args)]
#[command(group = ArgGroup::new("which").required(true).multiple(true).args(["terminal", "operator", "token_id", "kid", "issued_before"]))]
pub struct TokenRevoke {
    /// Tokens of this terminal
    #[arg(long, value_name = "ID", conflicts_with = "operator", add = CandidateKind::Terminals.completer())]
    pub terminal: Option<TerminalId>,
    /// Keys of this operator
    #[arg(long, value_name = "NAME")]
    pub operator: Option<String>,
    /// The token with this id (its claim `jti`)
    #[arg(long, value_name = "ID")]
    pub token_id: Option<String>,
    /// Tokens that the key of this name has signed
    #[arg(long, value_name = "NAME")]
    pub kid: Option<String>,
    /// Tokens that were issued in this second or before, such as 2026-01-31T08:00:00Z. Default: now, and without it if --token-id is given
    #[arg(long, value_name = "TIME")]
    pub issued_before: Option<Timestamp>,
    /// How long they are refused: as long as they would be valid
    #[arg(long, value_name = "TIME", default_value = "30d", value_parser = humantime::parse_duration)]
    pub expires_in: Duration,
}
