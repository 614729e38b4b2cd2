//! Finds the master of one server or of Sentinels. All Sentinels are asked at once, and the first answer that leads to a
//! master counts. So a Sentinel that is dead, hangs, or names an old master delays nothing. The masters of a Redis Cluster
//! are found by the module `cluster`.

use std::{io, time::Duration};

use futures_util::future::{FutureExt, select_ok};
use muster_net::Tls;
use redis::{
    AsyncConnectionConfig, ConnectionAddr, ConnectionInfo, ErrorKind, IntoConnectionInfo, RedisConnectionInfo,
    RedisError, RedisResult, ServerErrorKind, Value, cmd, from_redis_value,
};
use tokio::time::{self, Instant};

use crate::{
    server::{ANSWER, ServerConnection},
    topology::{Servers, Topology},
};

/// How long one Sentinel or member may take. It is shorter than [`ANSWER`], so that a new search can start: the others
/// may have failed for a reason that is gone by then.
pub const SOURCE_ANSWER: Duration = Duration::from_secs(1);
/// How much earlier a step ends than the search that it belongs to, so that the step's error, which says more, comes first.
pub const EARLIER: Duration = Duration::from_millis(100);

/// The kind of the error of a failed search. No other error has it, since the cluster client of the `redis` crate is
/// not used.
pub const UNREACHED: ErrorKind = ErrorKind::ClusterConnectionNotFound;

/// A master that was found.
#[derive(Clone)]
pub struct Master {
    /// The connection to it, which many callers can share by cloning it.
    pub connection: ServerConnection,
    /// Its address, user and password.
    pub info: ConnectionInfo,
}

impl Topology {
    /// Connects to the current master.
    pub(crate) async fn master(&self) -> RedisResult<Master> {
        let search = Search { tls: self.tls(), deadline: Instant::now() + self.bound() - EARLIER };
        match self.servers() {
            Servers::Fixed(info) => search.connect(info.clone()).await,
            Servers::Sentinels { sentinels, name, entry } => {
                first(sentinels, |sentinel| search.master_by_sentinel(sentinel, name, entry)).await
            }
            Servers::Cluster(_) => unreachable!("a cluster has several masters, which the module cluster finds"),
        }
    }

    /// Returns how long a search may take.
    fn bound(&self) -> Duration {
        match self.servers() {
            Servers::Fixed(_) => ANSWER,
            Servers::Sentinels { .. } | Servers::Cluster(_) => SOURCE_ANSWER,
        }
    }
}

/// Returns whether a later attempt may succeed after this error. A wrong password, for example, stays wrong.
pub fn will_pass(error: &RedisError) -> bool {
    match error.kind() {
        ErrorKind::Io | UNREACHED => true,
        ErrorKind::Server(kind) => is_elsewhere(kind),
        _ => false,
    }
}

/// Returns whether a call was certainly not sent, because there was no connection.
pub fn not_sent(error: &RedisError) -> bool {
    use ErrorKind::{AuthenticationFailed, InvalidClientConfig, MasterNameNotFoundBySentinel};
    matches!(error.kind(), UNREACHED | AuthenticationFailed | InvalidClientConfig | MasterNameNotFoundBySentinel)
}

/// Makes the error of a failed search recognizable: [`not_sent`] is true for it, and [`will_pass`] is what it was. With
/// its own kind it could look like the error of a call that was sent.
pub(crate) fn unreached(error: RedisError) -> RedisError {
    match error.kind() {
        UNREACHED => error,
        _ if will_pass(&error) => (UNREACHED, "no master was reached", error.to_string()).into(),
        _ if not_sent(&error) => error,
        _ => (ErrorKind::InvalidClientConfig, "the master can't be looked for", error.to_string()).into(),
    }
}

/// Returns whether a server says by this error that it is not, or not yet, the master of the key.
pub(crate) fn is_elsewhere(kind: ServerErrorKind) -> bool {
    use ServerErrorKind::{Ask, BusyLoading, ClusterDown, MasterDown, Moved, ReadOnly, TryAgain};
    matches!(kind, Moved | Ask | TryAgain | ClusterDown | MasterDown | ReadOnly | BusyLoading)
}

/// Asks all sources at once, and returns the first master that one leads to, or the last error if none does.
async fn first<'a, F>(sources: &'a [ConnectionInfo], ask: impl Fn(&'a ConnectionInfo) -> F) -> RedisResult<Master>
where
    F: Future<Output = RedisResult<Master>> + Send + 'a,
{
    let in_time = |asked| async { time::timeout(SOURCE_ANSWER, asked).await.unwrap_or_else(|_| Err(late())) }.boxed();
    select_ok(sources.iter().map(ask).map(in_time)).await.map(|(master, _)| master)
}

/// Returns the error of a search that took too long.
pub(crate) fn late() -> RedisError {
    io::Error::new(io::ErrorKind::TimedOut, "no master found in time").into()
}

/// A search for the master, which ends at its deadline.
#[derive(Clone, Copy)]
struct Search<'a> {
    tls: Option<&'a Tls>,
    deadline: Instant,
}

impl Search<'_> {
    /// Connects to the master that a Sentinel names, and asks that server for its role: a Sentinel goes on naming a
    /// master that has just died, and a server that was the master may come back as one.
    async fn master_by_sentinel(
        self,
        sentinel: &ConnectionInfo,
        name: &str,
        entry: &RedisConnectionInfo,
    ) -> RedisResult<Master> {
        let mut connection = self.connect(sentinel.clone()).await?.connection;
        let answer: Option<(String, u16)> =
            cmd("SENTINEL").arg("GET-MASTER-ADDR-BY-NAME").arg(name).query_async(&mut connection).await?;
        let unknown =
            || RedisError::from((ErrorKind::MasterNameNotFoundBySentinel, "the Sentinels know no master of this name"));
        let (host, port) = answer.ok_or_else(unknown)?;
        let info = ConnectionAddr::Tcp(host, port).into_connection_info()?.set_redis_settings(entry.clone());
        let mut master = self.connect(info).await?;
        let role: Vec<Value> = cmd("ROLE").query_async(&mut master.connection).await?;
        let role: Option<String> = role.into_iter().next().map(from_redis_value).transpose()?;
        match role.as_deref() {
            Some("master") => Ok(master),
            _ => Err(RedisError::from((
                ErrorKind::Server(ServerErrorKind::ReadOnly),
                "the server that the Sentinels name is not the master yet",
            ))),
        }
    }

    async fn connect(self, info: ConnectionInfo) -> RedisResult<Master> {
        let config = AsyncConnectionConfig::new();
        let connection = ServerConnection::open(&info, self.tls, self.deadline, config).await?;
        Ok(Master { connection, info })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failed_search_counts_as_not_sent() {
        let refused = RedisError::from(io::Error::from(io::ErrorKind::ConnectionRefused));
        for error in [refused, late()] {
            assert!(!not_sent(&error), "{error}");
            let unreached = unreached(error);
            assert!(not_sent(&unreached) && will_pass(&unreached), "{unreached}");
        }
        let wrong = unreached((ErrorKind::AuthenticationFailed, "wrong password").into());
        assert!(not_sent(&wrong) && !will_pass(&wrong));
        let forbidden = unreached((ErrorKind::Server(ServerErrorKind::NoPerm), "not allowed").into());
        assert!(not_sent(&forbidden) && !will_pass(&forbidden), "{forbidden}");
    }
}
