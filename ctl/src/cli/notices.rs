//! The flags of `muster notices`.

use std::time::Duration;

use clap::Subcommand;
use muster_protocol::{NoticeName, api::NoticeKind, selector::MatchExpression};

use super::RowLimit;
use crate::completion::CandidateKind;

#[derive(Debug, Subcommand)]
pub enum NoticeVerb {
    /// List the notices
    Ls {
        #[command(flatten)]
        limit: RowLimit,
    },
    /// Set a notice, new or in the place of the one with this name. Prints the secret that signs the messages of a new one: nobody can look
    /// it up later
    Set {
        /// The name: 1 to 64 of A-Z a-z 0-9 _ -
        #[arg(add = CandidateKind::Notices.completer())]
        name: NoticeName,
        /// Where messages are posted to: https://HOST[:PORT]/PATH
        // The flag --url has the id `url`.
        #[arg(id = "receiver", value_name = "URL")]
        url: String,
        /// What to tell of: terminal.away, terminal.degraded, terminal.contested, command.done, rollout.stopped or node.lost. Repeat the
        /// flag for more
        #[arg(long, value_name = "KIND", required = true)]
        on: Vec<NoticeKind>,
        /// How long a terminal is offline before terminal.away tells of it
        #[arg(long, value_name = "TIME", default_value = "10m", value_parser = humantime::parse_duration)]
        off_for: Duration,
        /// Only terminals that this picks by labels and @id, such as 'site ^= bj or @id = t1'
        #[arg(long = "match", value_name = "SELECTOR")]
        expression: Option<MatchExpression>,
    },
    /// Remove a notice, and what waits to be posted
    Rm {
        #[arg(add = CandidateKind::Notices.completer())]
        name: NoticeName,
    },
    /// Post a message now, and say what became of it
    Test {
        #[arg(add = CandidateKind::Notices.completer())]
        name: NoticeName,
    },
    /// List the last 50 attempts to post messages, the newest first
    Attempts {
        #[arg(add = CandidateKind::Notices.completer())]
        name: NoticeName,
        #[command(flatten)]
        limit: RowLimit,
    },
}
