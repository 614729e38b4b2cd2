//! Sessions that join, and commands that are written into the store by hand.

use std::{collections::HashMap, sync::Arc};

use futures_util::{StreamExt, stream};
use jiff::Timestamp;
use muster_node::{
    backplane::{
        Cursor, JoinRequest, MissedCommand, ResumePoint,
        redis::partition::sessions::{HolderNode, PartitionJoin},
    },
    hub::SessionInfo,
};
use muster_protocol::{
    CommandId, NodeId, SessionId,
    api::{Protocol, TargetState},
    selector::Labels,
};
use uuid::Uuid;

use crate::store::TestPartition;

/// A new session of a terminal, without will, cursor or labels.
pub fn session(terminal: &str) -> JoinRequest {
    let info = SessionInfo {
        terminal: terminal.parse().unwrap(),
        session: SessionId(Uuid::now_v7()),
        protocol: Protocol::V1,
        partition: Default::default(),
        labels: Labels::new(),
        address: "10.0.0.1".into(),
        edge: None,
        connected_at: Timestamp::now(),
    };
    JoinRequest { info: Arc::new(info), will: None, cursor: None, again: false, patient: false }
}

/// The session of a request, changed.
pub fn with(mut request: JoinRequest, change: impl FnOnce(&mut SessionInfo)) -> JoinRequest {
    let mut info = SessionInfo::clone(&request.info);
    change(&mut info);
    request.info = Arc::new(info);
    request
}

/// Labels by key.
pub fn labels(all: &[(&str, &str)]) -> Labels {
    all.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect()
}

/// A node id.
pub fn node(id: &str) -> NodeId {
    id.parse().unwrap()
}

/// The ids of missed commands, in their order.
pub fn ids(missed: &[MissedCommand]) -> Vec<CommandId> {
    missed.iter().map(|missed| missed.command).collect()
}

impl TestPartition {
    /// Gives a node a lease for a minute, or ends it.
    pub async fn lease(&self, node: &str, lives: bool) {
        let end = Timestamp::now().as_millisecond() + if lives { 60_000 } else { -1 };
        let _: u64 = self.ask("ZADD", "nodes", &[&end.to_string(), node]).await;
        let lease = format!("lease:{node}");
        let _: redis::Value =
            if lives { self.ask("SET", &lease, &["{}"]).await } else { self.ask("DEL", &lease, &[]).await };
    }

    /// The result of joining on a node whose process is `p` and its id.
    pub async fn join(&self, request: &JoinRequest, on: &str) -> PartitionJoin {
        let process = format!("p{on}");
        self.partition.join(request, HolderNode { node: &node(on), process: &process }).await.unwrap()
    }

    /// Where a session goes on, and its terminal's ordinal.
    pub async fn joined(&self, request: &JoinRequest, on: &str) -> (u32, ResumePoint) {
        match self.join(request, on).await {
            PartitionJoin::In { ordinal, point } => (ordinal, point),
            other => panic!("{other:?}"),
        }
    }

    /// Joins all of these sessions, some at once.
    pub async fn join_all(&self, requests: &[JoinRequest], on: &str) {
        stream::iter(requests).for_each_concurrent(32, async |request| _ = self.joined(request, on).await).await;
    }

    /// What a session missed whose cursor has this number.
    pub async fn missed_behind(&self, terminal: &str, number: u64) -> Vec<CommandId> {
        let epoch: String = self.ask("GET", "epoch", &[]).await;
        let request = JoinRequest { cursor: Some(Cursor { epoch, number }), ..session(terminal) };
        ids(&self.joined(&request, "n1").await.1.missed)
    }

    /// Stores a command for many with these targets. Its number is that of the last command and `step`.
    pub async fn many(&self, step: u64, targets: &[u32]) -> (CommandId, u64) {
        let (id, number) = self.command(step).await;
        for ordinal in targets.iter().map(u32::to_string) {
            for key in [format!("command:{id}:targets"), "unconfirmed".into()] {
                let _: bool = self.ask("SETBIT", &key, &[&ordinal, "1"]).await;
            }
        }
        let expires: u64 = self.ask("HGET", &format!("command:{id}"), &["expires"]).await;
        let _: u64 = self.ask("ZADD", "open", &[&number.to_string(), &format!("{id} {expires}")]).await;
        (id, number)
    }

    /// Stores a command for one terminal.
    pub async fn few(&self, step: u64, ordinal: u32) -> (CommandId, u64) {
        let (id, number) = self.command(step).await;
        let _: u64 = self.ask("ZADD", &format!("backlog:{ordinal}"), &[&number.to_string(), &id.to_string()]).await;
        (id, number)
    }

    async fn command(&self, step: u64) -> (CommandId, u64) {
        let id = CommandId(Uuid::now_v7());
        let number: u64 = self.ask("INCRBY", "seq", &[&step.to_string()]).await;
        let expires = Timestamp::now().as_millisecond() + 60_000;
        let _: u64 = self.ask("HSET", &format!("command:{id}"), &["expires", &expires.to_string()]).await;
        (id, number)
    }

    /// Marks a state of a target, and the states below it, as each report does.
    pub async fn mark(&self, id: CommandId, state: &str, ordinal: u32) {
        let states = TargetState::STORED.map(TargetState::name);
        let end = states.iter().position(|name| *name == state).unwrap();
        for state in states[..=end].iter().filter(|name| **name != "queued") {
            let _: bool = self.ask("SETBIT", &format!("command:{id}:{state}"), &[&ordinal.to_string(), "1"]).await;
        }
    }

    /// Calls by their names, from the start of the server or the last `CONFIG RESETSTAT`.
    pub async fn calls(&self) -> HashMap<String, u64> {
        let stats: String = self.call(redis::cmd("INFO").arg("commandstats")).await;
        let line = |line: &str| {
            let (name, rest) = line.strip_prefix("cmdstat_")?.split_once(":calls=")?;
            Some((name.to_owned(), rest.split(',').next()?.parse().ok()?))
        };
        stats.lines().filter_map(line).collect()
    }
}
