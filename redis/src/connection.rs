//! One connection to the master, for everything but listening, shared by all its clones. When it ends, hangs, or is told that the
//! master is elsewhere, whoever noticed gets the error, and the next call looks for the master again. Nothing is sent twice.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use futures_util::future::{BoxFuture, FutureExt, Shared};
use redis::{
    Cmd, ConnectionAddr, Pipeline, RedisError, RedisFuture, RedisResult, Value,
    aio::{ConnectionLike, MultiplexedConnection},
    cmd,
};
use tokio::{sync::watch, time};

use crate::{
    locate::{ANSWER, Master, is_elsewhere, late, unreached},
    topology::Topology,
};

/// An attempt to come to the master: under way, done or failed. Whoever needs it drives it.
type Attempt = Shared<BoxFuture<'static, RedisResult<Master>>>;

/// A connection that follows the master.
#[derive(Clone)]
pub struct Connection {
    topology: Arc<Topology>,
    /// The hash tag of all names that are asked for.
    tag: Arc<str>,
    attempt: Arc<Mutex<Attempt>>,
    /// Where the master was last found.
    found: Arc<watch::Sender<Option<ConnectionAddr>>>,
}

impl Connection {
    /// Prepares; connects when it is first used. In a Redis Cluster all names that it is used for have the hash tag `tag`.
    pub fn new(topology: Topology, tag: &str) -> Self {
        let (topology, tag, found) = (Arc::new(topology), Arc::from(tag), Arc::new(watch::Sender::new(None)));
        let attempt = Arc::new(Mutex::new(search(topology.clone(), Arc::clone(&tag), found.clone())));
        Self { topology, tag, attempt, found }
    }

    /// Where it looks for the master.
    pub fn topology(&self) -> &Topology {
        &self.topology
    }

    /// The master that commands go to, which has just answered.
    pub(crate) async fn master(&self) -> RedisResult<Master> {
        let () = cmd("PING").query_async(&mut self.clone()).await?;
        let attempt = self.current().clone();
        attempt.await
    }

    /// Tells where the master was last found.
    pub(crate) fn found(&self) -> watch::Receiver<Option<ConnectionAddr>> {
        self.found.subscribe()
    }

    fn current(&self) -> MutexGuard<'_, Attempt> {
        self.attempt.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Calls by the connection as it is; one that proves wrong is given up, for a new attempt.
    async fn call<T>(
        &self,
        send: impl AsyncFnOnce(MultiplexedConnection) -> RedisResult<T>,
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

    /// Unless another has done so already.
    fn give_up(&self, wrong: &Attempt) {
        let mut attempt = self.current();
        if attempt.ptr_eq(wrong) {
            *attempt = search(self.topology.clone(), self.tag.clone(), self.found.clone());
        }
    }
}

/// Not begun before it is first waited for.
fn search(topology: Arc<Topology>, tag: Arc<str>, found: Arc<watch::Sender<Option<ConnectionAddr>>>) -> Attempt {
    let search = async move {
        let master = time::timeout(ANSWER, topology.master(&tag)).await.unwrap_or_else(|_| Err(late()))?;
        found.send_replace(Some(master.info.addr().clone()));
        Ok(master)
    };
    search.boxed().shared()
}

/// A server that does not answer in time may have been replaced meanwhile, by one that does.
fn is_broken(error: &RedisError) -> bool {
    error.is_unrecoverable_error() || error.is_timeout()
}

/// An answer that only one who is not the master gives.
fn is_refusal(value: &Value) -> bool {
    matches!(value, Value::ServerError(error) if error.kind().is_some_and(is_elsewhere))
}

impl ConnectionLike for Connection {
    fn req_packed_command<'a>(&'a mut self, cmd: &'a Cmd) -> RedisFuture<'a, Value> {
        self.call(async move |mut connection| connection.send_packed_command(cmd).await, is_refusal).boxed()
    }

    fn req_packed_commands<'a>(
        &'a mut self,
        pipeline: &'a Pipeline,
        offset: usize,
        count: usize,
    ) -> RedisFuture<'a, Vec<Value>> {
        let send = async move |mut connection: MultiplexedConnection| {
            connection.send_packed_commands(pipeline, offset, count).await
        };
        self.call(send, |values| values.iter().any(is_refusal)).boxed()
    }

    fn get_db(&self) -> i64 {
        self.topology.database()
    }
}
