//! Receives the messages of channels, on a separate connection to the master that commands go to. The channels are
//! shard channels (SSUBSCRIBE and SPUBLISH, from Redis 7): in a Redis Cluster their messages stay in the shard that has
//! all of Muster's keys. A single server treats them like other channels.

use std::sync::{Mutex, PoisonError};

use redis::{
    AsyncConnectionConfig, ConnectionAddr, ProtocolVersion, PushInfo, PushKind, RedisResult, Value,
    aio::AsyncPushSender, cmd, from_redis_value,
};
use tokio::{
    sync::{mpsc, watch},
    time::Instant,
};

use crate::{connection::Connection, locate::ANSWER, server::ServerConnection};

/// The number of messages that can wait to be received. They are kilobytes each, so this is a few megabytes. When one
/// more arrives, the subscription ends. Redis bounds its own buffer for a slow subscriber with
/// `client-output-buffer-limit pubsub`.
const WAITING: usize = 2048;

/// A subscription to some channels.
pub struct Subscription {
    /// Keeps the connection open.
    _connection: ServerConnection,
    pushes: mpsc::Receiver<PushInfo>,
    master: ConnectionAddr,
    found: watch::Receiver<Option<ConnectionAddr>>,
}

impl Connection {
    /// Subscribes to these channels at the master that commands go to.
    pub async fn listen(&self, channels: &[&str]) -> RedisResult<Subscription> {
        let master = self.master().await?.info;
        // Only RESP3 distinguishes messages from answers.
        let settings = master.redis_settings().clone().set_protocol(ProtocolVersion::RESP3);
        let (push, pushes) = queue();
        let info = master.clone().set_redis_settings(settings);
        let config = AsyncConnectionConfig::new().set_push_sender(push);
        let tls = self.topology().tls();
        let mut connection = ServerConnection::open(&info, tls, Instant::now() + ANSWER, config).await?;
        for channel in channels {
            let () = cmd("SSUBSCRIBE").arg(channel).query_async(&mut connection).await?;
        }
        Ok(Subscription { _connection: connection, pushes, master: master.addr().clone(), found: self.found() })
    }
}

impl Subscription {
    /// Returns the address of the server that it is subscribed at.
    pub fn master(&self) -> &ConnectionAddr {
        &self.master
    }

    /// Returns the next message. Returns `None` when the connection has ended, when the channels have moved to another
    /// server, or when commands go to another server, whose messages would not arrive here. Also returns `None` after a
    /// message for which the queue had no room: the loss would go unnoticed if later messages were delivered.
    pub async fn next(&mut self) -> Option<Vec<u8>> {
        loop {
            let push = tokio::select! {
                push = self.pushes.recv() => push?,
                () = moved(&mut self.found, &self.master) => return None,
            };
            match push.kind {
                PushKind::SMessage => return Some(payload(push).unwrap_or_default()),
                PushKind::Disconnection | PushKind::SUnsubscribe => return None,
                _ => {}
            }
        }
    }
}

/// Returns a queue that is closed by the first message for which it has no room, since the connection can't be made to
/// wait.
fn queue() -> (impl AsyncPushSender, mpsc::Receiver<PushInfo>) {
    let (sender, pushes) = mpsc::channel(WAITING);
    let open = Mutex::new(Some(sender));
    let push = move |push| {
        let mut open = open.lock().unwrap_or_else(PoisonError::into_inner);
        let sent = open.as_ref().ok_or(()).and_then(|sender| sender.try_send(push).map_err(|_| ()));
        if sent.is_err() {
            *open = None;
        }
        sent
    };
    (push, pushes)
}

/// Waits until the master is found at another address.
async fn moved(found: &mut watch::Receiver<Option<ConnectionAddr>>, master: &ConnectionAddr) {
    let _ = found.wait_for(|found| found.as_ref() != Some(master)).await;
}

/// Returns the payload of a message, which is its second field after the channel.
fn payload(push: PushInfo) -> Option<Vec<u8>> {
    let value: Value = push.data.into_iter().nth(1)?;
    from_redis_value(value).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn the_queue_ends_after_a_message_for_which_it_had_no_room() {
        let (sender, mut pushes) = queue();
        let push = || sender.send(PushInfo { kind: PushKind::SMessage, data: Vec::new() });
        assert!((0..WAITING).all(|_| push().is_ok()));
        assert!(push().is_err());
        for _ in 0..WAITING {
            assert!(pushes.recv().await.is_some());
            assert!(push().is_err(), "there is room again, but one is missing");
        }
        assert!(pushes.recv().await.is_none());
    }
}
