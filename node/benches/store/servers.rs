//! The servers of a store, and what they say of themselves.

use std::{
    collections::BTreeMap,
    fmt,
    process::{Command, Stdio},
};

use clap::ValueEnum;
use futures_util::future::join_all;
use muster_redis::Masters;
use muster_testkit::{TestCluster, TestRedis};
use redis::{Cmd, FromRedisValue, InfoDict, aio::MultiplexedConnection, cmd};

/// A key on the first master: it has the tag of partition 0.
const UNIT_KEY: &str = "{muster:0.1518}:unit";

/// On which servers the store lies.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum BenchTopology {
    /// One Redis.
    One,
    /// A Redis Cluster of three masters without replicas.
    Cluster,
}

impl fmt::Display for BenchTopology {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::One => "one Redis",
            Self::Cluster => "three masters",
        })
    }
}

/// What was started. Dropping it ends the servers.
enum Started {
    One { _redis: Box<TestRedis> },
    Cluster { _cluster: TestCluster },
}

/// The servers of a store.
pub struct BenchServers {
    /// Which they are.
    pub topology: BenchTopology,
    /// For `--redis`.
    pub url: String,
    /// The connections of the store.
    pub masters: Masters,
    /// A connection to each master.
    raw: Vec<MultiplexedConnection>,
    _started: Started,
}

impl BenchServers {
    /// Starts them, empty. Calls of more than half a millisecond go to the log of slow calls.
    /// With `precedence` they run before all other programs.
    pub async fn start(topology: BenchTopology, precedence: bool) -> Self {
        let (started, url, urls) = match topology {
            BenchTopology::One => {
                let redis = TestRedis::start().await;
                let url = redis.url.clone();
                (Started::One { _redis: redis.into() }, url.clone(), vec![url])
            }
            BenchTopology::Cluster => {
                let cluster = TestCluster::without_replicas().await;
                let urls: Vec<_> =
                    cluster.servers.iter().map(|server| format!("redis://127.0.0.1:{}", server.port)).collect();
                (Started::Cluster { _cluster: cluster }, url_of(&urls), urls)
            }
        };
        let connect = |url: &String| {
            let client = redis::Client::open(url.as_str()).expect("a URL of Redis");
            async move { client.get_multiplexed_async_connection().await.expect("Redis answers") }
        };
        let raw = join_all(urls.iter().map(connect)).await;
        let masters = Masters::new(url.parse().expect("a URL of Redis"));
        let servers = Self { topology, url, masters, raw, _started: started };
        for (name, value) in [("slowlog-log-slower-than", 500), ("slowlog-max-len", 10_000)] {
            let _: Vec<String> = servers.all(cmd("CONFIG").arg("SET").arg(name).arg(value)).await;
        }
        if precedence {
            servers.take_precedence().await;
        }
        servers
    }

    /// Has the masters run before all other programs. A system that keeps 5 % of each second for those stops a master that needs more
    /// than 95 % of a second, for 50 ms.
    async fn take_precedence(&self) {
        let infos: Vec<InfoDict> = self.all(cmd("INFO").arg("server")).await;
        for info in infos {
            let process: u32 = info.get("process_id").expect("Redis tells its process");
            let mut chrt = Command::new("chrt");
            chrt.args(["--all-tasks", "--fifo", "--pid", "1", &process.to_string()]).stderr(Stdio::null());
            let is_given = chrt.status().is_ok_and(|status| status.success());
            assert!(is_given, "--precedence: chrt can't give Redis precedence: run as root, or without it");
        }
    }

    /// The answers of all masters, in their order.
    pub async fn all<T: FromRedisValue>(&self, command: &Cmd) -> Vec<T> {
        let ask = |connection: &MultiplexedConnection| {
            let mut connection = connection.clone();
            async move { command.query_async(&mut connection).await.expect("Redis answers") }
        };
        join_all(self.raw.iter().map(ask)).await
    }

