//! A command for terminals of several partitions: each is surveyed, the home begins it, each takes its share, and the
//! home commits it. `docs/store.md` tells why no call refuses any more once the home has begun.

use std::{collections::BTreeMap, time::Duration};

use jiff::Timestamp;
use muster_protocol::{
    CommandId, TerminalId,
    api::{CommandRequest, DryRun, Offline},
};
use redis::{ScriptInvocation, Value};
use serde::{Deserialize, Serialize};

use super::{
    StorePartition,
    accept::{PartitionAsk, add_key, add_seen, add_targeting, confirm_name, request_json},
    named::NAMED_MAX,
    reading::ScriptAnswer,
};
use crate::backplane::{
    BackplaneError, Cursor,
    redis::refusal::{broken, read, unavailable, unsure},
};

/// How long a set of named terminals waits for its share. Whoever takes the share later puts the set together again.
const FROZEN_FOR: Duration = Duration::from_secs(60);

/// For whom a command is in one partition.
#[derive(Debug, Clone, Copy)]
pub enum ShareTargets<'a> {
    /// The terminals of a set, as [`selection`](super::selection) writes it. The command is kept in `open`.
    Set(&'a str),
    /// These terminals, at most 512. The command is kept in their backlogs.
    Named(&'a [TerminalId]),
    /// These terminals, of a command that names more than 512. The command is kept in `open`.
    Frozen(&'a [TerminalId]),
}

impl ShareTargets<'_> {
    /// Returns the same in portions, each of which one call can be asked about.
    pub fn portions(self) -> Vec<Self> {
        match self {
            Self::Frozen(terminals) => terminals.chunks(NAMED_MAX).map(Self::Frozen).collect(),
            Self::Set(_) | Self::Named(_) => vec![self],
        }
    }
}

/// A command that its home has begun.
#[derive(Debug, Clone, PartialEq)]
pub struct BegunCommand {
    /// Its id.
    pub id: CommandId,
    /// Its frame, as JSON.
    pub frame: String,
    /// The request, as JSON without its payload.
    pub request: String,
    /// Who asked.
    pub by: String,
    /// When it was accepted, by the clock of its home.
    pub created_at: Timestamp,
    /// When it expires, by the clock of its home.
    pub expires_at: Timestamp,
    /// The number of targets that each partition was surveyed to have.
    pub surveyed: BTreeMap<u16, u64>,
}

/// The result of beginning a command at its home.
#[derive(Debug, Clone, PartialEq)]
pub enum BeginOutcome {
    /// It is stored as accepting.
    Begun(BegunCommand),
    /// It was accepted before, under the same key.
    Before(CommandId),
}

/// What became of a partition's share.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ShareOutcome {
    /// The partition has it.
    Taken {
        /// The number of its targets.
        targets: u64,
        /// The number of terminals that could not be taken any more.
        rejected: u64,
        /// Its place in the order of the partition. The number is 0 if it has no targets.
        place: Cursor,
    },
    /// The command had expired.
    Late,
    /// The command was cancelled before the share was taken.
    Cancelled,
}

/// A share as its home remembers it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct CommittedShare {
    /// The number of its targets.
    pub of: u64,
    /// The number of terminals that could not be taken.
    #[serde(default)]
    pub rejected: u64,
    /// The number of targets it would have had, but for coming too late or being cancelled.
    #[serde(default)]
    pub late: u64,
}

impl StorePartition {
    /// Asks whether this partition would accept its share, and for how many targets. With `stores`, also whether there
    /// is room; without, it is only counted.
    ///
    /// # Errors
    /// As [`accept_one`](Self::accept_one), [`TooManyOpen`](BackplaneError::TooManyOpen) if as many commands for many
    /// are open as may be, and [`LeftOut`](BackplaneError::LeftOut) if a label in the set has too many values to select
    /// by.
    pub async fn survey(
        &self,
        ask: &PartitionAsk<'_>,
        targets: ShareTargets<'_>,
        stores: bool,
    ) -> Result<DryRun, BackplaneError> {
        let request = &ask.draft.request;
        let mut call = self.scripts.survey(&self.keys);
        call.arg(if request.offline == Offline::Skip { "skip" } else { "queue" });
        call.arg(ask.bounds.backlog).arg(ask.bounds.bytes);
        call.arg(self.body(ask.draft).len() + request_json(request).len());
        call.arg(ask.bounds.keep.as_millis() as u64).arg(if stores { "store" } else { "" });
        add_targets(&mut call, targets);
        let answer = call.invoke_async(&mut self.connection.clone()).await.map_err(unavailable)?;
        let mut answer = ScriptAnswer::new("survey.lua", answer)?;
        match answer.outcome() {
            "ok" => Ok(DryRun { targets: answer.next()?, online: answer.next()? }),
            _ => Err(answer.refusal()),
        }
    }

