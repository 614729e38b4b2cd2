//! Sessions of one partition: they are registered as they begin, and taken out as they end.

use std::time::Duration;

use muster_protocol::{CommandId, NodeId, Payload, SessionId, TerminalId, api::Protocol};
use redis::{RedisError, RedisResult};

use super::{StorePartition, stored_terminal::StoredTerminal};
use crate::{
    backplane::{Cursor, GapReason, JoinRequest, MissedCommand, ResumePoint, changes, rules::contest_delay},
    end::{EndReport, SessionEnd},
    hub::SessionInfo,
};

/// The node that holds a session.
#[derive(Debug, Clone, Copy)]
pub struct HolderNode<'a> {
    /// Its id.
    pub node: &'a NodeId,
    /// The process that has this name.
    pub process: &'a str,
}

/// The result of registering a session in a partition.
#[derive(Debug, PartialEq)]
pub enum PartitionJoin {
    /// The session is registered.
    In {
        /// The terminal's number in this partition.
        ordinal: u32,
        /// Where the session continues.
        point: ResumePoint,
    },
    /// The store has ended the session: the terminal has a newer one, or an operator ended it.
    Ended(SessionEnd),
    /// The session must wait for this time before it replaces the terminal's other session.
    Contested(Duration),
    /// Another process has the node's name.
    Nameless,
    /// The terminal is new, and the partition has no ordinal for it: too many terminals were forgotten of late.
    NoOrdinal,
}

/// Whether a terminal can be registered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OrdinalLookup {
    /// The terminal has an ordinal.
    Known,
    /// The terminal is new, and there is an ordinal for it.
    Free,
    /// The terminal is new, and there is none.
    Refused,
}

/// Where the next call of `missed.lua` goes on.
struct Rest {
    above: String,
    open_from: String,
}

impl StorePartition {
    /// Registers a session as its terminal's, and reads all that the terminal missed.
    ///
    /// # Errors
    /// If Redis does not answer. The session may be registered then.
    pub async fn join(&self, request: &JoinRequest, holder: HolderNode<'_>) -> RedisResult<PartitionJoin> {
        let info = &*request.info;
        let answer = self.register(request, holder).await?;
        let [head, missed @ ..] = &answer[..] else { return Err(unexpected(&answer)) };
        let words: Vec<_> = head.split(' ').collect();
        let ["ok", ordinal, epoch, number, lost, above, open_from] = words[..] else {
            return refusal(&words).ok_or_else(|| unexpected(&answer));
        };
        let mut missed = missed_commands(missed);
        let mut rest = Rest { above: above.to_owned(), open_from: open_from.to_owned() };
        while !rest.above.is_empty() {
            missed.extend(self.missed(info, ordinal, number, &mut rest).await?);
        }
        let point = ResumePoint {
            cursor: Cursor { epoch: epoch.to_owned(), number: number.parse().unwrap_or(0) },
            missed,
            lost: gap(lost),
        };
        Ok(PartitionJoin::In { ordinal: ordinal.parse().map_err(|_| unexpected(&answer))?, point })
    }

    /// Returns whether a terminal can be registered now.
    ///
    /// # Errors
    /// If Redis does not answer.
    pub async fn look_up_ordinal(&self, terminal: &TerminalId) -> RedisResult<OrdinalLookup> {
        let mut call = self.scripts.has_ordinal(&self.keys);
        let found: u8 = call.arg(terminal.as_str()).invoke_async(&mut self.connection.clone()).await?;
        Ok(match found {
            0 => OrdinalLookup::Refused,
            1 => OrdinalLookup::Known,
            _ => OrdinalLookup::Free,
        })
    }

    async fn register(&self, request: &JoinRequest, holder: HolderNode<'_>) -> RedisResult<Vec<String>> {
        let info = &*request.info;
        let mut call = self.scripts.join(&self.keys);
        call.arg(info.terminal.as_str()).arg(holder.node.as_str()).arg(info.session.to_string());
        call.arg(word(info.protocol)).arg(StoredTerminal::of(info).to_json()).arg(holder.process);
        let will = request.will.as_ref().map(|will| will.as_json()).unwrap_or_default();
        let (epoch, number) = request.cursor.as_ref().map_or(("", 0), |cursor| (cursor.epoch.as_str(), cursor.number));
        let (patient, again) = (if request.patient { "patient" } else { "" }, if request.again { "again" } else { "" });
        // Most sessions have none of these. Each argument costs Redis as much as a third of a call within a script.
        if !(will.is_empty() && epoch.is_empty() && patient.is_empty() && again.is_empty()) {
            call.arg(will).arg(epoch).arg(number).arg(patient).arg(again);
        }
        call.invoke_async(&mut self.connection.clone()).await
    }

