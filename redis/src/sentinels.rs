//! Asks Sentinels which server is the master.
//!
//! Two servers can say that they are the master. Sentinels may take a live master for dead, make another server the
//! master, and make the old one a replica only some 10 s later. What is written to the old master meanwhile is lost. So
//! the connections ask the Sentinels again and again. Sentinels count their failovers, and of two masters the one with
//! the higher epoch stays.

use std::{collections::HashMap, time::Duration};

use futures_util::future::{FutureExt, select_all};
use muster_net::Tls;
use redis::{
    AsyncConnectionConfig, ConnectionAddr, ConnectionInfo, ErrorKind, IntoConnectionInfo, RedisConnectionInfo,
    RedisError, RedisResult, ServerErrorKind, Value, cmd, from_redis_value,
};
use tokio::time::{Instant, sleep};

use crate::{
    master::Master,
    newest::newest,
    server::{ANSWER, ServerConnection},
};

/// The time from one answer of a Sentinel to the next question.
const PAUSE: Duration = Duration::from_millis(500);

/// Some Sentinels, and what to ask them for.
#[derive(Debug, Clone)]
pub struct Sentinels {
    /// The address, user and password of each Sentinel.
    pub members: Vec<ConnectionInfo>,
    /// The name of the master.
    pub name: String,
    /// User and password for the master.
    pub entry: RedisConnectionInfo,
}

/// The server that a Sentinel names.
struct Named {
    info: ConnectionInfo,
    /// The epoch of the failover that made the server the master.
    epoch: u64,
}

impl Sentinels {
    /// Asks all Sentinels at once, and gives up at the deadline. Returns the first master to which one of them leads,
    /// or another of a higher epoch that is found soon after. So a Sentinel that is dead, hangs, or names an old master
    /// delays little. Returns the last error if no Sentinel leads to a master.
    pub async fn master(&self, tls: Option<&Tls>, deadline: Instant) -> RedisResult<Master> {
        let asked = self.members.iter().map(|sentinel| self.master_by(sentinel, tls, deadline).boxed());
        newest(asked, deadline, |master| master.epoch).await
    }

    /// Waits until a Sentinel names another server of a higher epoch than this master's, and that server says that it
    /// is the master.
    pub async fn replaced(&self, tls: Option<&Tls>, master: &ConnectionAddr, epoch: u64) {
        let watch = async |sentinel| {
            while self.replaced_by(sentinel, tls, master, epoch).await.is_err() {
                sleep(PAUSE).await;
            }
        };
        select_all(self.members.iter().map(|sentinel| watch(sentinel).boxed())).await;
    }

    /// Connects to the master that a Sentinel names, and asks that server for its role: a Sentinel goes on naming a
    /// master that has just died, and a server that was the master may come back as one.
    async fn master_by(&self, sentinel: &ConnectionInfo, tls: Option<&Tls>, deadline: Instant) -> RedisResult<Master> {
        let named = self.named(&mut connect(sentinel, tls, deadline).await?).await?;
        let mut master = Master::open(named.info, named.epoch, tls, deadline).await?;
        match master.says_so().await? {
            true => Ok(master),
            false => Err(RedisError::from((
                ErrorKind::Server(ServerErrorKind::ReadOnly),
                "the server that the Sentinels name is not the master yet",
            ))),
        }
    }

    /// Does as [`replaced`](Self::replaced) does, by one Sentinel, as long as that one answers.
    async fn replaced_by(
        &self,
        sentinel: &ConnectionInfo,
        tls: Option<&Tls>,
        master: &ConnectionAddr,
        epoch: u64,
    ) -> RedisResult<()> {
        let mut connection = connect(sentinel, tls, Instant::now() + ANSWER).await?;
        loop {
            let named = self.named(&mut connection).await?;
            if named.epoch > epoch && named.info.addr() != master {
                let mut other = Master::open(named.info, named.epoch, tls, Instant::now() + ANSWER).await?;
                if other.says_so().await? {
                    return Ok(());
                }
            }
            sleep(PAUSE).await;
        }
    }

    /// Asks a Sentinel which server is the master. Asks for the epoch first: if a failover comes between the two
    /// questions, the epoch is one too low, and not that of a later master.
    async fn named(&self, sentinel: &mut ServerConnection) -> RedisResult<Named> {
        let about: RedisResult<Value> = cmd("SENTINEL").arg("MASTER").arg(&self.name).query_async(sentinel).await;
        let epoch = match about {
            Ok(about) => config_epoch(about),
            Err(error) if error.is_unrecoverable_error() || error.is_timeout() => return Err(error),
            // The next answer says what is wrong.
            Err(_) => 0,
        };
        let answer: Option<(String, u16)> =
            cmd("SENTINEL").arg("GET-MASTER-ADDR-BY-NAME").arg(&self.name).query_async(sentinel).await?;
        let (host, port) = answer.ok_or_else(unknown)?;
        let info = ConnectionAddr::Tcp(host, port).into_connection_info()?.set_redis_settings(self.entry.clone());
        Ok(Named { info, epoch })
    }
}

/// Returns the epoch that a Sentinel tells of a master; 0 if it tells none. Some services answer the question for the
/// address alone, and have no epochs.
fn config_epoch(about: Value) -> u64 {
    let about: HashMap<String, String> = from_redis_value(about).unwrap_or_default();
    about.get("config-epoch").and_then(|epoch| epoch.parse().ok()).unwrap_or(0)
}

fn unknown() -> RedisError {
    (ErrorKind::MasterNameNotFoundBySentinel, "the Sentinels know no master of this name").into()
}

async fn connect(sentinel: &ConnectionInfo, tls: Option<&Tls>, deadline: Instant) -> RedisResult<ServerConnection> {
    ServerConnection::open(sentinel, tls, deadline, AsyncConnectionConfig::new()).await
}
