//! What is published on a channel of the partition.

use std::time::Duration;

use muster_testkit::wait::until;
use redis::{AsyncConnectionConfig, FromRedisValue, PushInfo, PushKind, aio::MultiplexedConnection};
use tokio::{sync::mpsc, time};

use crate::store::TestPartition;

/// A subscription to one channel.
pub struct ChannelListener {
    _connection: MultiplexedConnection,
    heard: mpsc::UnboundedReceiver<PushInfo>,
}

impl TestPartition {
    /// Listens on a channel from now on.
    pub async fn listen(&self, channel: &str) -> ChannelListener {
        let client = redis::Client::open(format!("{}/?protocol=resp3", self.redis.url)).unwrap();
        let (sender, heard) = mpsc::unbounded_channel();
        let config = AsyncConnectionConfig::new().set_push_sender(sender);
        let mut connection = client.get_multiplexed_async_connection_with_config(&config).await.unwrap();
        let channel = self.keys.channel(channel);
        let () = redis::cmd("SSUBSCRIBE").arg(&channel).query_async(&mut connection).await.unwrap();
        until("somebody listens", async || {
            let counted: (String, u64) = self.call(redis::cmd("PUBSUB").arg("SHARDNUMSUB").arg(&channel)).await;
            counted.1 == 1
        })
        .await;
        ChannelListener { _connection: connection, heard }
    }
}

impl ChannelListener {
    /// The next message.
    pub async fn next(&mut self) -> String {
        loop {
            let push = time::timeout(Duration::from_secs(5), self.heard.recv()).await.expect("nothing is published");
            let push = push.expect("the connection lives");
            if push.kind == PushKind::SMessage {
                return String::from_redis_value(push.data[1].clone()).unwrap();
            }
        }
    }
}
