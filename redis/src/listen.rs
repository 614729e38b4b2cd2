//! Receives the messages of channels, on a connection of its own to the master that has them. The channels are shard
//! channels (SSUBSCRIBE and SPUBLISH, from Redis 7): in a Redis Cluster their messages stay with the master of their
//! slot and its replicas. A single server treats them like other channels.

use std::sync::{
    Arc, Mutex, PoisonError,
    atomic::{AtomicUsize, Ordering},
};

use futures_util::future::try_join_all;
use redis::{
    AsyncConnectionConfig, ConnectionAddr, ConnectionInfo, ProtocolVersion, PushInfo, PushKind, RedisResult, Value,
    aio::AsyncPushSender, cmd, from_redis_value,
};
use tokio::{sync::mpsc, task::AbortHandle, time::Instant};

use crate::{
    connection::Connection,
    locate::EARLIER,
    server::{ANSWER, ServerConnection},
    topology::Topology,
    whereabouts::Whereabouts,
};

/// How many messages can wait to be received. When one more arrives, the subscription ends. Redis bounds its own buffer
/// for a slow subscriber with `client-output-buffer-limit pubsub`.
const WAITING: usize = 2048;
/// How many bytes the messages that wait can have together. At this bound the subscription ends too.
const WAITING_BYTES: usize = 32 << 20;

/// A message of a channel.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ChannelMessage {
    /// The channel.
    pub channel: String,
    /// What was published.
    pub payload: Vec<u8>,
}

/// Closes a subscription from elsewhere, if its connection is dead and does not say so.
#[derive(Debug, Clone)]
pub struct Closer(AbortHandle);

impl Closer {
    /// Closes the connection. The subscription then returns `None`.
    pub fn close(&self) {
        self.0.abort();
    }
}

/// A subscription to channels at one server.
pub(crate) struct Subscribed {
    connection: ServerConnection,
    queue: Queue,
    whereabouts: Whereabouts,
}

impl Subscribed {
    /// Subscribes to channels at this server. In a Redis Cluster the server must be the master of all the channels, or
    /// its replica.
    pub async fn open(
        topology: &Topology,
        server: &ConnectionInfo,
        channels: impl Iterator<Item = &str>,
        whereabouts: Whereabouts,
    ) -> RedisResult<Self> {
        // Only RESP3 distinguishes messages from answers.
        let settings = server.redis_settings().clone().set_protocol(ProtocolVersion::RESP3);
        let server = server.clone().set_redis_settings(settings);
        let (push, queue) = queue();
        let config = AsyncConnectionConfig::new().set_push_sender(push);
        let deadline = Instant::now() + ANSWER - EARLIER;
        let connection = ServerConnection::open(&server, topology.tls(), deadline, config).await?;
        let subscribe = |channel| {
            let mut connection = connection.clone();
            async move { cmd("SSUBSCRIBE").arg(channel).query_async::<()>(&mut connection).await }
        };
        // One command for each channel, since the channels of one command must have one slot. All commands share the
        // way there and back.
        try_join_all(channels.map(subscribe)).await?;
        Ok(Self { connection, queue, whereabouts })
    }

    /// Returns the address of the server.
    pub fn master(&self) -> &ConnectionAddr {
        self.whereabouts.master()
    }

    /// Returns what closes the subscription.
    pub fn closer(&self) -> Closer {
        Closer(self.connection.abort_handle())
    }

    /// Returns the next message. `None` when the connection has ended or was closed, when a channel has moved to
    /// another server, or when commands go to another server, whose messages would not arrive here. Also `None` after a
    /// message for which the queue had no room: with later messages the loss would go unnoticed.
    pub async fn next(&mut self) -> Option<ChannelMessage> {
        let push = tokio::select! {
            push = self.queue.next() => push?,
            () = self.whereabouts.moved() => return None,
        };
        (push.kind == PushKind::SMessage).then(|| message(push)).flatten()
    }
}

/// A subscription to the channels of one hash tag.
pub struct Subscription(Subscribed);

