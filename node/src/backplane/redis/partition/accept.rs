//! A command for named terminals of one partition, accepted in one step (accept_one.lua).

use std::time::Duration;

use data_encoding::HEXLOWER;
use jiff::Timestamp;
use muster_protocol::{
    CommandId, Payload, TerminalId,
    api::{CommandRequest, Confirm, Offline},
    frame,
    payload::write_field,
};
use redis::ScriptInvocation;
use ring::digest::{SHA256, digest};
use serde::Serialize;

use super::{StorePartition, named::sealed_targets, reading::ScriptAnswer};
use crate::backplane::{
    BackplaneError, CommandDraft, Cursor, IdempotencyKey, cursor::fresh_epoch, redis::refusal::unsure, rules,
};

/// The bounds of what one partition stores.
#[derive(Debug, Clone)]
pub struct PartitionBounds {
    /// How long a command can be looked up after it has expired, if there is room.
    pub keep: Duration,
    /// The number of commands in the log.
    pub log: u64,
    /// The number of commands that may wait for one terminal.
    pub backlog: u64,
    /// The bytes of commands, replies, idempotency keys, backlogs and events together. Beyond it a command is refused.
    pub bytes: u64,
}

/// What a partition is asked to accept.
#[derive(Debug)]
pub struct PartitionAsk<'a> {
    /// The command. Its times are not used: the clock of Redis stamps a command.
    pub draft: &'a CommandDraft,
    /// Who asked: the name of the operator's key.
    pub by: &'a str,
    /// Whether the draft's idempotency key is stored in this partition, in the same step.
    pub with_key: bool,
    /// Whether the id may have been accepted before: it was reserved by a key in another partition, or Redis gave no
    /// answer.
    pub again: bool,
    /// The time from now until the command expires. It is the draft's `expires_in`, or what is left of it if the id is
    /// older than the request: the seal has the draft's, and admits no expiry that is more than 30 s later than the
    /// time in the id and this tell.
    pub expires_in: Duration,
    /// What this partition stores at most.
    pub bounds: &'a PartitionBounds,
    /// The last number that this node has seen of this partition, and the epoch that gave it. A store that lacks it has
    /// lost something, and gets a new epoch.
    pub seen: Option<&'a Cursor>,
}

/// The result of accepting a command in one partition.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PartitionAccepted {
    /// The command is stored and on its way.
    New {
        /// When it was accepted, by the clock of Redis.
        created_at: Timestamp,
        /// When it expires, by the clock of Redis.
        expires_at: Timestamp,
        /// The number of targets in this partition.
        targets: u64,
        /// How many of them have a session.
        online: u64,
        /// Its place in this partition's order.
        place: Cursor,
    },
    /// The command was accepted before, under the same key, or under the same id if it was asked for again.
    Before(CommandId),
}

impl StorePartition {
    /// Accepts a command for `terminals`, which lie in this partition and of which there are 1 to 512, each once.
    ///
    /// # Errors
    /// [`Unknown`](BackplaneError::Unknown), [`Offline`](BackplaneError::Offline), [`Full`](BackplaneError::Full) and
    /// [`NoRoom`](BackplaneError::NoRoom) if it can't be accepted, and [`OtherBody`](BackplaneError::OtherBody) if the
    /// key was used for another body. Nothing is changed then. [`Unsure`](BackplaneError::Unsure) if Redis gave no
    /// answer: asking again tells.
    pub async fn accept_one(
        &self,
        ask: &PartitionAsk<'_>,
        terminals: &[TerminalId],
    ) -> Result<PartitionAccepted, BackplaneError> {
        let mut call = self.scripts.accept_one(&self.keys);
        let draft = ask.draft;
        call.arg(draft.frame.id.to_string()).arg(if ask.again { "again" } else { "" });
        call.arg(self.body(draft)).arg(request_json(&draft.request)).arg(ask.by);
        call.arg(ask.expires_in.as_millis() as u64);
        add_targeting(&mut call, &draft.request);
        add_key(&mut call, draft.key.as_ref().filter(|_| ask.with_key), None);
        add_seen(&mut call, ask.seen);
        call.arg(ask.bounds.keep.as_millis() as u64).arg(ask.bounds.log).arg(ask.bounds.backlog).arg(ask.bounds.bytes);
        call.arg(confirm_name(&draft.request));
        terminals.iter().for_each(|terminal| {
            call.arg(terminal.as_str());
        });
        let answer = call.invoke_async(&mut self.connection.clone()).await.map_err(unsure)?;
        let mut answer = ScriptAnswer::new("accept_one.lua", answer)?;
        match answer.outcome() {
            "ok" => {
                let (targets, online) = (answer.next()?, answer.next()?);
                let place = Cursor { epoch: answer.next()?, number: answer.next()? };
                let (created_at, expires_at) = (answer.time()?, answer.time()?);
                Ok(PartitionAccepted::New { created_at, expires_at, targets, online, place })
            }
            "same" => Ok(PartitionAccepted::Before(answer.id()?)),
            _ => Err(answer.refusal()),
        }
    }
}

