//! A partition on a Redis of the test's own.

use std::{sync::Arc, time::Duration};

use muster_node::backplane::{
    EventView,
    redis::partition::{PartitionScripts, StorePartition, events::events_of},
};
use muster_protocol::{
    id::ClusterName,
    partition::{PartitionIndex, Partitions},
    redis_keys::RedisKeys,
};
use muster_redis::{Connection, Topology};
use muster_testkit::{TestRedis, wait::until};
use redis::{AsyncConnectionConfig, Cmd, FromRedisValue, aio::MultiplexedConnection, streams::StreamRangeReply};

/// A store of one partition.
pub struct TestPartition {
    /// The server. It ends with this.
    pub redis: TestRedis,
    /// The partition.
    pub partition: StorePartition,
    /// The names of its keys.
    pub keys: RedisKeys,
    pub raw: MultiplexedConnection,
}

impl TestPartition {
    /// An empty partition.
    pub async fn start() -> Self {
        let redis = TestRedis::start().await;
        let topology: Topology = redis.url.parse().unwrap();
        let (partitions, index) = (Partitions::new(1).unwrap(), PartitionIndex(0));
        let keys = RedisKeys::of_partition(&ClusterName::default(), 0, partitions, index);
        let connection = Connection::new(topology, keys.tag());
        let client = redis::Client::open(redis.url.as_str()).unwrap();
        let config = AsyncConnectionConfig::new().set_response_timeout(Some(Duration::from_secs(10)));
        let raw = client.get_multiplexed_async_connection_with_config(&config).await.unwrap();
        let partition =
            StorePartition::new(index, keys.clone(), connection, Arc::new(PartitionScripts::new(1 << 30, true)));
        Self { redis, partition, keys, raw }
    }

    /// The answer to a command whose first argument is a key of the partition.
    pub async fn ask<T: FromRedisValue>(&self, command: &str, key: &str, arguments: &[&str]) -> T {
        let mut cmd = redis::cmd(command);
        cmd.arg(self.keys.key(key)).arg(arguments);
        self.call(&cmd).await
    }

    /// The answer to any command.
    pub async fn call<T: FromRedisValue>(&self, cmd: &Cmd) -> T {
        cmd.query_async(&mut self.raw.clone()).await.unwrap()
    }

    /// Does what a pipeline asks.
    pub async fn run(&self, pipe: &redis::Pipeline) {
        let () = pipe.query_async(&mut self.raw.clone()).await.unwrap();
    }

    /// Waits until the clock of the partition, which judges what has expired, has moved on by more than `ms` milliseconds.
    pub async fn let_pass(&self, ms: u64) {
        let end = self.partition.clock().await.unwrap() + Duration::from_millis(ms);
        until("the clock of Redis moves on", async || self.partition.clock().await.unwrap() > end).await;
    }

    /// A bit of a bitmap.
    pub async fn bit(&self, key: &str, ordinal: u32) -> bool {
        self.ask("GETBIT", key, &[&ordinal.to_string()]).await
    }

    /// All events, oldest first.
    pub async fn events(&self) -> Vec<EventView> {
        let entries: StreamRangeReply = self.ask("XRANGE", "events", &["-", "+"]).await;
        entries.ids.iter().flat_map(events_of).collect()
    }

    /// The kinds and data of all events, without times.
    pub async fn told(&self) -> Vec<String> {
        let timeless = |event: EventView| {
            let mut data: serde_json::Value = serde_json::from_str(&event.data).unwrap();
            data.as_object_mut().unwrap().remove("at");
            format!("{} {data}", event.kind)
        };
        self.events().await.into_iter().map(timeless).collect()
    }
}