impl Connection {
    /// Subscribes to these channels at the master to which commands go. The channels must have the connection's hash
    /// tag.
    pub async fn listen(&self, channels: &[&str]) -> RedisResult<Subscription> {
        let master = self.master().await?;
        let whereabouts = self.whereabouts(master.addr().clone());
        let opened = Subscribed::open(self.topology(), &master, channels.iter().copied(), whereabouts).await;
        opened.map(Subscription).inspect_err(|error| self.doubt(master.addr(), error))
    }
}

impl Subscription {
    /// Returns the address of the server at which this is subscribed.
    pub fn master(&self) -> &ConnectionAddr {
        self.0.master()
    }

    /// Returns the payload of the next message. `None` when the connection has ended, when the channels have moved to
    /// another server, or when commands go to another server, whose messages would not arrive here. Also `None` after a
    /// message for which the queue had no room.
    pub async fn next(&mut self) -> Option<Vec<u8>> {
        self.0.next().await.map(|message| message.payload)
    }
}

/// The messages that wait to be received.
struct Queue {
    pushes: mpsc::Receiver<PushInfo>,
    bytes: Arc<AtomicUsize>,
}

impl Queue {
    async fn next(&mut self) -> Option<PushInfo> {
        let push = self.pushes.recv().await?;
        self.bytes.fetch_sub(size(&push), Ordering::Relaxed);
        Some(push)
    }
}

/// Returns a queue that the first message closes for which it has no room: nothing can make the connection wait. Only
/// messages and what ends a subscription go into it.
fn queue() -> (impl AsyncPushSender, Queue) {
    let (sender, pushes) = mpsc::channel(WAITING);
    let (open, bytes) = (Mutex::new(Some(sender)), Arc::new(AtomicUsize::new(0)));
    let queue = Queue { pushes, bytes: bytes.clone() };
    let push = move |push: PushInfo| {
        if !matches!(push.kind, PushKind::SMessage | PushKind::SUnsubscribe | PushKind::Disconnection) {
            return Ok(());
        }
        let mut open = open.lock().unwrap_or_else(PoisonError::into_inner);
        let size = size(&push);
        let fits = bytes.fetch_add(size, Ordering::Relaxed) + size <= WAITING_BYTES;
        let sender = open.as_ref().filter(|_| fits).ok_or(());
        let sent = sender.and_then(|sender| sender.try_send(push).map_err(|_| ()));
        if sent.is_err() {
            *open = None;
        }
        sent
    };
    (push, queue)
}

/// Returns the bytes of a push's texts.
fn size(push: &PushInfo) -> usize {
    let bytes = |value: &Value| if let Value::BulkString(bytes) = value { bytes.len() } else { 0 };
    push.data.iter().map(bytes).sum()
}

/// Reads a message: its channel, and its payload. `None` if it is no message.
fn message(push: PushInfo) -> Option<ChannelMessage> {
    let mut fields = push.data.into_iter();
    let channel = from_redis_value(fields.next()?).ok()?;
    Some(ChannelMessage { channel, payload: from_redis_value(fields.next()?).ok()? })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn push(bytes: usize) -> PushInfo {
        PushInfo { kind: PushKind::SMessage, data: vec![Value::BulkString(vec![0; bytes])] }
    }

    #[tokio::test]
    async fn the_queue_ends_after_a_message_for_which_it_had_no_room() {
        let (sender, mut queue) = queue();
        assert!((0..WAITING).all(|_| sender.send(push(1)).is_ok()));
        assert!(sender.send(push(1)).is_err());
        for _ in 0..WAITING {
            assert!(queue.next().await.is_some());
            assert!(sender.send(push(1)).is_err(), "there is room again, but one is missing");
        }
        assert!(queue.next().await.is_none());
    }

    #[tokio::test]
    async fn the_queue_is_bounded_in_bytes() {
        let (sender, mut queue) = queue();
        for _ in 0..3 {
            assert!(sender.send(push(WAITING_BYTES)).is_ok());
            assert!(queue.next().await.is_some());
        }
        assert!(sender.send(push(WAITING_BYTES)).is_ok());
        assert!(sender.send(push(1)).is_err());
        assert!(queue.next().await.is_some() && queue.next().await.is_none());
    }
}
