//! What the cluster knows that can stand in a command line: ids, labels and names.

use std::{env, ffi::OsStr, time::Duration};

use anyhow::Context;
use clap::FromArgMatches;
use clap_complete::{ArgValueCompleter, CompletionCandidate, engine::ValueCompleter};
use muster_protocol::api::{
    CommandPage, EnrolmentPage, FleetView, KeyPage, NodeList, NoticePage, RevocationPage, RolloutPage, SelectorPage,
    TerminalPage,
};
use serde::Serialize;
use tokio::{runtime, time::timeout};

use super::COMMAND;
use crate::{
    api::{ApiError, ClusterApi, ListQuery},
    profile::ClusterFlags,
    text::{enrolment_words, notice_words, one_line, token_words, word},
};

/// How long a shell waits for the cluster.
const WITHIN: Duration = Duration::from_secs(1);
/// How many rows this program asks for at most, and how many words it offers.
const MOST: usize = 100;
/// As [`MOST`], for commands and rollouts, each of which is read as a whole.
const LATEST: usize = 50;

/// A kind of thing that the cluster knows.
#[derive(Debug, Clone, Copy)]
pub enum CandidateKind {
    /// Ids of terminals.
    Terminals,
    /// Labels, as `KEY=VALUE`.
    Labels,
    /// Ids of the latest commands.
    Commands,
    /// Ids of the latest rollouts.
    Rollouts,
    /// Ids of nodes.
    Nodes,
    /// Names of saved selectors.
    Selectors,
    /// Ids of operators' keys.
    Keys,
    /// Ids of revocations.
    Revocations,
    /// Ids of enrolments.
    Enrolments,
    /// Names of notices.
    Notices,
}

/// A word, and what it stands for.
type DescribedWord = (String, String);

impl CandidateKind {
    /// Returns what completes a flag or an argument by these words.
    pub fn completer(self) -> ArgValueCompleter {
        ArgValueCompleter::new(self)
    }

    async fn words(self, api: &ClusterApi, begin: &str) -> Result<Vec<DescribedWord>, ApiError> {
        let rows = |path: &'static str, limit: usize| ListQuery::new(path).with("limit", Some(limit)).path();
        Ok(match self {
            Self::Terminals => {
                let prefix = Some(begin).filter(|begin| !begin.is_empty());
                let query = ListQuery::new("/v1/terminals").with("limit", Some(MOST)).with("prefix", prefix);
                let page: TerminalPage = api.get(&query.path()).await?;
                page.terminals.into_iter().map(|view| (view.id.to_string(), word(&view.status))).collect()
            }
            Self::Labels => {
                let fleet: FleetView = api.get("/v1/fleet").await?;
                fleet.by_label.into_iter().map(|(label, number)| (label, format!("{number} terminals"))).collect()
            }
            Self::Commands => {
                let page: CommandPage = api.get(&rows("/v1/commands", LATEST)).await?;
                page.commands.iter().map(|view| (view.id.to_string(), stands(&view.name, &view.state))).collect()
            }
            Self::Rollouts => {
                let page: RolloutPage = api.get(&rows("/v1/rollouts", LATEST)).await?;
                page.rollouts.iter().map(|view| (view.id.to_string(), stands(&view.name, &view.state))).collect()
            }
            Self::Nodes => {
                let list: NodeList = api.get("/v1/nodes").await?;
                list.nodes.into_iter().map(|node| (node.id.to_string(), word(&node.state))).collect()
            }
            Self::Selectors => {
                let page: SelectorPage = api.get(&rows("/v1/selectors", MOST)).await?;
                page.selectors.into_iter().map(|saved| (saved.name.to_string(), saved.expression.to_string())).collect()
            }
            Self::Keys => {
                let page: KeyPage = api.get(&rows("/v1/keys", MOST)).await?;
                page.keys.into_iter().map(|key| (key.id, key.name)).collect()
            }
            Self::Revocations => {
                let page: RevocationPage = api.get(&rows("/v1/revocations", MOST)).await?;
                page.revocations.iter().map(|one| (one.id.to_string(), token_words(&one.tokens))).collect()
            }
            Self::Enrolments => {
                let page: EnrolmentPage = api.get(&rows("/v1/enrolments", MOST)).await?;
                page.enrolments.iter().map(|one| (one.id.clone(), enrolment_words(one))).collect()
            }
            Self::Notices => {
                let page: NoticePage = api.get(&rows("/v1/notices", MOST)).await?;
                page.notices.iter().map(|one| (one.name.to_string(), notice_words(one))).collect()
            }
        })
    }
}

impl ValueCompleter for CandidateKind {
    fn complete(&self, begin: &OsStr) -> Vec<CompletionCandidate> {
        let Some(begin) = begin.to_str() else { return Vec::new() };
        let found = ask(*self, begin).unwrap_or_default().into_iter();
        let fitting = found.filter(|(word, _)| word.starts_with(begin) && is_plain(word)).take(MOST);
        fitting.map(|(word, what)| CompletionCandidate::new(word).help(Some(one_line(&what).into()))).collect()
    }
}

/// Returns a name, and where it stands.
fn stands(name: &str, state: &impl Serialize) -> String {
    format!("{name}, {}", word(state))
}

/// Returns whether a word means the same in every shell. Bash takes an offered word as if it had been typed, and a
/// terminal may say labels of itself: a label such as `$(reboot)` must not get into a line.
fn is_plain(word: &str) -> bool {
    word.chars().all(|character| character.is_ascii_alphanumeric() || "._:/=@%+,-".contains(character))
}

/// Returns what the cluster knows, if it says so in time.
fn ask(kind: CandidateKind, begin: &str) -> anyhow::Result<Vec<DescribedWord>> {
    let api = ClusterApi::of(&flags()?.resolve()?)?;
    let runtime = runtime::Builder::new_current_thread().enable_all().build()?;
    let words = runtime.block_on(async { timeout(WITHIN, kind.words(&api, begin)).await });
    // The look-up of a name may go on for longer than anybody waits.
    runtime.shutdown_background();
    Ok(words??)
}

/// Returns which cluster the line that is completed names.
fn flags() -> anyhow::Result<ClusterFlags> {
    let command = COMMAND.get().context("no shell is answered")?;
    let line = env::args_os().skip_while(|word| word != "--").skip(1);
    let read = command().ignore_errors(true).try_get_matches_from(line)?;
    Ok(ClusterFlags::from_arg_matches(&read)?)
}
