//! Finds the master of one server or of Sentinels, and says what the errors of a search mean. The module `cluster`
//! finds the masters of a Redis Cluster.

use std::{future, time::Duration};

use redis::{ConnectionAddr, ErrorKind, RedisError, RedisResult, ServerErrorKind};
use tokio::time::Instant;

use crate::{
    master::Master,
    server::ANSWER,
    topology::{Servers, Topology},
};

/// How long one Sentinel or member may take. This is shorter than [`ANSWER`], so that a new search can start: the other
/// members may have failed for a reason that is gone by then.
pub const SOURCE_ANSWER: Duration = Duration::from_secs(1);
/// How much earlier a step ends than its search. So the error of the step comes first, which says more.
pub const EARLIER: Duration = Duration::from_millis(100);

/// The kind of the error of a failed search. No other error has it, since the cluster client of the `redis` crate is
/// not used.
pub const UNREACHED: ErrorKind = ErrorKind::ClusterConnectionNotFound;

impl Topology {
    /// Connects to the current master.
    pub(crate) async fn master(&self) -> RedisResult<Master> {
        let deadline = Instant::now() + self.bound() - EARLIER;
        match self.servers() {
            Servers::Fixed(info) => Master::open(info.clone(), 0, self.tls(), deadline).await,
            Servers::Sentinels(sentinels) => sentinels.master(self.tls(), deadline).await,
            Servers::Cluster(_) => unreachable!("a cluster has several masters, which the module cluster finds"),
        }
    }

    /// Waits until Sentinels have replaced this master and name the next one. Without Sentinels, never returns.
    pub(crate) async fn replaced(&self, master: &ConnectionAddr, epoch: u64) {
        match self.servers() {
            Servers::Sentinels(sentinels) => sentinels.replaced(self.tls(), master, epoch).await,
            Servers::Fixed(_) | Servers::Cluster(_) => future::pending().await,
        }
    }

    /// Returns how long a search may take.
    fn bound(&self) -> Duration {
        match self.servers() {
            Servers::Fixed(_) => ANSWER,
            Servers::Sentinels(_) | Servers::Cluster(_) => SOURCE_ANSWER,
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

/// Makes the error of a failed search recognizable: [`not_sent`] is true for it, and [`will_pass`] stays as it was.
/// With its own kind, the error could look like that of a call that was sent.
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

#[cfg(test)]
mod tests {
    use std::io;

    use super::*;
    use crate::master::late;

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
