//! The nodes' leases in Redis, read on a beat. Nothing is written.

use std::{collections::HashSet, time::Duration};

use anyhow::Context;
use ipnet::IpNet;
use redis::{
    AsyncCommands, Client, RedisResult,
    aio::{ConnectionManager, ConnectionManagerConfig},
};
use tokio::time;

use crate::membership::{Members, member};

/// Sorted set of node ids.
const NODES: &str = "{muster}:nodes";
/// What comes before a node's id in the name of its lease.
const LEASE: &str = "{muster}:node:";
/// An answer that takes longer is none.
const ANSWER: Duration = Duration::from_secs(2);
/// A sidecar that starts beside its Redis waits this long for it.
const START: Duration = Duration::from_secs(10);

/// A reader of leases.
pub struct Leases {
    connection: ConnectionManager,
    allow: Vec<IpNet>,
    /// Refused leases that were logged: once is enough.
    refused: HashSet<String>,
}

impl Leases {
    /// Connects; says which flag is wrong if it can't. The URL is not repeated, since it may hold a password.
    pub async fn open(url: &str, allow: Vec<IpNet>) -> anyhow::Result<Self> {
        let client = Client::open(url).map_err(|error| {
            anyhow::anyhow!("--redis is no URL of the form redis://HOST:PORT: {}", error.category())
        })?;
        let address = client.get_connection_info().addr().to_string();
        let connection = connect(&client).await.with_context(|| {
            format!("--redis: no Redis answers at {address} (is it running, and does it take this user and password?)")
        })?;
        Ok(Self { connection, allow, refused: HashSet::new() })
    }

    /// The members by their leases; an error while Redis is away.
    pub async fn read(&mut self) -> RedisResult<Members> {
        let ids: Vec<String> = self.connection.zrange(NODES, 0, -1).await?;
        if ids.is_empty() {
            return Ok(Members::new());
        }
        let keys: Vec<_> = ids.iter().map(|id| format!("{LEASE}{id}")).collect();
        let leases: Vec<Option<String>> = self.connection.mget(keys).await?;
        Ok(leases.into_iter().flatten().filter_map(|lease| self.believe(lease)).collect())
    }

    fn believe(&mut self, lease: String) -> Option<std::net::SocketAddr> {
        match member(&lease, &self.allow) {
            Ok(address) => Some(address),
            Err(refused) => {
                if self.refused.len() < 1000 && self.refused.insert(lease) {
                    tracing::warn!(?refused, "a lease is not believed (see --allow)");
                }
                None
            }
        }
    }
}

async fn connect(client: &Client) -> anyhow::Result<ConnectionManager> {
    let config = ConnectionManagerConfig::new()
        .set_response_timeout(Some(ANSWER))
        .set_connection_timeout(Some(ANSWER))
        .set_number_of_retries(1);
    let attempt = async {
        loop {
            match open(client, &config).await {
                Ok(connection) => return Ok(connection),
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
