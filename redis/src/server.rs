//! A connection to one server: TCP or a unix socket, TLS if the URL asks for it, then user, password and database.

use std::{sync::Arc, time::Duration};

use muster_net::{Stream, Tls, detect::speaks_tls, tcp};
use redis::{
    AsyncConnectionConfig, Cmd, ConnectionAddr, ConnectionInfo, Pipeline, RedisConnectionInfo, RedisFuture,
    RedisResult, ServerError, Value,
    aio::{ConnectionLike, MultiplexedConnection},
};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::UnixStream,
    task::AbortHandle,
    time::{Instant, timeout_at},
};
use tokio_util::task::AbortOnDropHandle;

use crate::encryption;

/// How long it may take to connect, and how long one answer may take.
pub const ANSWER: Duration = Duration::from_secs(2);

/// A connection to one server, which its clones share. It is closed when the last clone is dropped.
#[derive(Clone)]
pub struct ServerConnection {
    connection: MultiplexedConnection,
    /// The task that reads and writes the socket.
    driver: Arc<AbortOnDropHandle<()>>,
}

impl ServerConnection {
    /// Connects, and gives up at the deadline. Then allows [`ANSWER`] for each answer. `config` may have a push sender.
    pub async fn open(
        server: &ConnectionInfo,
        tls: Option<&Tls>,
        deadline: Instant,
        config: AsyncConnectionConfig,
    ) -> RedisResult<Self> {
        let settings = server.redis_settings();
        let (host, port) = match server.addr() {
            ConnectionAddr::Tcp(host, port) => (host, *port),
            ConnectionAddr::Unix(path) => {
                let connecting = UnixStream::connect(path);
                let stream = timeout_at(deadline, connecting).await.map_err(|_| encryption::late(server.addr()))??;
                return Self::begin(settings, stream, deadline, config, server.addr()).await;
            }
            other => unreachable!("Topology makes no address such as {other}"),
        };
        let tcp = tcp::connect(host, port, None, deadline).await.map_err(encryption::unconnected)?;
        let peer = tcp.peer_addr()?;
        let stream = match tls {
            Some(tls) => encryption::encrypt(tls, host, tcp, deadline).await?,
            None => Stream::Plain(tcp),
        };
        let begun = Self::begin(settings, stream, deadline, config, server.addr()).await;
        match begun {
            Err(error) if tls.is_none() && error.is_connection_dropped() && speaks_tls(peer, deadline).await => {
                Err(encryption::wants_tls(peer))
            }
            begun => begun.map_err(encryption::explained),
        }
    }

    /// Sends user, password and database, and starts the task that reads and writes the socket.
    async fn begin(
        settings: &RedisConnectionInfo,
        stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
        deadline: Instant,
        config: AsyncConnectionConfig,
        address: &ConnectionAddr,
    ) -> RedisResult<Self> {
        let config = config.set_response_timeout(Some(ANSWER));
        let begun = timeout_at(deadline, MultiplexedConnection::new_with_config(settings, stream, config)).await;
        let (connection, driver) = begun.map_err(|_| encryption::late(address))??;
        let driver = Arc::new(AbortOnDropHandle::new(tokio::spawn(driver)));
        Ok(Self { connection, driver })
    }

    /// Returns what closes the connection for all clones. Calls that wait for an answer then end with an error.
    pub fn abort_handle(&self) -> AbortHandle {
        self.driver.abort_handle()
    }
}

impl ConnectionLike for ServerConnection {
    fn req_packed_command<'a>(&'a mut self, cmd: &'a Cmd) -> RedisFuture<'a, Value> {
        self.connection.req_packed_command(cmd)
    }

    fn req_packed_commands<'a>(
        &'a mut self,
        pipeline: &'a Pipeline,
        offset: usize,
        count: usize,
    ) -> RedisFuture<'a, Vec<Value>> {
        self.connection.req_packed_commands(pipeline, offset, count)
    }

    fn get_db(&self) -> i64 {
        self.connection.get_db()
    }
}

/// Returns the error in an answer. `None` if the answer is no error.
pub fn server_error(answer: &Value) -> Option<ServerError> {
    match answer {
        Value::ServerError(error) => Some(error.clone()),
        _ => None,
    }
}