impl StorePartition {
    /// Returns the frame of a draft as scripts get it, sealed for all targets if it is one for few.
    pub(super) fn body(&self, draft: &CommandDraft) -> String {
        let body = frame_rest(&draft.frame);
        let named = sealed_targets(&draft.request.target);
        self.trust
            .as_ref()
            .map_or_else(|| body.clone(), |trust| trust.seal_body(&body, draft.request.expires_in, named))
    }
}

/// Returns a frame as scripts get it: without its opening brace and without the time at which it expires, which a
/// script adds.
pub(super) fn frame_rest(frame: &frame::Command) -> String {
    #[derive(Serialize)]
    struct Rest<'a> {
        id: CommandId,
        name: &'a str,
        #[serde(flatten, serialize_with = "write_field")]
        payload: &'a Payload,
        #[serde(skip_serializing_if = "Option::is_none")]
        stagger_ms: Option<u64>,
    }
    let rest = Rest { id: frame.id, name: &frame.name, payload: &frame.payload, stagger_ms: frame.stagger_ms };
    serde_json::to_string(&rest).expect("a frame is JSON").split_off(1)
}

/// Returns a request as it is stored. Its payload is in the frame; twice would be twice the memory.
pub(super) fn request_json(request: &CommandRequest) -> String {
    let request = CommandRequest { payload: Payload::default(), ..request.clone() };
    serde_json::to_string(&request).expect("a request is JSON")
}

/// Returns what must be confirmed, as scripts know it.
pub(super) fn confirm_name(request: &CommandRequest) -> &'static str {
    match request.confirm {
        Confirm::None => "none",
        Confirm::Ack => "ack",
        Confirm::Result => "result",
    }
}

pub(super) fn add_targeting(call: &mut ScriptInvocation<'_>, request: &CommandRequest) {
    call.arg(if request.offline == Offline::Skip { "skip" } else { "queue" });
    call.arg(request.rate.map(|rate| rate.to_string()).unwrap_or_default());
}

/// Returns the hash of an idempotency key, which is part of the name of a key in Redis.
pub fn hash_of(key: &IdempotencyKey) -> String {
    HEXLOWER.encode(&digest(&SHA256, key.key.as_bytes()).as_ref()[..16])
}

/// The hash of the key and the hash of its body, between them an id if there is one, and how long the key is stored.
pub(super) fn add_key(call: &mut ScriptInvocation<'_>, key: Option<&IdempotencyKey>, id: Option<CommandId>) {
    call.arg(key.map(hash_of).unwrap_or_default());
    if let Some(id) = id {
        call.arg(id.to_string());
    }
    call.arg(key.map(|key| key.body.as_str()).unwrap_or_default()).arg(rules::KEY_TTL.as_millis() as u64);
}

/// A name for the store, should it be new, and what is known of it.
pub(super) fn add_seen(call: &mut ScriptInvocation<'_>, seen: Option<&Cursor>) {
    call.arg(fresh_epoch()).arg(seen.map(|seen| seen.epoch.as_str()).unwrap_or_default());
    call.arg(seen.map(|seen| seen.number).unwrap_or_default());
}
