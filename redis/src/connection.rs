//! One connection to the master, shared by all its clones, for everything but subscriptions. When it ends, does not
//! answer in time, or a server says that it is not the master, the call that noticed returns the error, and the next
//! call finds the master again. No command is sent twice.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use futures_util::future::{BoxFuture, FutureExt, Shared};
use redis::{Cmd, ConnectionAddr, Pipeline, RedisError, RedisFuture, RedisResult, Value, aio::ConnectionLike, cmd};
use tokio::{sync::watch, time};

use crate::{
    locate::{ANSWER, Master, is_elsewhere, late, unreached},
    server::ServerConnection,
    topology::Topology,
};

/// A search for the master: in progress, done or failed. The callers that wait for it poll it.
type MasterSearch = Shared<BoxFuture<'static, RedisResult<Master>>>;

/// A connection that follows the master.
#[derive(Clone)]
pub struct Connection {
    topology: Arc<Topology>,
    /// The hash tag of all keys.
    tag: Arc<str>,
    attempt: Arc<Mutex<MasterSearch>>,
    /// The address at which the master was last found.
    found: Arc<watch::Sender<Option<ConnectionAddr>>>,
}

impl Connection {
    /// Prepares a connection, which connects when it is first used. All keys that it is used for must have the hash tag
    /// `tag`, since in a Redis Cluster the master is that of the tag's slot.
    pub fn new(topology: Topology, tag: &str) -> Self {
        let (topology, tag, found) = (Arc::new(topology), Arc::from(tag), Arc::new(watch::Sender::new(None)));
        let attempt = Arc::new(Mutex::new(search(topology.clone(), Arc::clone(&tag), found.clone())));
        Self { topology, tag, attempt, found }
    }

    /// Returns where it looks for the master.
    pub fn topology(&self) -> &Topology {
        &self.topology
    }

    /// Returns the master that commands go to, after it has answered a PING.
    pub(crate) async fn master(&self) -> RedisResult<Master> {
        let () = cmd("PING").query_async(&mut self.clone()).await?;
        let attempt = self.current().clone();
        attempt.await
    }

    /// Returns a channel with the address at which the master was last found.
    pub(crate) fn found(&self) -> watch::Receiver<Option<ConnectionAddr>> {
        self.found.subscribe()
    }

    fn current(&self) -> MutexGuard<'_, MasterSearch> {
        self.attempt.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Sends by the current connection. If that proves to be broken, or not to lead to the master, a new search
    /// replaces it for later calls.
    async fn call<T>(
        &self,
        send: impl AsyncFnOnce(ServerConnection) -> RedisResult<T>,
        is_wrong: impl Fn(&T) -> bool,
    ) -> RedisResult<T> {
        let attempt = self.current().clone();
        let (answer, wrong) = match attempt.clone().await {
            Err(error) => (Err(unreached(error)), true),
            Ok(master) => {
                let answer = send(master.connection).await;
                let wrong = answer.as_ref().map_or_else(is_broken, is_wrong);
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
            *attempt = search(self.topology.clone(), self.tag.clone(), self.found.clone());
        }
    }
}

/// Returns a search for the master, which starts when it is first polled.
fn search(topology: Arc<Topology>, tag: Arc<str>, found: Arc<watch::Sender<Option<ConnectionAddr>>>) -> MasterSearch {
    let search = async move {
        let master = time::timeout(ANSWER, topology.master(&tag)).await.unwrap_or_else(|_| Err(late()))?;
        found.send_replace(Some(master.info.addr().clone()));
        Ok(master)
    };
    search.boxed().shared()
}

/// Returns whether an error means that the connection must be replaced. A server that does not answer in time may have
/// been replaced as master.
fn is_broken(error: &RedisError) -> bool {
    error.is_unrecoverable_error() || error.is_timeout()
}

/// Returns whether this is an answer that only a server gives which is not the master.
fn is_refusal(value: &Value) -> bool {
    matches!(value, Value::ServerError(error) if error.kind().is_some_and(is_elsewhere))
}

impl ConnectionLike for Connection {
    fn req_packed_command<'a>(&'a mut self, cmd: &'a Cmd) -> RedisFuture<'a, Value> {
        self.call(async move |mut connection| connection.req_packed_command(cmd).await, is_refusal).boxed()
    }

    fn req_packed_commands<'a>(
        &'a mut self,
        pipeline: &'a Pipeline,
        offset: usize,
        count: usize,
    ) -> RedisFuture<'a, Vec<Value>> {
        let send =
            async move |mut connection: ServerConnection| connection.req_packed_commands(pipeline, offset, count).await;
        self.call(send, |values| values.iter().any(is_refusal)).boxed()
    }

    fn get_db(&self) -> i64 {
        self.topology.database()
    }
}