    /// The CPU time that each master has used, in microseconds.
    pub async fn cpu(&self) -> Vec<f64> {
        let of = |info: &InfoDict, name| info.get::<f64>(name).expect("Redis tells its CPU");
        let infos: Vec<InfoDict> = self.all(cmd("INFO").arg("cpu")).await;
        let sum = |info| of(info, "used_cpu_user_main_thread") + of(info, "used_cpu_sys_main_thread");
        infos.iter().map(|info| sum(info) * 1e6).collect()
    }

    /// The bytes that all masters have allocated.
    pub async fn memory(&self) -> f64 {
        let infos: Vec<InfoDict> = self.all(cmd("INFO").arg("memory")).await;
        infos.iter().map(|info| info.get::<f64>("used_memory").expect("Redis tells its memory")).sum()
    }

    /// The bytes of all keys that match a pattern.
    pub async fn memory_of(&self, pattern: &str) -> f64 {
        let mut bytes = 0.0;
        for connection in &self.raw {
            let (mut connection, mut cursor) = (connection.clone(), 0u64);
            loop {
                let mut scan = cmd("SCAN");
                scan.arg(cursor).arg("MATCH").arg(pattern).arg("COUNT").arg(1000);
                let (next, keys): (u64, Vec<String>) = scan.query_async(&mut connection).await.expect("Redis answers");
                let mut pipe = redis::pipe();
                keys.iter().for_each(|key| _ = pipe.cmd("MEMORY").arg("USAGE").arg(key).arg("SAMPLES").arg(0));
                if !keys.is_empty() {
                    let sizes: Vec<Option<f64>> = pipe.query_async(&mut connection).await.expect("Redis answers");
                    bytes += sizes.into_iter().flatten().sum::<f64>();
                }
                cursor = next;
                if cursor == 0 {
                    break;
                }
            }
        }
        bytes
    }

    /// Begins to count calls, and to log slow ones, anew.
    pub async fn reset(&self) {
        let _: Vec<String> = self.all(cmd("CONFIG").arg("RESETSTAT")).await;
        let _: Vec<String> = self.all(cmd("SLOWLOG").arg("RESET")).await;
    }

    /// The longest call since the reset, in microseconds; 0 if none took half a millisecond.
    pub async fn longest_call(&self) -> u64 {
        let logs: Vec<Vec<Vec<redis::Value>>> = self.all(cmd("SLOWLOG").arg("GET").arg(-1)).await;
        let time = |entry: &Vec<redis::Value>| redis::from_redis_value(entry[2].clone()).unwrap_or(0);
        logs.iter().flatten().map(time).max().unwrap_or(0)
    }

    /// Of each master: calls and microseconds by command since the reset. What scripts call is also in `evalsha`.
    pub async fn calls(&self) -> Vec<BTreeMap<String, (f64, f64)>> {
        let stats: Vec<String> = self.all(cmd("INFO").arg("commandstats")).await;
        let line = |line: &str| {
            let (name, rest) = line.strip_prefix("cmdstat_")?.split_once(":calls=")?;
            let mut numbers = rest.split([',', '=']);
            let calls = numbers.next()?.parse().ok()?;
            let time = numbers.nth(1)?.parse().ok()?;
            Some((name.to_owned(), (calls, time)))
        };
        stats.iter().map(|stats| stats.lines().filter_map(line).collect()).collect()
    }

    /// U, in microseconds.
    pub async fn unit(&self) -> f64 {
        let before = self.cpu().await[0];
        for batch in 0..200 {
            let mut pipe = redis::pipe();
            (0..500).for_each(|at| _ = pipe.hset(UNIT_KEY, batch * 500 + at, "x".repeat(100)).ignore());
            let () = pipe.query_async(&mut self.raw[0].clone()).await.expect("Redis answers");
        }
        let unit = (self.cpu().await[0] - before) / 100_000.0;
        let _: u64 = cmd("DEL").arg(UNIT_KEY).query_async(&mut self.raw[0].clone()).await.expect("Redis answers");
        unit
    }
}

fn url_of(urls: &[String]) -> String {
    let hosts: Vec<_> = urls.iter().map(|url| url.trim_start_matches("redis://")).collect();
    format!("redis+cluster://{}", hosts.join(","))
}
