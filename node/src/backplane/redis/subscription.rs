//! The listening half: two channels, one connection. A connection that is dead and does not say so is found out by listening
//! for this node's own probes.
//!
//! After each connect all sessions are registered again: what this node missed meanwhile may have been its own burial.

use std::{
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use futures_util::StreamExt;
use redis::{AsyncCommands, RedisResult};
use tokio::time;

use super::{Redis, keys, lease::BEAT};
use crate::backplane::envelope::{Envelope, deliver};

/// Silence for so long means that the connection is dead: three probes went unheard.
const DEAF: Duration = Duration::from_secs(3 * BEAT.as_secs() + 1);
/// Between two attempts to connect; Redis back means all nodes back well within 5 s.
const RETRY: Duration = Duration::from_millis(250);

/// What the node has heard of itself.
#[derive(Debug, Default)]
pub struct Hearing {
    probes: AtomicU64,
    heard: Mutex<Option<Instant>>,
}

impl Hearing {
    /// Whether a probe came back lately.
    pub fn check(&self) -> Result<(), String> {
        match *self.heard() {
            Some(at) if at.elapsed() < DEAF => Ok(()),
            Some(at) => Err(format!("this node has not heard itself through Redis for {} s", at.elapsed().as_secs())),
            None => Err("this node does not hear itself through Redis: its subscription is not up".into()),
        }
    }

    fn heard(&self) -> std::sync::MutexGuard<'_, Option<Instant>> {
        self.heard.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Redis {
    /// Listens for ever, reconnecting.
    pub(super) async fn listen(&self) {
        loop {
            if let Err(error) = self.subscribe().await {
                tracing::warn!(%error, "the subscription broke");
            }
            // Deaf from now on, however lately it heard: what is published meanwhile passes this node by.
            *self.hearing.heard() = None;
            time::sleep(RETRY).await;
        }
    }

    /// Publishes a probe to this node's own inbox.
    pub(super) async fn probe(&self) {
        let number = self.hearing.probes.fetch_add(1, Ordering::Relaxed);
        let probe = serde_json::to_string(&Envelope::Probe { number }).expect("an envelope is JSON");
        let sent: RedisResult<()> = self.connection.clone().publish(keys::inbox(&self.node.id), probe).await;
        if let Err(error) = sent {
            tracing::debug!(%error, "no probe sent");
        }
    }

    /// Listens until the connection ends or is found to be dead.
    async fn subscribe(&self) -> RedisResult<()> {
        let mut pubsub = self.client.get_async_pubsub().await?;
        pubsub.subscribe(&[keys::BROADCAST, &keys::inbox(&self.node.id)]).await?;
        self.register_all().await?;
        self.probe().await;
        let mut messages = pubsub.into_on_message();
        while let Ok(Some(message)) = time::timeout(DEAF, messages.next()).await {
            match serde_json::from_slice(message.get_payload_bytes()) {
                Ok(envelope) => self.receive(envelope).await,
                Err(error) => tracing::warn!(%error, "an envelope that can't be read; are all nodes of one version?"),
            }
        }
        Ok(())
    }

    async fn receive(&self, envelope: Envelope) {
        match envelope {
            Envelope::Deliver { to, command } => deliver(&self.hub, to, command).await,
            Envelope::Replaced { terminal, by } => self.hub.replace(&terminal, by).await,
            Envelope::Probe { .. } => *self.hearing.heard() = Some(Instant::now()),
        }
    }
}
