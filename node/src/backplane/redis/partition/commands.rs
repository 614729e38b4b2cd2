//! Commands that are stored in a partition: looked up (view.lua), cancelled (cancel.lua) and forgotten (sweep.lua).

use std::{collections::BTreeMap, time::Duration};

use jiff::Timestamp;
use muster_protocol::{
    CommandId, NodeId, Payload,
    api::{CommandRequest, TargetState},
    frame,
};
use redis::Value;

use super::{StorePartition, accept::PartitionBounds, reading::ScriptAnswer, share::CommittedShare, states::state_of};
use crate::backplane::{
    BackplaneError, CommandRecord,
    redis::refusal::{read, unavailable, unsure},
};

/// What a partition has of a command.
#[derive(Debug, Clone)]
pub struct PartitionCommand {
    /// The command, with the counts of its targets in this partition. At the home of a command with shares, they have
    /// also the targets whose share came too late, as expired, and here and elsewhere those that were rejected when the
    /// share was taken.
    pub record: CommandRecord,
    /// Whether its acceptance is finished, as far as this partition knows.
    pub is_accepted: bool,
    /// At the home of a command that has shares: the partitions that have one, with what became of it.
    pub shares: Option<BTreeMap<u16, CommittedShare>>,
    /// At the home of a command whose acceptance is not finished: the number of targets that each partition was
    /// surveyed to have.
    pub surveyed: BTreeMap<u16, u64>,
}

impl StorePartition {
    /// Returns a command, or `None` if this partition has nothing of it.
    pub async fn command(&self, id: CommandId) -> Result<Option<PartitionCommand>, BackplaneError> {
        self.look_up(id, "").await
    }

    /// Returns the same without the command's payload, which is null in the record.
    pub async fn brief_command(&self, id: CommandId) -> Result<Option<PartitionCommand>, BackplaneError> {
        self.look_up(id, "brief").await
    }

    async fn look_up(&self, id: CommandId, how: &str) -> Result<Option<PartitionCommand>, BackplaneError> {
        let mut call = self.scripts.view(&self.keys);
        call.arg(id.to_string()).arg(how);
        let values: Vec<Value> = call.invoke_async(&mut self.connection.clone()).await.map_err(unavailable)?;
        if values.is_empty() { Ok(None) } else { view(id, values).map(Some) }
    }

    /// Frames of commands, in the order of `ids`; `None` for a command that is not stored any more or was cancelled.
    /// One that has expired may be among them.
    pub async fn frames(&self, ids: &[CommandId]) -> Result<Vec<Option<frame::Command>>, BackplaneError> {
        if ids.is_empty() {
            return Ok(Vec::new());
        }
        let mut pipe = redis::pipe();
        for id in ids {
            pipe.cmd("HMGET").arg(self.keys.key(&format!("command:{id}"))).arg("frame").arg("cancelled_at");
        }
        let rows: Vec<(Option<String>, Option<String>)> =
            pipe.query_async(&mut self.connection.clone()).await.map_err(unavailable)?;
        rows.into_iter()
            .map(|(frame, cancelled)| frame.filter(|_| cancelled.is_none()).as_deref().map(read).transpose())
            .collect()
    }

    /// Cancels a command for the targets of this partition to which it was not sent yet. `others` is whether other
    /// partitions have cancelled something; the home is always told, and another partition only if they have.
    /// `mark_for` leaves a mark for so long where there is no share yet, so that it is not taken later. Returns whether
    /// the command is cancelled here, or `None` if there is nothing of it.
    pub async fn cancel(
        &self,
        id: CommandId,
        others: Option<bool>,
        mark_for: Option<Duration>,
    ) -> Result<Option<bool>, BackplaneError> {
        let mut call = self.scripts.cancel(&self.keys);
        call.arg(id.to_string()).arg(others.map_or("", |others| if others { "others" } else { "home" }));
        call.arg(mark_for.map(|time| time.as_millis().to_string()).unwrap_or_default());
        let cancelled: u8 = call.invoke_async(&mut self.connection.clone()).await.map_err(unsure)?;
        Ok((cancelled > 0).then_some(cancelled == 2))
    }

