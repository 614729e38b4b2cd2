//! Who is the master now. All who may know are asked at once, and the first answer that leads to a master counts: one that is dead,
//! hangs, or tells of a master that is gone delays nothing.

use std::{io, time::Duration};

use futures_util::future::{FutureExt, select_ok};
use redis::{
    AsyncConnectionConfig, Client, ConnectionAddr, ConnectionInfo, ErrorKind, IntoConnectionInfo, RedisConnectionInfo,
    RedisError, RedisResult, ServerErrorKind, Value, aio::MultiplexedConnection, cmd, from_redis_value,
};
use tokio::time;

use crate::topology::Topology;

/// Nobody waits longer for a connection, or an answer.
pub const ANSWER: Duration = Duration::from_secs(2);
/// Nobody waits longer for one of several who may know: the others may have had a reason to fail that has passed by now.
const GUIDE: Duration = Duration::from_secs(1);

/// The kind of an error of the search; nothing else here has it, since the library's own cluster client is not used.
const UNREACHED: ErrorKind = ErrorKind::ClusterConnectionNotFound;

/// A master that was found, and the way in.
#[derive(Clone)]
pub struct Master {
    /// Multiplexed: it may be cloned and used by many.
    pub connection: MultiplexedConnection,
    /// Its address, user and password.
    pub info: ConnectionInfo,
}

impl Topology {
    /// Connects to the master as it is now: in a Redis Cluster that of the slot in which names with this hash tag are.
    pub(crate) async fn master(&self, tag: &str) -> RedisResult<Master> {
        match self {
            Self::Fixed(info) => enter(info.clone()).await,
            Self::Sentinels { sentinels, name, entry } => {
                first(sentinels, |sentinel| told_by_sentinel(sentinel, name, entry)).await
            }
            Self::Cluster(seeds) => first(seeds, |seed| told_by_member(seed, tag)).await,
        }
    }
}

/// Whether an error is of the kind that another attempt, later, may not meet: a password that is wrong does not become right.
pub fn will_pass(error: &RedisError) -> bool {
    match error.kind() {
        ErrorKind::Io | UNREACHED => true,
        ErrorKind::Server(kind) => is_elsewhere(kind),
        _ => false,
    }
}

/// Whether a call was certainly not sent, since there was no connection by which it could have been.
pub fn not_sent(error: &RedisError) -> bool {
    use ErrorKind::{AuthenticationFailed, InvalidClientConfig, MasterNameNotFoundBySentinel};
    matches!(error.kind(), UNREACHED | AuthenticationFailed | InvalidClientConfig | MasterNameNotFoundBySentinel)
}

/// What whoever searches in vain is told. By its own kind an error of the search would look like one of a call that was sent.
pub(crate) fn unreached(error: RedisError) -> RedisError {
    if will_pass(&error) { (UNREACHED, "no master was reached", error.to_string()).into() } else { error }
}

/// Whether a server says by this that it is not, or not yet, the master of what was asked for.
pub(crate) fn is_elsewhere(kind: ServerErrorKind) -> bool {
    use ServerErrorKind::{Ask, BusyLoading, ClusterDown, MasterDown, Moved, ReadOnly, TryAgain};
    matches!(kind, Moved | Ask | TryAgain | ClusterDown | MasterDown | ReadOnly | BusyLoading)
}

