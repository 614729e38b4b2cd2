//! Reads the map of slots from the members of a Redis Cluster.

use std::sync::Arc;

use futures_util::future::FutureExt;
use redis::{AsyncConnectionConfig, ConnectionAddr, ConnectionInfo, ErrorKind, RedisError, RedisResult, Value, pipe};
use tokio::time::Instant;

use super::slots::SlotMap;
use crate::{
    locate::{EARLIER, SOURCE_ANSWER},
    newest::newest,
    server::ServerConnection,
    topology::{Servers, Topology},
};

/// How many members are asked at most, besides those in the URL.
const MOST: usize = 8;

/// A member that is asked.
#[derive(Clone)]
pub enum Source {
    /// A member to which a connection is open.
    Connected(ServerConnection, ConnectionAddr),
    /// A member that needs a connection for this.
    Named(ConnectionInfo),
}

/// A map, and how new it is.
struct Reading {
    map: SlotMap,
    /// Whether the member can reach most masters.
    whole: bool,
    /// The cluster's current epoch as the member knows it, which rises with each failover and each slot that moves.
    epoch: u64,
}

/// Returns the members to ask: those with a connection, and those in the URL.
pub fn sources(topology: &Topology, connected: Vec<(ServerConnection, ConnectionAddr)>) -> Vec<Source> {
    let Servers::Cluster(seeds) = topology.servers() else { return Vec::new() };
    let is_new = |seed: &&ConnectionInfo| connected.iter().all(|(_, address)| address != seed.addr());
    let named: Vec<_> = seeds.iter().filter(is_new).cloned().map(Source::Named).collect();
    connected
        .into_iter()
        .take(MOST)
        .map(|(connection, address)| Source::Connected(connection, address))
        .chain(named)
        .collect()
}

/// Asks all sources at once, and returns the newest map of those that answer in time, or the last error.
pub async fn read(topology: Arc<Topology>, sources: Vec<Source>) -> RedisResult<SlotMap> {
    let deadline = Instant::now() + SOURCE_ANSWER;
    let ask = |source: Source| {
        let topology = topology.clone();
        async move { ask(&topology, source, deadline - EARLIER).await }.boxed()
    };
    let reading = newest(sources.into_iter().map(ask), deadline, |reading| (reading.whole, reading.epoch)).await?;
    Ok(reading.map)
}

async fn ask(topology: &Topology, source: Source, deadline: Instant) -> RedisResult<Reading> {
    let (mut connection, address) = match source {
        Source::Connected(connection, address) => (connection, address),
        Source::Named(info) => {
            let config = AsyncConnectionConfig::new();
            (ServerConnection::open(&info, topology.tls(), deadline, config).await?, info.addr().clone())
        }
    };
    let mut both = pipe();
    both.cmd("CLUSTER").arg("INFO").cmd("CLUSTER").arg("SLOTS");
    let (info, slots): (String, Value) = both.query_async(&mut connection).await?;
    let field = |name: &str| info.lines().find_map(|line| line.trim_end().strip_prefix(name));
    let whole = field("cluster_state:") == Some("ok");
    let epoch = field("cluster_current_epoch:").and_then(|epoch| epoch.parse().ok()).unwrap_or_default();
    let map = SlotMap::parse(slots, &address).ok_or_else(|| broken(&address))?;
    Ok(Reading { map, whole, epoch })
}

fn broken(address: &ConnectionAddr) -> RedisError {
    (ErrorKind::UnexpectedReturnType, "an answer to CLUSTER SLOTS can't be read", address.to_string()).into()
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use tokio::{
        io::{AsyncReadExt, AsyncWriteExt},
        net::TcpListener,
        time::sleep,
    };

    use super::*;

    /// Returns a member that takes this long to answer, knows this state and epoch, and names itself as the master of
    /// all slots.
    async fn member(delay: u64, state: &'static str, epoch: u64) -> u16 {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        tokio::spawn(async move {
            let (mut stream, _) = listener.accept().await.unwrap();
            let info = format!("cluster_state:{state}\r\ncluster_current_epoch:{epoch}\r\n");
            let slots = format!("*1\r\n*3\r\n:0\r\n:16383\r\n*2\r\n$0\r\n\r\n:{port}\r\n");
            let mut buffer = [0; 4096];
            while let Ok(length @ 1..) = stream.read(&mut buffer).await {
                for word in String::from_utf8_lossy(&buffer[..length]).lines() {
                    let answer = match word {
                        "SETINFO" => "+OK\r\n".to_owned(),
                        "INFO" => format!("${}\r\n{info}\r\n", info.len()),
                        "SLOTS" => slots.clone(),
                        _ => continue,
                    };
                    sleep(Duration::from_millis(delay)).await;
                    stream.write_all(answer.as_bytes()).await.unwrap();
                }
            }
        });
        port
    }

    async fn first_master(ports: &[u16]) -> u16 {
        let hosts: Vec<_> = ports.iter().map(|port| format!("127.0.0.1:{port}")).collect();
        let topology: Topology = format!("redis+cluster://{}", hosts.join(",")).parse().unwrap();
        let sources = sources(&topology, Vec::new());
        match &read(Arc::new(topology), sources).await.unwrap().masters[0] {
            ConnectionAddr::Tcp(_, port) => *port,
            other => panic!("{other}"),
        }
    }

    #[tokio::test]
    async fn the_newest_map_counts_and_not_the_first() {
        let (old, new) = (member(0, "ok", 3).await, member(10, "ok", 4).await);
        assert_eq!(first_master(&[old, new]).await, new);
        let (cut_off, old) = (member(0, "fail", 9).await, member(10, "ok", 3).await);
        assert_eq!(first_master(&[cut_off, old]).await, old);
        let (alone, hangs) = (member(0, "fail", 9).await, member(60_000, "ok", 10).await);
        assert_eq!(first_master(&[alone, hangs]).await, alone, "and it does not wait for long");
    }
}
