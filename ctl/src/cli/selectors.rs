//! The flags of `muster selector`.

use clap::Subcommand;
use muster_protocol::{SelectorName, selector::MatchExpression};

use super::RowLimit;
use crate::completion::CandidateKind;

#[derive(Debug, Subcommand)]
pub enum SelectorVerb {
    /// List the saved selectors
    Ls {
        #[command(flatten)]
        limit: RowLimit,
    },
    /// Save a selector, in place of what has the name. Commands and rollouts stay with what was saved when they were accepted
    Set {
        #[arg(add = CandidateKind::Selectors.completer())]
        name: SelectorName,
        /// Such as 'kind = kiosk and site ^= bj'
        #[arg(value_name = "SELECTOR")]
        expression: MatchExpression,
    },
    /// Remove a saved selector
    Rm {
        #[arg(add = CandidateKind::Selectors.completer())]
        name: SelectorName,
    },
}
