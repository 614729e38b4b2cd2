//! What is published on a channel of Redis.

use std::time::Duration;

use redis::{AsyncConnectionConfig, FromRedisValue, PushInfo, PushKind, aio::MultiplexedConnection};
use tokio::{sync::mpsc, time};

use crate::{TestRedis, wait::until};

/// A subscription to one channel.
pub struct ChannelListener {
    _connection: MultiplexedConnection,
    heard: mpsc::UnboundedReceiver<PushInfo>,
}

impl TestRedis {
    /// Listens on a channel from now on.
    pub async fn listen(&self, channel: &str) -> ChannelListener {
        let others = self.listeners(channel).await;
        let client = redis::Client::open(format!("{}/?protocol=resp3", self.url)).unwrap();
        let (sender, heard) = mpsc::unbounded_channel();
        let config = AsyncConnectionConfig::new().set_push_sender(sender);
        let mut connection = client.get_multiplexed_async_connection_with_config(&config).await.unwrap();
        let () = redis::cmd("SSUBSCRIBE").arg(channel).query_async(&mut connection).await.unwrap();
        until("it listens", async || self.listeners(channel).await > others).await;
        ChannelListener { _connection: connection, heard }
    }

    async fn listeners(&self, channel: &str) -> u64 {
        let counted: (String, u64) = self.ask(&["PUBSUB", "SHARDNUMSUB", channel]).await.unwrap();
        counted.1
    }
}

impl ChannelListener {
    /// The next message. Waits 5 s for it.
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
