//! The backplane of a cluster. Redis keeps the registry, the commands and the leases, and its pub/sub carries envelopes: one
//! inbox channel for each node and one broadcast channel, whatever the number of terminals.
//!
//! A step that must not be torn apart is one script (the `.lua` files beside this one). Two connections: [`subscription`] listens,
//! everything else goes over one multiplexed connection that reconnects by itself.

mod keys;
mod lease;
mod registry;
mod subscription;
mod writer;

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use anyhow::Context;
use jiff::Timestamp;
use muster_protocol::{
    CommandId, Selector,
    api::{CommandView, NodeState, NodeView},
    frame,
};
use redis::{
    AsyncCommands, Client, RedisError, RedisResult, Script,
    aio::{ConnectionManager, ConnectionManagerConfig},
};
use tokio::time;

use self::subscription::Hearing;
use super::{Draft, EventView, Refusal, record::command_view};
use crate::{hub::Hub, reports::Reports};

/// An operator gets an answer within this time, also from a Redis that hangs.
const ANSWER: Duration = Duration::from_secs(2);
/// A node that starts beside its Redis waits this long for it.
const START: Duration = Duration::from_secs(10);

/// The store and the bus of a cluster.
pub struct Redis {
    client: Client,
    connection: ConnectionManager,
    node: NodeView,
    keep: Duration,
    hub: Arc<Hub>,
    reports: Arc<Reports>,
    draining: AtomicBool,
    hearing: Hearing,
    scripts: Scripts,
}

struct Scripts {
    accept: Script,
    beat: Script,
    bury: Script,
    join: Script,
    leave: Script,
    raise: Script,
}

impl Redis {
    /// Connects, and takes this node's name: sessions that an earlier process of the same name left behind are gone.
    pub async fn open(
        url: &str,
        node: NodeView,
        keep: Duration,
        hub: Arc<Hub>,
        reports: Arc<Reports>,
    ) -> anyhow::Result<Self> {
        // The library's error would repeat the URL, and with it the password.
        let client = Client::open(url).map_err(|error| {
            anyhow::anyhow!("--redis is no URL of the form redis://HOST:PORT: {}", error.category())
        })?;
        let address = client.get_connection_info().addr().to_string();
        let config = ConnectionManagerConfig::new()
            .set_response_timeout(Some(ANSWER))
            .set_connection_timeout(Some(ANSWER))
            .set_number_of_retries(1);
        let connection = connect(&client, config).await.with_context(|| {
            format!("--redis: no Redis answers at {address} (is it running, and does it take this user and password?)")
        })?;
        let redis = Self {
            client,
            connection,
            node,
            keep,
            hub,
            reports,
            draining: AtomicBool::new(false),
            hearing: Hearing::default(),
            scripts: Scripts::new(),
        };
        redis.bury(&redis.node.id, "node_restarted", false).await?;
        Ok(redis)
    }

    pub(super) fn node(&self) -> &NodeView {
        &self.node
    }

    /// Until it is dropped: keeps the lease, listens, and writes what is reported.
    pub(super) async fn run(&self) {
        tokio::join!(self.keep_lease(), self.listen(), self.write_reports());
    }

    pub(super) async fn accept(&self, draft: Draft) -> Result<CommandView, Refusal> {
        let Draft { target, frame, created_at } = draft;
        let mut call = self.scripts.accept.prepare_invoke();
        call.key(keys::ONLINE).key(keys::TERMINALS);
        call.key(keys::command(frame.id)).key(keys::targets(frame.id)).key(keys::BROADCAST);
        let (kind, named) = arguments(&target);
        let text = serde_json::to_string(&frame).map_err(|error| Refusal::Unavailable(error.to_string()))?;
        call.arg(kind).arg(text).arg(created_at.to_string()).arg(self.lifetime(&frame, created_at)).arg(keys::INBOX);
        call.arg(named);
        let (outcome, value): (String, redis::Value) =
            call.invoke_async(&mut self.connection.clone()).await.map_err(unavailable)?;
        match outcome.as_str() {
            "unknown" => Err(Refusal::Unknown(ids(&value))),
            "offline" => Err(Refusal::Offline(ids(&value))),
            _ => {
                let targets =
                    redis::from_redis_value(value).map_err(|error| Refusal::Unavailable(error.to_string()))?;
                Ok(command_view(&frame, created_at, [targets, 0, 0]))
            }
        }
    }

    pub(super) async fn command(&self, id: CommandId) -> Result<Option<CommandView>, Refusal> {
        type Fields = (Option<String>, Option<String>, Option<u64>, Option<u64>, Option<u64>);
        let fields = ["frame", "created", "queued", "sent", "acked"];
        let (frame, created, queued, sent, acked): Fields =
            self.connection.clone().hmget(keys::command(id), &fields).await.map_err(unavailable)?;
        let (Some(frame), Some(created)) = (frame, created) else { return Ok(None) };
        let frame: frame::Command = read(&frame)?;
        let created: Timestamp = created.parse().map_err(|_| Refusal::Unavailable("a stored time is broken".into()))?;
        let counts = [queued, sent, acked].map(Option::unwrap_or_default);
        Ok(Some(command_view(&frame, created, counts)))
    }