/// The first that comes to a master; the error of the last if none does.
async fn first<'a, F>(guides: &'a [ConnectionInfo], ask: impl Fn(&'a ConnectionInfo) -> F) -> RedisResult<Master>
where
    F: Future<Output = RedisResult<Master>> + Send + 'a,
{
    let in_time = |guide| async { time::timeout(GUIDE, guide).await.unwrap_or_else(|_| Err(late())) }.boxed();
    select_ok(guides.iter().map(ask).map(in_time)).await.map(|(master, _)| master)
}

/// No answer, and no sign that there will be one.
pub(crate) fn late() -> RedisError {
    io::Error::new(io::ErrorKind::TimedOut, "no master found in time").into()
}

/// A Sentinel goes on naming a master that has just died, and a server that was one may come back as one: so it is asked itself.
async fn told_by_sentinel(sentinel: &ConnectionInfo, name: &str, entry: &RedisConnectionInfo) -> RedisResult<Master> {
    let mut connection = enter(sentinel.clone()).await?.connection;
    let answer: Option<(String, u16)> =
        cmd("SENTINEL").arg("GET-MASTER-ADDR-BY-NAME").arg(name).query_async(&mut connection).await?;
    let unknown =
        || RedisError::from((ErrorKind::MasterNameNotFoundBySentinel, "the Sentinels know no master of this name"));
    let (host, port) = answer.ok_or_else(unknown)?;
    let info = ConnectionAddr::Tcp(host, port).into_connection_info()?.set_redis_settings(entry.clone());
    let mut master = enter(info).await?;
    let role: Vec<Value> = cmd("ROLE").query_async(&mut master.connection).await?;
    let role: Option<String> = role.into_iter().next().map(from_redis_value).transpose()?;
    match role.as_deref() {
        Some("master") => Ok(master),
        _ => Err(RedisError::from((ErrorKind::Server(ServerErrorKind::ReadOnly), "the Sentinels' master is none yet"))),
    }
}

/// Whoever is asked for a name that is not its own says whose it is; only the master of that name answers.
async fn told_by_member(seed: &ConnectionInfo, tag: &str) -> RedisResult<Master> {
    match answers(seed.clone(), tag).await {
        Err(error) => match error.redirect_node().and_then(|(address, _)| info_at(address, seed)) {
            Some(info) => answers(info, tag).await,
            None => Err(error),
        },
        master => master,
    }
}

/// An address as a member tells it: `HOST:PORT`, without the host if it is the member's own.
fn info_at(address: &str, seed: &ConnectionInfo) -> Option<ConnectionInfo> {
    let (host, port) = address.rsplit_once(':')?;
    let own = match seed.addr() {
        ConnectionAddr::Tcp(host, _) => host.as_str(),
        _ => return None,
    };
    let host = if host.is_empty() { own } else { host };
    Some(seed.clone().set_addr(ConnectionAddr::Tcp(host.to_owned(), port.parse().ok()?)))
}

async fn answers(info: ConnectionInfo, tag: &str) -> RedisResult<Master> {
    let mut master = enter(info).await?;
    let _: u64 = cmd("EXISTS").arg(tag).query_async(&mut master.connection).await?;
    Ok(master)
}

async fn enter(info: ConnectionInfo) -> RedisResult<Master> {
    let config = AsyncConnectionConfig::new().set_connection_timeout(Some(ANSWER)).set_response_timeout(Some(ANSWER));
    let connection = Client::open(info.clone())?.get_multiplexed_async_connection_with_config(&config).await?;
    Ok(Master { connection, info })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_search_in_vain_is_no_call_that_was_sent() {
        let refused = RedisError::from(io::Error::from(io::ErrorKind::ConnectionRefused));
        for error in [refused, late()] {
            assert!(!not_sent(&error), "{error}");
            let unreached = unreached(error);
            assert!(not_sent(&unreached) && will_pass(&unreached), "{unreached}");
        }
        let wrong = unreached((ErrorKind::AuthenticationFailed, "wrong password").into());
        assert!(not_sent(&wrong) && !will_pass(&wrong));
    }

    #[test]
    fn a_member_may_leave_out_its_own_host() {
        let seed = "redis://:pw@10.0.0.1:7000".into_connection_info().unwrap();
        for (told, meant) in [("10.0.0.2:7001", "10.0.0.2:7001"), (":7001", "10.0.0.1:7001"), ("::1:7001", "::1:7001")]
        {
            let info = info_at(told, &seed).unwrap();
            assert_eq!((info.addr().to_string().as_str(), info.redis_settings().password()), (meant, Some("pw")));
        }
        assert!(info_at("nonsense", &seed).is_none());
    }
}
