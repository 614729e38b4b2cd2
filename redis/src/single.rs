//! The master of one server or of Sentinels: one connection, shared by all its users. When it ends, does not answer in
//! time, or leads to a server that says that it is not the master, the call that noticed returns the error, and the
//! next call finds the master again. When Sentinels replace the master, the connection to it is closed. No command is
//! sent twice.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use futures_util::future::{BoxFuture, FutureExt, Shared};
use redis::{ConnectionAddr, ConnectionInfo, RedisError, RedisResult, ServerError, aio::ConnectionLike, cmd};
use tokio::{sync::watch, time};
use tokio_util::task::AbortOnDropHandle;

use crate::{
    locate::{is_elsewhere, unreached},
    master::{Master, late},
    server::{ANSWER, ServerConnection, server_error},
    topology::Topology,
};

/// A search for the master: in progress, done or failed. The callers that wait for it poll it.
type MasterSearch = Shared<BoxFuture<'static, RedisResult<Followed>>>;

/// A master that was found, and the task that closes the connection to it when Sentinels replace it. The task ends with
/// the last clone.
#[derive(Clone)]
struct Followed {
    master: Master,
    _watch: Arc<AbortOnDropHandle<()>>,
}

/// A connection that follows the one master.
pub struct SingleMaster {
    topology: Arc<Topology>,
    attempt: Mutex<MasterSearch>,
    /// The address at which the master was last found.
    found: Arc<watch::Sender<Option<ConnectionAddr>>>,
}

impl SingleMaster {
    /// Prepares a connection, which connects when it is first used.
    pub fn new(topology: Topology) -> Self {
        let (topology, found) = (Arc::new(topology), Arc::new(watch::Sender::new(None)));
        let attempt = Mutex::new(search(topology.clone(), found.clone()));
        Self { topology, attempt, found }
    }

    /// Returns where the connection looks for the master.
    pub fn topology(&self) -> &Topology {
        &self.topology
    }

    /// Returns the address, user and password of the master, after it has answered a PING.
    pub async fn answering(&self) -> RedisResult<ConnectionInfo> {
        let ping = cmd("PING");
        let ping = async |mut connection: ServerConnection| connection.req_packed_command(&ping).await;
        self.call(ping, |answer| server_error(answer).into_iter().collect()).await?.extract_error()?;
        let attempt = self.current().clone();
        Ok(attempt.await.map_err(unreached)?.master.info)
    }

    /// Returns a channel with the address at which the master was last found.
    pub fn found(&self) -> watch::Receiver<Option<ConnectionAddr>> {
        self.found.subscribe()
    }

    fn current(&self) -> MutexGuard<'_, MasterSearch> {
        self.attempt.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Sends by the current connection. If the connection is broken, or does not lead to the master, a new search
    /// replaces it for later calls.
    pub async fn call<T, F: Future<Output = RedisResult<T>>>(
        &self,
        send: impl FnOnce(ServerConnection) -> F,
        errors: impl Fn(&T) -> Vec<ServerError>,
    ) -> RedisResult<T> {
        let attempt = self.current().clone();
        let (answer, wrong) = match attempt.clone().await {
            Err(error) => (Err(unreached(error)), true),
            Ok(followed) => {
                let answer = send(followed.master.connection).await;
                let wrong = answer.as_ref().map_or_else(is_broken, |value| errors(value).iter().any(is_refusal));
                (answer, wrong)
            }
        };
        if wrong {
            self.give_up(&attempt);
        }
        answer
    }

    /// Replaces an attempt by a new search, unless another call has done so.
    fn give_up(&self, wrong: &MasterSearch) {
        let mut attempt = self.current();
        if attempt.ptr_eq(wrong) {
            *attempt = search(self.topology.clone(), self.found.clone());
        }
    }
}

/// Returns a search for the master, which starts when it is first polled.
fn search(topology: Arc<Topology>, found: Arc<watch::Sender<Option<ConnectionAddr>>>) -> MasterSearch {
    let search = async move {
        let master = time::timeout(ANSWER, topology.master()).await.unwrap_or_else(|_| Err(late()))?;
        found.send_replace(Some(master.info.addr().clone()));
        let watch = tokio::spawn(close_when_replaced(topology, &master));
        Ok(Followed { master, _watch: Arc::new(AbortOnDropHandle::new(watch)) })
    };
    search.boxed().shared()
}

/// Returns the task that waits until Sentinels replace this master. The task has no clone of the connection, and so
/// does not keep it open.
fn close_when_replaced(topology: Arc<Topology>, master: &Master) -> impl Future<Output = ()> + use<> {
    let (address, epoch) = (master.info.addr().clone(), master.epoch);
    let connection = master.connection.abort_handle();
    async move {
        topology.replaced(&address, epoch).await;
        connection.abort();
    }
}

/// Returns whether an error means that the connection must be replaced. A server that does not answer in time may have
/// been replaced as master.
pub fn is_broken(error: &RedisError) -> bool {
    error.is_unrecoverable_error() || error.is_timeout()
}

/// Returns whether the server says by this answer that it is not the master.
fn is_refusal(error: &ServerError) -> bool {
    error.kind().is_some_and(is_elsewhere)
}