    /// Stores a command as accepting, in its home, which is this partition.
    ///
    /// # Errors
    /// [`NoRoom`](BackplaneError::NoRoom) and [`OtherBody`](BackplaneError::OtherBody), as
    /// [`accept_one`](Self::accept_one).
    pub async fn begin(
        &self,
        ask: &PartitionAsk<'_>,
        surveyed: &BTreeMap<u16, u64>,
    ) -> Result<BeginOutcome, BackplaneError> {
        let (draft, mut call) = (ask.draft, self.scripts.begin(&self.keys));
        let request = request_json(&draft.request);
        call.arg(draft.frame.id.to_string()).arg(self.body(draft)).arg(&request).arg(ask.by);
        call.arg(confirm_name(&draft.request)).arg(ask.expires_in.as_millis() as u64);
        add_key(&mut call, draft.key.as_ref().filter(|_| ask.with_key), None);
        call.arg(ask.bounds.keep.as_millis() as u64).arg(ask.bounds.bytes).arg(json(surveyed));
        let answer = call.invoke_async(&mut self.connection.clone()).await.map_err(unsure)?;
        let mut answer = ScriptAnswer::new("begin.lua", answer)?;
        match answer.outcome() {
            "ok" => Ok(BeginOutcome::Begun(BegunCommand {
                id: draft.frame.id,
                frame: answer.next()?,
                request,
                by: ask.by.to_owned(),
                created_at: answer.time()?,
                expires_at: answer.time()?,
                surveyed: surveyed.clone(),
            })),
            "same" => Ok(BeginOutcome::Before(answer.id()?)),
            _ => Err(answer.refusal()),
        }
    }

    /// Takes this partition's share of a command. A share that was taken before is answered as it was then. `rate` is
    /// this partition's part of the command's rate.
    pub async fn share(
        &self,
        command: &BegunCommand,
        targets: ShareTargets<'_>,
        rate: Option<f64>,
        ask: ShareAsk<'_>,
    ) -> Result<ShareOutcome, BackplaneError> {
        let request: CommandRequest = read(&command.request)?;
        let gone = match targets {
            ShareTargets::Frozen(terminals) => self.freeze(command.id, terminals).await?,
            ShareTargets::Set(_) | ShareTargets::Named(_) => Vec::new(),
        };
        let mut call = self.scripts.share(&self.keys);
        call.arg(command.id.to_string()).arg(&command.frame).arg(&command.request).arg(&command.by);
        call.arg(confirm_name(&request));
        call.arg(command.created_at.as_millisecond()).arg(command.expires_at.as_millisecond());
        add_targeting(&mut call, &CommandRequest { rate, ..request });
        add_seen(&mut call, ask.seen);
        call.arg(ask.keep.as_millis() as u64).arg(ask.log).arg(ask.backlog);
        match targets {
            ShareTargets::Frozen(_) => _ = call.arg("frozen").arg(gone.len()).arg(&gone[..gone.len().min(NAMED_MAX)]),
            ShareTargets::Set(_) | ShareTargets::Named(_) => add_targets(&mut call, targets),
        }
        let answer = call.invoke_async(&mut self.connection.clone()).await.map_err(unsure)?;
        let mut answer = ScriptAnswer::new("share.lua", answer)?;
        match answer.outcome() {
            "ok" => {
                let (targets, rejected) = (answer.next()?, answer.next()?);
                let place = Cursor { epoch: answer.next()?, number: answer.next()? };
                Ok(ShareOutcome::Taken { targets, rejected, place })
            }
            "late" => Ok(ShareOutcome::Late),
            "cancelled" => Ok(ShareOutcome::Cancelled),
            _ => Err(answer.refusal()),
        }
    }