    pub(super) async fn events(&self, after: Option<&str>) -> Result<(Vec<EventView>, String), Refusal> {
        const PAGE: usize = 500;
        type Entries = Vec<(String, Vec<String>)>;
        let mut connection = self.connection.clone();
        let Some(after) = after else {
            let mut newest = redis::cmd("XREVRANGE");
            newest.arg(keys::EVENTS).arg("+").arg("-").arg("COUNT").arg(1);
            let newest: Entries = newest.query_async(&mut connection).await.map_err(unavailable)?;
            return Ok((Vec::new(), newest.into_iter().next().map_or_else(|| "0-0".into(), |(id, _)| id)));
        };
        let mut later = redis::cmd("XRANGE");
        later.arg(keys::EVENTS).arg(format!("({after}")).arg("+").arg("COUNT").arg(PAGE);
        let found: Entries = later.query_async(&mut connection).await.map_err(unavailable)?;
        let events: Vec<_> = found.into_iter().filter_map(|(cursor, fields)| event(cursor, fields)).collect();
        let newest = events.last().map_or_else(|| after.to_owned(), |event| event.cursor.clone());
        Ok((events, newest))
    }

    pub(super) fn ready(&self) -> Result<(), String> {
        self.hearing.check()
    }

    pub(super) async fn set_state(&self, state: NodeState) {
        self.draining.store(state == NodeState::Draining, Ordering::Relaxed);
        if let Err(error) = self.beat().await {
            tracing::warn!(%error, "the lease could not tell the node's state");
        }
    }

    /// How long Redis keeps a command: to its expiry and as long again as configured.
    fn lifetime(&self, frame: &frame::Command, created_at: Timestamp) -> u64 {
        let open = frame.expires_at.duration_since(created_at).unsigned_abs();
        (open + self.keep).as_millis().try_into().unwrap_or(u64::MAX)
    }
}

impl Scripts {
    fn new() -> Self {
        Self {
            accept: Script::new(include_str!("accept.lua")),
            beat: Script::new(include_str!("beat.lua")),
            bury: Script::new(include_str!("bury.lua")),
            join: Script::new(include_str!("join.lua")),
            leave: Script::new(include_str!("leave.lua")),
            raise: Script::new(include_str!("raise.lua")),
        }
    }
}

async fn connect(client: &Client, config: ConnectionManagerConfig) -> anyhow::Result<ConnectionManager> {
    let attempt = async {
        loop {
            match open(client, &config).await {
                Ok(connection) => return Ok(connection),
                // A wrong password does not become right.
                Err(error) if !error.is_io_error() => return Err(error),
                Err(_) => time::sleep(Duration::from_millis(100)).await,
            }
        }
    };
    Ok(time::timeout(START, attempt).await.with_context(|| format!("tried for {} s", START.as_secs()))??)
}

/// A connection that was let in: one that lacks a password shows only when it asks for something.
async fn open(client: &Client, config: &ConnectionManagerConfig) -> RedisResult<ConnectionManager> {
    let mut connection = client.get_connection_manager_with_config(config.clone()).await?;
    let () = connection.ping().await?;
    Ok(connection)
}

fn arguments(target: &Selector) -> (&'static str, Vec<String>) {
    match target {
        Selector::All => ("all", Vec::new()),
        Selector::Terminal(id) => ("terminals", vec![id.to_string()]),
        Selector::Terminals(ids) => ("terminals", ids.iter().map(ToString::to_string).collect()),
        Selector::Labels(labels) => {
            ("labels", labels.iter().map(|(key, value)| format!("{}{key}={value}", keys::LABEL)).collect())
        }
    }
}

fn ids(value: &redis::Value) -> Vec<muster_protocol::TerminalId> {
    let texts: Vec<String> = redis::from_redis_value(value.clone()).unwrap_or_default();
    texts.iter().filter_map(|text| text.parse().ok()).collect()
}

fn event(cursor: String, fields: Vec<String>) -> Option<EventView> {
    let [_, kind, _, data] = <[String; 4]>::try_from(fields).ok()?;
    Some(EventView { cursor, kind, data })
}

fn read<T: serde::de::DeserializeOwned>(text: &str) -> Result<T, Refusal> {
    serde_json::from_str(text).map_err(|error| Refusal::Unavailable(format!("a stored value is broken: {error}")))
}

fn unavailable(error: RedisError) -> Refusal {
    let reason = if error.is_timeout() { "Redis did not answer in time".into() } else { error.category().into() };
    tracing::warn!(%error, "Redis failed");
    Refusal::Unavailable(reason)
}