    /// Cancels a command whose targets all lie in this partition, in one call. `None` if it has targets elsewhere, or
    /// may have; false if there is no such command.
    pub async fn cancel_alone(&self, id: CommandId) -> Result<Option<bool>, BackplaneError> {
        let mut call = self.scripts.cancel(&self.keys);
        call.arg(id.to_string()).arg("alone").arg("");
        let found: u8 = call.invoke_async(&mut self.connection.clone()).await.map_err(unsure)?;
        Ok((found != 3).then_some(found > 0))
    }

    /// Notes that a node waits until a command is done, whose home this is. The node's inbox is told then. True if
    /// there is nothing to wait for: the command is done, cancelled, or not known.
    pub async fn wait(&self, id: CommandId, node: &NodeId) -> Result<bool, BackplaneError> {
        let mut call = self.scripts.wait(&self.keys);
        call.arg(id.to_string()).arg(node.as_str());
        call.invoke_async(&mut self.connection.clone()).await.map_err(unavailable)
    }

    /// Forgets what may be forgotten, at most 64 commands and 64 idempotency keys, and closes commands for many that
    /// have expired. Returns how many commands and keys were forgotten.
    pub async fn sweep(&self) -> Result<u64, BackplaneError> {
        let call = self.scripts.sweep(&self.keys);
        call.invoke_async(&mut self.connection.clone()).await.map_err(unsure)
    }

    /// Returns the bytes that are stored, and whether that is less than the bound.
    pub async fn used(&self, bounds: &PartitionBounds) -> Result<(u64, bool), BackplaneError> {
        let mut pipe = redis::pipe();
        pipe.get(self.keys.key("used"));
        let (used,): (Option<i64>,) = pipe.query_async(&mut self.connection.clone()).await.map_err(unavailable)?;
        let used = used.unwrap_or(0).max(0) as u64;
        Ok((used, used < bounds.bytes))
    }
}

fn view(id: CommandId, values: Vec<Value>) -> Result<PartitionCommand, BackplaneError> {
    let mut answer = ScriptAnswer::new("view.lua", values)?;
    let frame = answer.outcome().to_owned();
    let request: CommandRequest = read(&answer.next::<String>()?)?;
    let by = answer.next()?;
    let created_at: Timestamp = answer.time()?;
    let expires_at: Timestamp = answer.time()?;
    let cancelled = !answer.next::<String>()?.is_empty();
    let (rejected, late): (u64, u64) = (answer.next()?, answer.next()?);
    let mut counts = BTreeMap::new();
    for level in 0..8 {
        counts.insert(state_of(level), answer.next::<u64>()?);
    }
    *counts.entry(TargetState::Rejected).or_default() += rejected;
    *counts.entry(TargetState::Expired).or_default() += late;
    counts.retain(|_, count| *count > 0);
    let is_accepted = answer.next::<String>()? == "accepted";
    let at_home = Some(answer.next::<String>()?).filter(|text| !text.is_empty());
    let shares = at_home.as_deref().filter(|_| is_accepted).map(read).transpose()?;
    let surveyed = at_home.as_deref().filter(|_| !is_accepted).map(read).transpose()?.unwrap_or_default();
    let frame = match frame.as_str() {
        "" => frame::Command {
            id,
            name: request.name.clone(),
            payload: Payload::default(),
            expires_at,
            cursor: None,
            stagger_ms: None,
        },
        stored => read(stored)?,
    };
    let request = CommandRequest { payload: frame.payload.clone(), ..request };
    let record = CommandRecord {
        frame,
        request,
        by,
        created_at,
        cancelled,
        counts,
        unseen: 0,
        partial: Vec::new(),
        lost: Vec::new(),
        lost_targets: 0,
    };
    Ok(PartitionCommand { record, is_accepted, shares, surveyed })
}
