//! Publishes messages in Redis (`--send-by redis://…`), from which a server relays each to all terminals.

use std::time::Duration;

use redis::{AsyncConnectionConfig, Client, RedisError, aio::MultiplexedConnection};
use tokio::sync::Mutex;

use crate::journal::SendOutcome;

/// How long it may take to connect, and to answer.
const PATIENCE: Duration = Duration::from_secs(10);

/// A connection to one Redis, which is opened with the first message, and again after each loss.
pub(super) struct RedisPublisher {
    address: String,
    channel: String,
    connection: Mutex<Option<MultiplexedConnection>>,
}

impl RedisPublisher {
    /// Returns a publisher in `channel` of the Redis at `address` (HOST:PORT). It opens no connection.
    pub(super) fn new(address: String, channel: String) -> Self {
        Self { address, channel, connection: Mutex::default() }
    }

    /// Publishes a message. [`SendOutcome::Accepted`] means that Redis answered; how many servers listen does not
    /// matter.
    pub(super) async fn publish(&self, body: String) -> SendOutcome {
        let mut connection = match self.connection().await {
            Ok(connection) => connection,
            Err(error) => return SendOutcome::Refused(format!("--send-by redis://{}: {error}", self.address)),
        };
        let answered: Result<u64, RedisError> =
            redis::cmd("PUBLISH").arg(&self.channel).arg(body).query_async(&mut connection).await;
        match answered {
            Ok(_) => SendOutcome::Accepted,
            Err(error) if error.is_io_error() || error.is_timeout() => {
                *self.connection.lock().await = None;
                SendOutcome::Unknown(error.to_string())
            }
            Err(error) => SendOutcome::Refused(error.to_string()),
        }
    }

    async fn connection(&self) -> Result<MultiplexedConnection, RedisError> {
        let mut kept = self.connection.lock().await;
        if let Some(connection) = &*kept {
            return Ok(connection.clone());
        }
        let settings =
            AsyncConnectionConfig::new().set_connection_timeout(Some(PATIENCE)).set_response_timeout(Some(PATIENCE));
        let client = Client::open(format!("redis://{}/", self.address))?;
        let connection = client.get_multiplexed_async_connection_with_config(&settings).await?;
        *kept = Some(connection.clone());
        Ok(connection)
    }
}
