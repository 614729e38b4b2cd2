//! The listening half: two channels, one connection. A connection that is dead and does not say so is found out by listening
//! for this node's own probes. What was missed on a channel, by a broken connection or a Redis that dropped it, is taken from the
//! log: each delivery tells the number of the one before it.

use std::{
    sync::{
        Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use futures_util::StreamExt;
use jiff::Timestamp;
use muster_protocol::{SessionId, frame};
use redis::{
    AsyncCommands, RedisResult,
    streams::{StreamId, StreamRangeReply},
};
use tokio::time;

use super::{Redis, keys, lease::BEAT};
use crate::backplane::envelope::{Audience, Delivery, Envelope, end_session};

/// Silence for so long means that the connection is dead: three probes went unheard.
const DEAF: Duration = Duration::from_secs(3 * BEAT.as_secs() + 1);
/// Between two attempts to connect; Redis back means all nodes back well within 5 s.
const RETRY: Duration = Duration::from_millis(250);
/// Entries of the log read at once.
const PAGE: usize = 500;
/// Sessions whose owners are looked up at once.
const PORTION: usize = 1000;

/// What the node has heard of itself.
#[derive(Debug, Default)]
pub struct Hearing {
    probes: AtomicU64,
    heard: Mutex<Option<Instant>>,
}

/// How far the listener has come: everything for this node up to `number` was sent to the shards.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Place {
    epoch: String,
    number: u64,
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

    fn heard(&self) -> MutexGuard<'_, Option<Instant>> {
        self.heard.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Redis {
    /// Listens for ever, reconnecting.
    pub(super) async fn listen(&self) {
        let mut place = None;
        loop {
            if let Err(error) = self.subscribe(&mut place).await {
                tracing::warn!(%error, "the subscription broke");
            }
            // Deaf from now on, however lately it heard.
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

    /// Listens until the connection ends or is found to be dead. First it subscribes, then it reads what it missed: in this order
    /// nothing falls between.
    async fn subscribe(&self, place: &mut Option<Place>) -> RedisResult<()> {
        let mut pubsub = self.client.get_async_pubsub().await?;
        pubsub.subscribe(&[keys::BROADCAST, &keys::inbox(&self.node.id)]).await?;
        self.renew().await?;
        self.give_up_replaced().await?;
        self.catch_up(place).await?;
        self.probe().await;
        let mut messages = pubsub.into_on_message();
        while let Ok(Some(message)) = time::timeout(DEAF, messages.next()).await {
            match serde_json::from_slice(message.get_payload_bytes()) {
                Ok(envelope) => self.receive(envelope, place).await?,
                Err(error) => tracing::warn!(%error, "an envelope that can't be read; are all nodes of one version?"),
            }
        }
        Ok(())
    }

    async fn receive(&self, envelope: Envelope, place: &mut Option<Place>) -> RedisResult<()> {
        match envelope {
            Envelope::Deliver(delivery) => self.receive_delivery(delivery, place).await?,
            Envelope::Cancel { command } => self.pacer.cancel(command),
            Envelope::Probe { .. } => *self.hearing.heard() = Some(Instant::now()),
            other => end_session(&self.hub, other).await,
        }
        Ok(())
    }

    async fn receive_delivery(&self, delivery: Delivery, place: &mut Option<Place>) -> RedisResult<()> {
        let follows = |place: &Place| place.epoch == delivery.epoch && delivery.prev <= place.number;
        if !place.as_ref().is_some_and(follows) {
            self.catch_up(place).await?;
        }
        // From the log already, or from before a reconnect.
        if place.as_ref().is_some_and(|place| delivery.number <= place.number) {
            return Ok(());
        }
        *place = Some(Place { epoch: delivery.epoch.clone(), number: delivery.number });
        self.pass_on(delivery).await;
        Ok(())
    }

    async fn pass_on(&self, delivery: Delivery) {
        let live = delivery.command.expires_at > Timestamp::now();
        if live && !self.pacer.take(&delivery) {
            delivery.send(&self.hub).await;
        }
    }

    /// Takes from the log what follows `place`. A node that has no place yet, or one that the log does not reach back to, has its
    /// sessions join again: each then learns what it missed itself.
    async fn catch_up(&self, place: &mut Option<Place>) -> RedisResult<()> {
        let mut pipe = redis::pipe();
        pipe.get(keys::EPOCH).get(keys::SEQ).hget(keys::MARKS, "trimmed");
        let (epoch, newest, trimmed): (Option<String>, Option<u64>, Option<u64>) =
            pipe.query_async(&mut self.connection.clone()).await?;
        let epoch = epoch.unwrap_or_default();
        match place {
            Some(known) if known.epoch == epoch && trimmed.unwrap_or(0) <= known.number => self.replay(known).await,
            _ => {
                *place = Some(Place { epoch, number: newest.unwrap_or(0) });
                self.rejoin_all().await
            }
        }
    }

    async fn replay(&self, place: &mut Place) -> RedisResult<()> {
        loop {
            let from = format!("({}-0", place.number);
            let page: StreamRangeReply = self.connection.clone().xrange_count(keys::LOG, from, "+", PAGE).await?;
            for entry in &page.ids {
                let number = entry.id.split('-').next().and_then(|number| number.parse().ok()).unwrap_or(place.number);
                if let Some((command, to)) = self.logged(entry).await? {
                    let epoch = place.epoch.clone();
                    self.pass_on(Delivery { epoch, number, prev: place.number, to, rate: None, command }).await;
                }
                place.number = number;
            }
            if page.ids.len() < PAGE {
                return Ok(());
            }
        }
    }

    /// The command of an entry in the log, and for whom it is; none if it need not be sent any more.
    async fn logged(&self, entry: &StreamId) -> RedisResult<Option<(frame::Command, Audience)>> {
        let id = entry.get::<String>("id").and_then(|id| id.parse().ok());
        let to = entry.get::<String>("to").and_then(|to| audience(&to));
        let (Some(id), Some(to)) = (id, to) else { return Ok(None) };
        let fields = ["frame", "cancelled_at"];
        let (frame, cancelled): (Option<String>, Option<String>) =
            self.connection.clone().hmget(keys::command(id), &fields).await?;
        let frame = frame.filter(|_| cancelled.is_none()).and_then(|frame| serde_json::from_str(&frame).ok());
        Ok(frame.map(|command| (command, to)))
    }

    /// Ends the sessions whose terminals have a newer one elsewhere: nobody told while this node was deaf.
    async fn give_up_replaced(&self) -> RedisResult<()> {
        for cards in self.hub.cards().chunks(PORTION) {
            let ids: Vec<_> = cards.iter().map(|card| card.terminal.as_str()).collect();
            let owners: Vec<Option<String>> = self.connection.clone().hmget(keys::ONLINE, &ids).await?;
            for (card, owner) in cards.iter().zip(owners) {
                let owner = owner.and_then(|owner| owner.split_once(' ')?.1.parse::<SessionId>().ok());
                if let Some(newer) = owner.filter(|owner| *owner > card.session) {
                    self.hub.replace(&card.terminal, newer).await;
                }
            }
        }
        Ok(())
    }
}

/// The audience of an entry in the log.
fn audience(to: &str) -> Option<Audience> {
    if to == "all" { Some(Audience::All) } else { serde_json::from_str(to).ok().map(Audience::Terminals) }
}
