//! A connection to the master of one hash tag, wherever that is now.

use std::sync::Arc;

use futures_util::future::FutureExt;
use redis::{
    Cmd, ConnectionAddr, ConnectionInfo, Pipeline, RedisError, RedisFuture, RedisResult, ServerError, ServerErrorKind,
    Value, aio::ConnectionLike, cmd,
};

use crate::{
    Masters,
    cluster::ClusterMasters,
    known_masters::KnownMasters,
    server::{ServerConnection, server_error},
    single::SingleMaster,
    topology::Topology,
    whereabouts::Whereabouts,
};

/// A connection that follows the master of one hash tag. All keys that it is used for must have this tag. No command is
/// carried out twice. A call that a member of a Cluster refused whole with `MOVED` is sent once more, to the new
/// master. Any other call that fails because the master has changed returns the error, and the next call goes to the
/// new master.
#[derive(Clone)]
pub struct Connection {
    route: Route,
}

#[derive(Clone)]
enum Route {
    Single(Arc<SingleMaster>),
    Slot(Arc<ClusterMasters>, u16),
}

impl Connection {
    /// Prepares a connection of its own, which connects when it is first used. For several tags, use [`Masters`], whose
    /// connections share what they can.
    pub fn new(topology: Topology, tag: &str) -> Self {
        Masters::new(topology).connection(tag)
    }

    pub(crate) fn of(shared: &KnownMasters, slot: u16) -> Self {
        let route = match shared {
            KnownMasters::Single(single) => Route::Single(single.clone()),
            KnownMasters::Cluster(cluster) => Route::Slot(cluster.clone(), slot),
        };
        Self { route }
    }

    /// Returns where the connection looks for the master.
    pub fn topology(&self) -> &Topology {
        match &self.route {
            Route::Single(single) => single.topology(),
            Route::Slot(cluster, _) => cluster.topology(),
        }
    }

    /// Returns the address, user and password of the master that commands go to, after it has answered a PING.
    pub(crate) async fn master(&self) -> RedisResult<ConnectionInfo> {
        match &self.route {
            Route::Single(single) => single.answering().await,
            Route::Slot(cluster, slot) => {
                let () = cmd("PING").query_async(&mut self.clone()).await?;
                Ok(cluster.info(&cluster.find(*slot).await?.address))
            }
        }
    }

    /// Learns from an error of a connection that was made beside this one.
    pub(crate) fn doubt(&self, address: &ConnectionAddr, error: &RedisError) {
        if let Route::Slot(cluster, _) = &self.route {
            cluster.doubt(address, error);
        }
    }

    /// Returns what says when commands go to another address than this one.
    pub(crate) fn whereabouts(&self, address: ConnectionAddr) -> Whereabouts {
        match &self.route {
            Route::Single(single) => Whereabouts::of_single(single, address),
            Route::Slot(cluster, slot) => Whereabouts::of_slots(cluster.clone(), vec![*slot], address),
        }
    }

    async fn call<T, F: Future<Output = RedisResult<T>>>(
        &self,
        send: impl Fn(ServerConnection) -> F,
        answers: impl Fn(&T) -> &[Value],
    ) -> RedisResult<T> {
        match &self.route {
            Route::Single(single) => single.call(send, |answer| errors(answers(answer)).collect()).await,
            Route::Slot(cluster, slot) => {
                let answer = cluster.call(*slot, &send, |answer| errors(answers(answer)).collect()).await;
                match answer {
                    Ok(answer) if is_moved(answers(&answer)) => {
                        cluster.call(*slot, &send, |answer| errors(answers(answer)).collect()).await
                    }
                    _ => answer,
                }
            }
        }
    }
}

fn errors(answers: &[Value]) -> impl Iterator<Item = ServerError> {
    answers.iter().filter_map(server_error)
}

/// Returns whether the member carried out nothing of a call, since the slot has another master.
fn is_moved(answers: &[Value]) -> bool {
    let is_moved = |error: ServerError| error.kind() == Some(ServerErrorKind::Moved);
    !answers.is_empty() && answers.iter().all(|answer| server_error(answer).is_some_and(is_moved))
}

impl ConnectionLike for Connection {
    fn req_packed_command<'a>(&'a mut self, cmd: &'a Cmd) -> RedisFuture<'a, Value> {
        let send = move |mut connection: ServerConnection| async move { connection.req_packed_command(cmd).await };
        self.call(send, std::slice::from_ref).boxed()
    }

    fn req_packed_commands<'a>(
        &'a mut self,
        pipeline: &'a Pipeline,
        offset: usize,
        count: usize,
    ) -> RedisFuture<'a, Vec<Value>> {
        let send = move |mut connection: ServerConnection| async move {
            connection.req_packed_commands(pipeline, offset, count).await
        };
        self.call(send, Vec::as_slice).boxed()
    }

    fn get_db(&self) -> i64 {
        self.topology().database()
    }
}