    async fn missed(
        &self,
        info: &SessionInfo,
        ordinal: &str,
        number: &str,
        rest: &mut Rest,
    ) -> RedisResult<Vec<MissedCommand>> {
        let mut call = self.scripts.missed(&self.keys);
        call.arg(info.terminal.as_str()).arg(ordinal).arg(word(info.protocol));
        call.arg(&rest.above).arg(&rest.open_from).arg(number);
        let answer: Vec<String> = call.invoke_async(&mut self.connection.clone()).await?;
        let [above, missed @ ..] = &answer[..] else { return Err(unexpected(&answer)) };
        rest.above.clone_from(above);
        Ok(missed_commands(missed))
    }

    /// Works out anew, 64 commands a call, which terminals have something unconfirmed among the open commands, so that
    /// the others need not look when they join. Any node may call this at each renewal of its lease; the partition does
    /// it every 2 s at most.
    ///
    /// # Errors
    /// If Redis does not answer.
    pub async fn confirm(&self) -> RedisResult<bool> {
        self.scripts.confirm(&self.keys).invoke_async(&mut self.connection.clone()).await
    }

    /// Takes a session out, if it is still its terminal's, and writes `terminal.offline`. `number` is the number up to
    /// which the session had everything. Returns whether it was still the terminal's.
    ///
    /// # Errors
    /// If Redis does not answer.
    pub async fn leave(
        &self,
        info: &SessionInfo,
        node: &NodeId,
        end: impl Into<EndReport>,
        number: u64,
    ) -> RedisResult<bool> {
        self.take_out(&info.terminal, info.session, node, &end.into(), number).await
    }

    /// [`leave`](Self::leave), of a session of which only the id is known.
    pub(super) async fn take_out(
        &self,
        terminal: &TerminalId,
        session: SessionId,
        node: &NodeId,
        report: &EndReport,
        number: u64,
    ) -> RedisResult<bool> {
        let mut call = self.scripts.leave(&self.keys);
        let reason = report.end.label();
        call.arg(terminal.as_str()).arg(session.to_string()).arg(node.as_str()).arg(reason).arg(number);
        call.arg(if report.end.is_loss() { "lost" } else { "" });
        // Few sessions end with more than a reason.
        if let Some(close) = &report.close {
            let text = Payload::from_text(&close.text);
            let text_member =
                if close.text.is_empty() { String::new() } else { format!(r#","text":{}"#, text.as_json()) };
            call.arg(format!(r#","code":{}{text_member}"#, close.code));
            call.arg(changes::offline_text(reason, report.untold_code()));
            if report.is_telling() {
                call.arg(format!("{reason} {} {}", close.code, text.as_json()));
            }
        }
        call.invoke_async(&mut self.connection.clone()).await
    }
}

/// Returns the word for a protocol in a terminal's line.
fn word(protocol: Protocol) -> &'static str {
    match protocol {
        Protocol::V1 => "v1",
        Protocol::Plain => "plain",
    }
}

/// Returns what the words mean that `join.lua` answers to a session that it does not register. None if they mean
/// nothing.
fn refusal(words: &[&str]) -> Option<PartitionJoin> {
    match words {
        ["nameless"] => Some(PartitionJoin::Nameless),
        ["ordinals"] => Some(PartitionJoin::NoOrdinal),
        ["fight", times] => Some(PartitionJoin::Contested(contest_delay(times.parse().unwrap_or(u32::MAX)))),
        ["ended", reason] => Some(PartitionJoin::Ended(end_of(reason))),
        _ => None,
    }
}

/// Returns the end of a session for which the store has this reason.
pub(super) fn end_of(reason: &str) -> SessionEnd {
    let by_operator = [SessionEnd::Removed, SessionEnd::Disconnected];
    by_operator.into_iter().find(|end| end.label() == reason).unwrap_or(SessionEnd::Replaced)
}

fn gap(lost: &str) -> Option<GapReason> {
    match lost {
        "store" => Some(GapReason::Store),
        number => number.parse().ok().map(GapReason::Trimmed),
    }
}

/// Commands as scripts list them, `number id few|many`. One that can't be read is left out.
fn missed_commands(entries: &[String]) -> Vec<MissedCommand> {
    let one = |entry: &String| {
        let mut words = entry.split(' ');
        let (number, command) = (words.next()?.parse().ok()?, words.next()?.parse::<CommandId>().ok()?);
        Some(MissedCommand { number, command, to_all: words.next()? == "many" })
    };
    entries.iter().filter_map(one).collect()
}

fn unexpected(answer: &[String]) -> RedisError {
    RedisError::from((redis::ErrorKind::Parse, "a script's answer can't be read", format!("{answer:?}")))
}