    /// Puts the targets of a share together, in portions. Nothing is accepted by that: the set waits for its share, and
    /// is gone after a minute. Returns the terminals that are not registered any more.
    async fn freeze(&self, command: CommandId, terminals: &[TerminalId]) -> Result<Vec<String>, BackplaneError> {
        let mut gone = Vec::new();
        for portion in terminals.chunks(NAMED_MAX) {
            let mut call = self.scripts.freeze(&self.keys);
            call.arg(command.to_string()).arg(FROZEN_FOR.as_millis() as u64);
            portion.iter().for_each(|terminal| _ = call.arg(terminal.as_str()));
            let unknown: Vec<String> = call.invoke_async(&mut self.connection.clone()).await.map_err(unsure)?;
            gone.extend(unknown);
        }
        Ok(gone)
    }

    /// Marks a command accepted at its home, which is this partition. False if it is not stored any more.
    pub async fn commit(
        &self,
        command: CommandId,
        shares: &BTreeMap<u16, CommittedShare>,
    ) -> Result<bool, BackplaneError> {
        let sum = |of: fn(&CommittedShare) -> u64| shares.values().map(of).sum::<u64>();
        let mut call = self.scripts.commit(&self.keys);
        call.arg(command.to_string()).arg(json(shares)).arg(sum(|share| u64::from(share.of > 0)));
        call.arg(sum(|share| share.of)).arg(sum(|share| share.rejected)).arg(sum(|share| share.late));
        call.invoke_async(&mut self.connection.clone()).await.map_err(unsure)
    }

    /// Commands of this home that were begun longer than `age` ago and not committed, at most 16. Whoever asks takes
    /// their shares again and commits them.
    pub async fn unfinished(&self, age: Duration) -> Result<Vec<BegunCommand>, BackplaneError> {
        let mut call = self.scripts.unfinished(&self.keys);
        call.arg(age.as_millis() as u64);
        let found: Vec<Vec<Value>> = call.invoke_async(&mut self.connection.clone()).await.map_err(unavailable)?;
        found.into_iter().map(begun).collect()
    }

    /// Marks a command of this home as not finished again, since these partitions have lost their shares. Returns it,
    /// or None if it is not stored, cancelled, done or expired, or if all targets of these shares were settled. One
    /// that is not committed is returned as it is.
    pub async fn reopen(
        &self,
        command: CommandId,
        shares: &BTreeMap<u16, CommittedShare>,
        lost: &[u16],
    ) -> Result<Option<BegunCommand>, BackplaneError> {
        // As the partitions were surveyed: a share that is taken again may take what was too late or rejected before.
        let surveyed: BTreeMap<_, _> =
            shares.iter().map(|(index, share)| (index, share.of + share.rejected + share.late)).collect();
        let mut call = self.scripts.reopen(&self.keys);
        call.arg(command.to_string()).arg(json(&surveyed)).arg(lost);
        let found: Vec<Value> = call.invoke_async(&mut self.connection.clone()).await.map_err(unsure)?;
        if found.is_empty() { Ok(None) } else { begun(found).map(Some) }
    }
}

/// What a share needs besides the command.
#[derive(Debug, Clone, Copy)]
pub struct ShareAsk<'a> {
    /// How long a command can be looked up after it has expired.
    pub keep: Duration,
    /// The number of commands in the log.
    pub log: u64,
    /// The number of commands that may wait for one terminal.
    pub backlog: u64,
    /// The last number that this node has seen of this partition.
    pub seen: Option<&'a Cursor>,
}

fn begun(values: Vec<Value>) -> Result<BegunCommand, BackplaneError> {
    let mut answer = ScriptAnswer::new("unfinished.lua", values)?;
    let id = answer.outcome().parse().map_err(broken)?;
    Ok(BegunCommand {
        id,
        frame: answer.next()?,
        request: answer.next()?,
        by: answer.next()?,
        created_at: answer.time()?,
        expires_at: answer.time()?,
        surveyed: read(&answer.next::<String>()?)?,
    })
}

fn json(value: &impl Serialize) -> String {
    serde_json::to_string(value).expect("a map is JSON")
}

fn add_targets(call: &mut ScriptInvocation<'_>, targets: ShareTargets<'_>) {
    match targets {
        ShareTargets::Set(expression) => {
            call.arg("set").arg(expression);
        }
        ShareTargets::Named(terminals) | ShareTargets::Frozen(terminals) => {
            call.arg(if matches!(targets, ShareTargets::Named(_)) { "named" } else { "frozen" });
            terminals.iter().for_each(|terminal| {
                call.arg(terminal.as_str());
            });
        }
    }
}
