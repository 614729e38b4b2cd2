//! How Redis is reached: one multiplexed connection for everything but listening, which reconnects by itself.

use std::time::Duration;

use anyhow::Context;
use redis::{
    AsyncCommands, Client, RedisResult,
    aio::{ConnectionManager, ConnectionManagerConfig},
};
use tokio::time;

/// An operator gets an answer within this time, also from a Redis that hangs.
const ANSWER: Duration = Duration::from_secs(2);
/// A node that starts beside its Redis waits this long for it.
const START: Duration = Duration::from_secs(10);

/// Connects; says which flag is wrong if it can't. The URL is not repeated, since it may hold a password.
pub async fn open(url: &str) -> anyhow::Result<(Client, ConnectionManager)> {
    let client = Client::open(url)
        .map_err(|error| anyhow::anyhow!("--redis is no URL of the form redis://HOST:PORT: {}", error.category()))?;
    let address = client.get_connection_info().addr().to_string();
    let connection = connect(&client).await.with_context(|| {
        format!("--redis: no Redis answers at {address} (is it running, and does it take this user and password?)")
    })?;
    Ok((client, connection))
}

async fn connect(client: &Client) -> anyhow::Result<ConnectionManager> {
    let config = ConnectionManagerConfig::new()
        .set_response_timeout(Some(ANSWER))
        .set_connection_timeout(Some(ANSWER))
        .set_number_of_retries(1);
    let attempt = async {
        loop {
            match let_in(client, &config).await {
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
async fn let_in(client: &Client, config: &ConnectionManagerConfig) -> RedisResult<ConnectionManager> {
    let mut connection = client.get_connection_manager_with_config(config.clone()).await?;
    let () = connection.ping().await?;
    Ok(connection)
}
