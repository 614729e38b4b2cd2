//! What is published on a channel of the partition.

use muster_testkit::ChannelListener;

use crate::store::TestPartition;

impl TestPartition {
    /// Listens on a channel from now on.
    pub async fn listen(&self, channel: &str) -> ChannelListener {
        self.redis.listen(&self.keys.channel(channel)).await
    }
}
