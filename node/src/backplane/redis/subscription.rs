//! The listening half: two channels, one connection. A connection that is dead and does not say so is found out by listening
//! for this node's own probes. What was missed on a channel, by a broken connection or a Redis that dropped it, is taken from the
//! log: each delivery tells the number of the one before it.

use std::time::Duration;

use redis::{AsyncCommands, ConnectionAddr, RedisResult};
use tokio::time;

use super::{
    PARTITION, RedisBackplane,
    hearing::{DEAF, Reached},
};
use crate::backplane::envelope::{Delivery, Envelope, end_sessions};

/// Between two attempts to connect; Redis back means all nodes back well within 5 s.
const RETRY: Duration = Duration::from_millis(250);

impl RedisBackplane {
    /// Listens for ever, reconnecting.
    pub(super) async fn listen(&self) {
        let (mut reached, mut master) = (None, None);
        loop {
            if let Err(error) = self.subscribe(&mut reached, &mut master).await {
                tracing::warn!(%error, "the subscription broke");
            }
            // Deaf from now on, however lately it heard.
            self.hearing.hears_nothing();
            // Whatever ended this has likely ended the connection for commands too: none of them is to find that out, and not know then
            // whether it was sent.
            self.probe().await;
            time::sleep(RETRY).await;
        }
    }

    /// Publishes a probe to this node's own inbox.
    pub(super) async fn probe(&self) {
        let number = self.hearing.next_probe();
        let probe = serde_json::to_string(&Envelope::Probe { number }).expect("an envelope is JSON");
        let sent: RedisResult<()> = self.connection.clone().spublish(self.keys.inbox(&self.node.id), probe).await;
        if let Err(error) = sent {
            tracing::debug!(%error, "no probe sent");
        }
    }

    /// Listens until the connection ends or is found to be dead. First it subscribes, then it reads what it missed: in this order
    /// nothing falls between. Another master than before may lack what sessions have registered or reported lately: so they join again.
    async fn subscribe(&self, reached: &mut Option<Reached>, master: &mut Option<ConnectionAddr>) -> RedisResult<()> {
        let mut channels = self.connection.listen(&[&self.keys.broadcast(), &self.keys.inbox(&self.node.id)]).await?;
        let before = master.replace(channels.master().clone());
        if before.is_some_and(|before| before != *channels.master()) {
            tracing::warn!(master = %channels.master(), "Redis has another master");
            *reached = None;
        }
        self.renew().await?;
        self.give_up_ended().await?;
        self.catch_up(reached).await?;
        self.stop_cancelled().await?;
        self.probe().await;
        while let Ok(Some(message)) = time::timeout(DEAF, channels.next()).await {
            match serde_json::from_slice(&message) {
                Ok(envelope) => self.receive(envelope, reached).await?,
                Err(error) => tracing::warn!(%error, "an envelope that can't be read; are all nodes of one version?"),
            }
        }
        Ok(())
    }

    async fn receive(&self, envelope: Envelope, reached: &mut Option<Reached>) -> RedisResult<()> {
        match envelope {
            Envelope::Deliver(delivery) => self.receive_delivery(delivery, reached).await?,
            Envelope::Cancel { command } => self.pacer.cancel(command),
            Envelope::Renamed => self.catch_up(reached).await?,
            Envelope::Probe { .. } => self.hearing.hears(),
            other => end_sessions(&*self.sessions, other).await,
        }
        Ok(())
    }

    async fn receive_delivery(&self, delivery: Delivery, reached: &mut Option<Reached>) -> RedisResult<()> {
        let follows =
            |reached: &mut Reached| reached.epoch == delivery.epoch && delivery.prev <= *reached.of(&delivery);
        if !reached.as_mut().is_some_and(follows) {
            self.catch_up(reached).await?;
        }
        let Some(known) = reached else { return Ok(()) };
        let ours = known.epoch == delivery.epoch;
        let last = known.of(&delivery);
        // What is passed by is of another store, from the log already, or from before a reconnect.
        if ours && delivery.number > *last {
            *last = delivery.number;
            let number = delivery.number;
            self.hearing.saw(&delivery.epoch, number);
            self.pass_on(delivery).await;
            self.hearing.has_reached(number);
        }
        Ok(())
    }

    pub(super) async fn pass_on(&self, delivery: Delivery) {
        if !self.pacer.take(PARTITION, &delivery) {
            delivery.send(PARTITION, &*self.sessions).await;
        }
    }
}
