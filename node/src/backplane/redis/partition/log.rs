//! The log of a partition: where it stands, and the commands in it, as a node reads them that was deaf or whose
//! terminal comes back.

use std::sync::Arc;

use muster_protocol::{CommandId, NodeId, Payload, SessionId, TerminalId, api::CommandRequest};
use redis::{
    AsyncCommands, RedisResult,
    streams::{StreamId, StreamRangeReply},
};

use super::{StorePartition, bitmap::bitmap, sessions::end_of};
use crate::{end::SessionEnd, hub::SessionInfo};

/// Where a partition stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogPosition {
    /// The name of the partition's store; empty before it has one.
    pub epoch: String,
    /// The number of the last command.
    pub newest: u64,
    /// The log begins after this number.
    pub trimmed: u64,
}

/// A command as it stands in the log, for a node that did not hear of it.
#[derive(Debug, Clone)]
pub struct LoggedCommand {
    /// The frame, as it is stored.
    pub frame: String,
    /// The terminals per second at which it is sent, over all nodes.
    pub rate: Option<f64>,
    /// The ordinals of its targets, as a bitmap.
    pub targets: Vec<u8>,
    /// Whether its targets are named, so that it came by the inbox.
    pub is_few: bool,
}

impl StorePartition {
    /// Returns where the partition stands.
    ///
    /// # Errors
    /// If Redis does not answer.
    pub async fn position(&self) -> RedisResult<LogPosition> {
        let mut pipe = redis::pipe();
        pipe.get(self.keys.key("epoch")).get(self.keys.key("seq")).hget(self.keys.key("marks"), "trimmed");
        let (epoch, newest, trimmed): (Option<String>, Option<u64>, Option<u64>) =
            pipe.query_async(&mut self.connection.clone()).await?;
        let (newest, trimmed) = (newest.unwrap_or(0), trimmed.unwrap_or(0));
        Ok(LogPosition { epoch: epoch.unwrap_or_default(), newest, trimmed })
    }

    /// Returns the commands in the log behind this number, `limit` at most, each with its number.
    ///
    /// # Errors
    /// If Redis does not answer.
    pub async fn log_after(&self, number: u64, limit: usize) -> RedisResult<Vec<(u64, CommandId)>> {
        let from = format!("({number}-0");
        let page: StreamRangeReply =
            self.connection.clone().xrange_count(self.keys.key("log"), from, "+", limit).await?;
        let entry = |entry: &StreamId| {
            let number = entry.id.split('-').next()?.parse().ok()?;
            Some((number, entry.get::<String>("id")?.parse().ok()?))
        };
        Ok(page.ids.iter().filter_map(entry).collect())
    }

    /// Returns a command with its targets. None if it is not stored any more or was cancelled.
    ///
    /// # Errors
    /// If Redis does not answer.
    pub async fn logged_command(&self, id: CommandId) -> RedisResult<Option<LoggedCommand>> {
        type Fields = (Option<String>, Option<u64>, Option<String>, Option<Vec<u8>>);
        let fields = ["frame", "cancelled_at", "ask", "list"];
        let key = self.keys.key(&format!("command:{id}"));
        let mut connection = self.connection.clone();
        let (frame, cancelled, ask, list): Fields = connection.hmget(&key, &fields).await?;
        let Some(frame) = frame.filter(|_| cancelled.is_none()) else { return Ok(None) };
        let ask = ask.and_then(|ask| serde_json::from_str::<CommandRequest>(&ask).ok());
        let (targets, is_few) = match list {
            Some(list) => (bitmap(list.as_chunks().0.iter().map(|ordinal| u32::from_be_bytes(*ordinal))), true),
            None => (connection.get::<_, Option<Vec<u8>>>(format!("{key}:targets")).await?.unwrap_or_default(), false),
        };
        Ok(Some(LoggedCommand { frame, rate: ask.and_then(|ask| ask.rate), targets, is_few }))
    }

    /// Returns the frames of commands, as they are stored, and whether their targets are named; `None` for one that is
    /// not stored any more or was cancelled.
    ///
    /// # Errors
    /// If Redis does not answer.
    pub async fn stored_frames(&self, ids: &[CommandId]) -> RedisResult<Vec<Option<(String, bool)>>> {
        if ids.is_empty() {
            return Ok(Vec::new());
        }
        let mut pipe = redis::pipe();
        for id in ids {
            pipe.cmd("HMGET").arg(self.keys.key(&format!("command:{id}"))).arg(&["frame", "cancelled_at", "kind"]);
        }
        let found: Vec<(Option<String>, Option<u64>, Option<String>)> =
            pipe.query_async(&mut self.connection.clone()).await?;
        let frame = |(frame, cancelled, kind): (Option<String>, Option<u64>, Option<String>)| {
            frame.filter(|_| cancelled.is_none()).map(|frame| (frame, kind.as_deref() == Some("few")))
        };
        Ok(found.into_iter().map(frame).collect())
    }

