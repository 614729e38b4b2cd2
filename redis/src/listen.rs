//! Messages of channels, by a connection of their own to the master that commands go to. The channels are shard channels
//! (SSUBSCRIBE, SPUBLISH: Redis 7): in a cluster their messages stay with the one shard that has everything else, and a single server
//! treats them like any others.

use std::sync::{Mutex, PoisonError};

use redis::{
    AsyncConnectionConfig, Client, ConnectionAddr, ProtocolVersion, PushInfo, PushKind, RedisResult, Value,
    aio::{AsyncPushSender, MultiplexedConnection},
    cmd, from_redis_value,
};
use tokio::sync::{mpsc, watch};

use crate::{connection::Connection, locate::ANSWER};

/// Messages that wait for whoever listens. They are kilobytes, so this is a few megabytes; a server has a bound of its own for those
/// that it can't get rid of (client-output-buffer-limit pubsub).
const WAITING: usize = 2048;

/// What is heard of some channels, from when it was made to when it ends.
pub struct Subscription {
    /// Open for as long as this is.
    _connection: MultiplexedConnection,
    pushes: mpsc::Receiver<PushInfo>,
    master: ConnectionAddr,
    found: watch::Receiver<Option<ConnectionAddr>>,
}

impl Connection {
    /// Listens to these channels at the master that commands go to.
    pub async fn listen(&self, channels: &[&str]) -> RedisResult<Subscription> {
        let master = self.master().await?.info;
        // Only the newer protocol tells messages from answers.
        let settings = master.redis_settings().clone().set_protocol(ProtocolVersion::RESP3);
        let (push, pushes) = queue();
        let config = AsyncConnectionConfig::new()
            .set_connection_timeout(Some(ANSWER))
            .set_response_timeout(Some(ANSWER))
            .set_push_sender(push);
        let client = Client::open(master.clone().set_redis_settings(settings))?;
        let mut connection = client.get_multiplexed_async_connection_with_config(&config).await?;
        for channel in channels {
            let () = cmd("SSUBSCRIBE").arg(channel).query_async(&mut connection).await?;
        }
        Ok(Subscription { _connection: connection, pushes, master: master.addr().clone(), found: self.found() })
    }
}

impl Subscription {
    /// Where it listens.
    pub fn master(&self) -> &ConnectionAddr {
        &self.master
    }

    /// The next message. None once the connection has ended, the channels have left this server, or commands go to another: what
    /// is told there would not be heard here. Also after one for which there was no room, since those after it would hide that.
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

/// A queue that is closed by the first push for which it has no room, or nobody: the connection can't be made to wait.
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

/// Waits until the master is found elsewhere.
async fn moved(found: &mut watch::Receiver<Option<ConnectionAddr>>, master: &ConnectionAddr) {
    let _ = found.wait_for(|found| found.as_ref() != Some(master)).await;
}

/// Of a push `channel, payload`.
fn payload(push: PushInfo) -> Option<Vec<u8>> {
    let value: Value = push.data.into_iter().nth(1)?;
    from_redis_value(value).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn what_had_no_room_is_never_hidden_by_what_came_after() {
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
