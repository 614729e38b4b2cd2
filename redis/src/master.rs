//! A master that was found.

use std::io;

use muster_net::Tls;
use redis::{AsyncConnectionConfig, ConnectionInfo, RedisError, RedisResult, Value, cmd, from_redis_value};
use tokio::time::Instant;

use crate::server::ServerConnection;

/// A master that was found.
#[derive(Clone)]
pub struct Master {
    /// The connection to the master, which many callers can share by cloning it.
    pub connection: ServerConnection,
    /// The master's address, user and password.
    pub info: ConnectionInfo,
    /// The epoch of the failover that made it the master, as Sentinels count. 0 for one server.
    pub epoch: u64,
}

impl Master {
    /// Connects to a server, and gives up at the deadline.
    pub async fn open(info: ConnectionInfo, epoch: u64, tls: Option<&Tls>, deadline: Instant) -> RedisResult<Self> {
        let connection = ServerConnection::open(&info, tls, deadline, AsyncConnectionConfig::new()).await?;
        Ok(Self { connection, info, epoch })
    }

    /// Asks the server whether it is a master.
    pub async fn says_so(&mut self) -> RedisResult<bool> {
        let role: Vec<Value> = cmd("ROLE").query_async(&mut self.connection).await?;
        let role: Option<String> = role.into_iter().next().map(from_redis_value).transpose()?;
        Ok(role.as_deref() == Some("master"))
    }
}

/// Returns the error of a search that took too long.
pub fn late() -> RedisError {
    io::Error::new(io::ErrorKind::TimedOut, "no master found in time").into()
}
