//! How Redis is reached: one connection for everything but listening, which follows the master and reconnects by itself.

use std::time::Duration;

use anyhow::Context;
use muster_protocol::{ClusterName, redis_keys::RedisKeys};
use muster_redis::{Connection, Topology, will_pass};
use redis::{AsyncCommands, RedisResult};
use tokio::time;

/// A node that starts beside its Redis waits this long for it.
const START: Duration = Duration::from_secs(10);

/// Connects, for a cluster of this name; says which flag is wrong if it can't.
pub async fn open(url: &str, cluster: &ClusterName) -> anyhow::Result<(Connection, RedisKeys)> {
    let topology: Topology = url.parse().map_err(|error| anyhow::anyhow!("--redis {error}"))?;
    let keys = RedisKeys::new(cluster, topology.database());
    let connection = Connection::new(topology, keys.tag());
    connect(&connection).await.with_context(|| {
        let topology = connection.topology();
        format!("--redis: no Redis answers at {topology} (is it running, and does it take this user and password?)")
    })?;
    Ok((connection, keys))
}

/// Waits until it is let in: a connection that lacks a password shows only when it asks for something.
async fn connect(connection: &Connection) -> anyhow::Result<()> {
    let attempt = async {
        loop {
            let answer: RedisResult<()> = connection.clone().ping().await;
            match answer {
                Err(error) if will_pass(&error) => time::sleep(Duration::from_millis(100)).await,
                answer => return answer,
            }
        }
    };
    Ok(time::timeout(START, attempt).await.with_context(|| format!("tried for {} s", START.as_secs()))??)
}