    /// Returns the last replies of terminals to a command; `None` for a terminal that sent none or is not known any
    /// more.
    ///
    /// # Errors
    /// If Redis does not answer.
    pub async fn replies(&self, id: CommandId, terminals: &[&TerminalId]) -> RedisResult<Vec<Option<Payload>>> {
        let names: Vec<_> = terminals.iter().map(|terminal| terminal.as_str()).collect();
        let mut ordinals = redis::cmd("HMGET");
        ordinals.arg(self.keys.key("ordinals")).arg(names);
        let ordinals: Vec<Option<u32>> = ordinals.query_async(&mut self.connection.clone()).await?;
        let known: Vec<_> = ordinals.iter().flatten().copied().collect();
        if known.is_empty() {
            return Ok(vec![None; terminals.len()]);
        }
        let mut stored = redis::cmd("HMGET");
        stored.arg(self.keys.key(&format!("command:{id}:replies"))).arg(known);
        let stored: Vec<Option<String>> = stored.query_async(&mut self.connection.clone()).await?;
        let mut stored = stored.into_iter().map(|text| Payload::from_stored(&text?));
        Ok(ordinals.iter().map(|ordinal| ordinal.and_then(|_| stored.next().flatten())).collect())
    }

    /// Returns why the store has ended sessions, each given with its ordinal; `None` for one that it has not ended. A
    /// session that is not registered yet has no mark in the store; it ended if its terminal has a newer session. In a
    /// store that was lost and made again, an ordinal may be another terminal's, of whose session this says nothing.
    ///
    /// # Errors
    /// If Redis does not answer.
    pub async fn ended(&self, sessions: &[(u32, Arc<SessionInfo>)]) -> RedisResult<Vec<Option<SessionEnd>>> {
        if sessions.is_empty() {
            return Ok(Vec::new());
        }
        let mut pipe = redis::pipe();
        let ordinals: Vec<_> = sessions.iter().map(|(ordinal, _)| *ordinal).collect();
        let marks = sessions.iter().map(|(_, info)| self.keys.key(&format!("ended:{}", info.session)));
        pipe.cmd("HMGET").arg(self.keys.key("terminals")).arg(ordinals);
        pipe.cmd("MGET").arg(marks.collect::<Vec<_>>());
        let (owners, reasons): (Vec<Option<String>>, Vec<Option<String>>) =
            pipe.query_async(&mut self.connection.clone()).await?;
        let found = owners.iter().zip(&reasons);
        let sessions = sessions.iter().zip(found);
        Ok(sessions.map(|((_, info), (entry, reason))| ended(&info.terminal, info.session, entry, reason)).collect())
    }

    /// Returns the hash tag of the partition's keys.
    pub fn tag(&self) -> &str {
        self.keys.tag()
    }

    /// Returns the channel to which every node listens.
    pub fn broadcast_channel(&self) -> String {
        self.keys.broadcast()
    }

    /// Returns the channel to which only this node listens.
    pub fn inbox_channel(&self, node: &NodeId) -> String {
        self.keys.inbox(node)
    }

    /// Returns the channel on which sidecars ask all nodes to move sessions.
    pub fn proxy_channel(&self) -> String {
        self.keys.proxy()
    }

    /// Publishes a message to a node's inbox. Returns whether the node heard it.
    ///
    /// # Errors
    /// If Redis does not answer. The message may have been published then.
    pub async fn tell(&self, node: &NodeId, message: &str) -> RedisResult<bool> {
        let heard: u64 = self.connection.clone().spublish(self.keys.inbox(node), message).await?;
        Ok(heard > 0)
    }
}

/// Returns why a terminal's session has ended, from the entry at its ordinal and from the reason that the store has for
/// the session.
fn ended(
    terminal: &TerminalId,
    session: SessionId,
    entry: &Option<String>,
    reason: &Option<String>,
) -> Option<SessionEnd> {
    let (owner, record) = entry.as_ref().and_then(|entry| entry.split_once('\n')).unwrap_or_default();
    let is_its = record.starts_with(&format!("{{\"terminal\":\"{terminal}\""));
    let newest = owner.split(' ').nth(1).and_then(|session| session.parse::<SessionId>().ok());
    let replaced = newest.filter(|newest| is_its && *newest > session).map(|_| SessionEnd::Replaced);
    reason.as_deref().map(end_of).or(replaced)
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;

    #[test]
    fn a_session_is_replaced_by_a_newer_one_of_its_own_terminal_only() {
        let (session, newer) = (SessionId(Uuid::now_v7()), SessionId(Uuid::now_v7()));
        let end = |terminal: &str| {
            let entry = format!("n1 {newer} v1\n{{\"terminal\":\"{terminal}\",\"labels\":{{}}}}");
            ended(&"t1".parse().unwrap(), session, &Some(entry), &None)
        };
        assert_eq!(end("t1"), Some(SessionEnd::Replaced));
        assert_eq!((end("t2"), end("t11")), (None, None), "the store was lost, and the ordinal is another terminal's");
    }
}
