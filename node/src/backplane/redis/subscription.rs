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

use muster_protocol::{SessionId, TerminalId, frame};
use redis::{
    AsyncCommands, ConnectionAddr, RedisResult,
    streams::{StreamId, StreamRangeReply},
};
use tokio::time;

use super::{Redis, keys, lease::BEAT};
use crate::backplane::envelope::{Audience, Delivery, Envelope, end_sessions};

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
    reached: AtomicU64,
    seen: Mutex<Seen>,
}

/// The highest number that this node knows a store to have given. One that lacks it has lost something.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Seen {
    /// The store's name; empty before anything was seen.
    pub epoch: String,
    /// The number.
    pub number: u64,
}

/// How far the listener has come on each channel: everything for this node up to there was passed on to the shards.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Reached {
    epoch: String,
    broadcast: u64,
    inbox: u64,
}

impl Reached {
    /// The number on the channel of this delivery.
    fn of(&mut self, delivery: &Delivery) -> &mut u64 {
        match delivery.to {
            Audience::All if delivery.rate.is_none() => &mut self.broadcast,
            _ => &mut self.inbox,
        }
    }
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

    /// The number up to which everything was passed on to the shards.
    pub fn reached(&self) -> u64 {
        self.reached.load(Ordering::Relaxed)
    }

    /// What was seen last.
    pub fn seen(&self) -> Seen {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// A command of this number is in the store of this name.
    pub fn saw(&self, epoch: &str, number: u64) {
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        if seen.epoch == epoch {
            seen.number = seen.number.max(number);
        } else {
            *seen = Seen { epoch: epoch.to_owned(), number };
        }
    }

    fn heard(&self) -> MutexGuard<'_, Option<Instant>> {
        self.heard.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Redis {
    /// Listens for ever, reconnecting.
    pub(super) async fn listen(&self) {
        let (mut reached, mut master) = (None, None);
        loop {
            if let Err(error) = self.subscribe(&mut reached, &mut master).await {
                tracing::warn!(%error, "the subscription broke");
            }
            // Deaf from now on, however lately it heard.
            *self.hearing.heard() = None;
            // Whatever ended this has likely ended the connection for commands too: none of them is to find that out, and not know then
            // whether it was sent.
            self.probe().await;
            time::sleep(RETRY).await;
        }
    }

    /// Publishes a probe to this node's own inbox.
    pub(super) async fn probe(&self) {
        let number = self.hearing.probes.fetch_add(1, Ordering::Relaxed);
        let probe = serde_json::to_string(&Envelope::Probe { number }).expect("an envelope is JSON");
        let sent: RedisResult<()> = self.connection.clone().spublish(keys::inbox(&self.node.id), probe).await;
        if let Err(error) = sent {
            tracing::debug!(%error, "no probe sent");
        }
    }

    /// Listens until the connection ends or is found to be dead. First it subscribes, then it reads what it missed: in this order
    /// nothing falls between. Another master than before may lack what sessions have registered or reported lately: so they join again.
    async fn subscribe(&self, reached: &mut Option<Reached>, master: &mut Option<ConnectionAddr>) -> RedisResult<()> {
        let mut channels = self.connection.listen(&[keys::BROADCAST, &keys::inbox(&self.node.id)]).await?;
        let before = master.replace(channels.master().clone());
        if before.is_some_and(|before| before != *channels.master()) {
            tracing::warn!(master = %channels.master(), "Redis has another master");
            *reached = None;
        }
        self.renew().await?;
        self.give_up_replaced().await?;
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
            Envelope::Probe { .. } => *self.hearing.heard() = Some(Instant::now()),
            other => end_sessions(&self.hub, other).await,
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
        let last = known.of(&delivery);
        // From the log already, or from before a reconnect.
        if delivery.number > *last {
            *last = delivery.number;
            let number = delivery.number;
            self.hearing.saw(&delivery.epoch, number);
            self.pass_on(delivery).await;
            self.hearing.reached.store(number, Ordering::Relaxed);
        }
        Ok(())
    }

    async fn pass_on(&self, delivery: Delivery) {
        if !self.pacer.take(&delivery) {
            delivery.send(&self.hub).await;
        }
    }

    /// Takes from the log what follows what it has `reached`. A node that has reached nothing yet, or has come to where the log does not
    /// reach back to, or beyond a store that went back, has its sessions join again: each then learns what it missed itself.
    async fn catch_up(&self, reached: &mut Option<Reached>) -> RedisResult<()> {
        let mut pipe = redis::pipe();
        pipe.get(keys::EPOCH).get(keys::SEQ).hget(keys::MARKS, "trimmed");
        let (epoch, newest, trimmed): (Option<String>, Option<u64>, Option<u64>) =
            pipe.query_async(&mut self.connection.clone()).await?;
        let (epoch, newest) = (epoch.unwrap_or_default(), newest.unwrap_or(0));
        let before = reached.as_ref().map_or(0, |reached| reached.broadcast.min(reached.inbox));
        let from = match reached {
            Some(known) if known.epoch == epoch && trimmed.unwrap_or(0) <= before && before <= newest => before,
            _ => {
                self.hub.rejoin().await;
                newest
            }
        };
        *reached = Some(Reached { epoch: epoch.clone(), broadcast: from, inbox: from });
        let number = self.replay(epoch, from, reached).await?;
        self.hearing.reached.store(number, Ordering::Relaxed);
        Ok(())
    }

    /// Passes on what the log has after `number`; how far it came. What has been trimmed meanwhile is noticed by the next delivery.
    async fn replay(&self, epoch: String, mut number: u64, reached: &mut Option<Reached>) -> RedisResult<u64> {
        loop {
            let from = format!("({number}-0");
            let page: StreamRangeReply = self.connection.clone().xrange_count(keys::LOG, from, "+", PAGE).await?;
            for entry in &page.ids {
                let prev = number;
                number = entry.id.split('-').next().and_then(|number| number.parse().ok()).unwrap_or(prev);
                self.hearing.saw(&epoch, number);
                if let Some((command, to, rate)) = self.logged(entry).await? {
                    self.pass_on(Delivery { epoch: epoch.clone(), number, prev, to, rate, command }).await;
                }
                *reached = Some(Reached { epoch: epoch.clone(), broadcast: number, inbox: number });
            }
            if page.ids.len() < PAGE {
                return Ok(number);
            }
        }
    }

    /// Stops what was cancelled while this node was deaf.
    async fn stop_cancelled(&self) -> RedisResult<()> {
        for command in self.pacer.commands() {
            let cancelled: Option<u64> = self.connection.clone().hget(keys::command(command), "cancelled_at").await?;
            if cancelled.is_some() {
                self.pacer.cancel(command);
            }
        }
        Ok(())
    }

    /// The command of an entry in the log, for whom it is and at which rate; none if it need not be sent any more.
    async fn logged(&self, entry: &StreamId) -> RedisResult<Option<(frame::Command, Audience, Option<f64>)>> {
        let Some(id) = entry.get::<String>("id").and_then(|id| id.parse().ok()) else { return Ok(None) };
        let fields = ["frame", "cancelled_at", "named", "rate"];
        type Fields = (Option<String>, Option<u64>, Option<String>, Option<f64>);
        let (frame, cancelled, named, rate): Fields = self.connection.clone().hmget(keys::command(id), &fields).await?;
        let frame = frame.filter(|_| cancelled.is_none()).and_then(|frame| serde_json::from_str(&frame).ok());
        let to = match named {
            None => Some((Audience::All, 1.0)),
            Some(named) => serde_json::from_str(&named).ok().map(|all| self.present(all)),
        };
        Ok(frame.zip(to).map(|(command, (to, share))| (command, to, rate.map(|rate| rate * share))))
    }

    /// Those of these terminals that are here, and which share of them all they are.
    fn present(&self, all: Vec<TerminalId>) -> (Audience, f64) {
        let count = all.len().max(1);
        let here: Vec<_> = all.into_iter().filter(|terminal| self.hub.has(terminal)).collect();
        let share = here.len() as f64 / count as f64;
        (Audience::Terminals(here), share)
    }

    /// Ends the sessions whose terminals have another one elsewhere: nobody told while this node was deaf.
    async fn give_up_replaced(&self) -> RedisResult<()> {
        for cards in self.hub.cards().chunks(PORTION) {
            let ids: Vec<_> = cards.iter().map(|card| card.terminal.as_str()).collect();
            let owners: Vec<Option<String>> = self.connection.clone().hmget(keys::ONLINE, &ids).await?;
            for (card, owner) in cards.iter().zip(owners) {
                let owner = owner.and_then(|owner| owner.split_once(' ')?.1.parse::<SessionId>().ok());
                if owner.is_some_and(|owner| owner > card.session) {
                    self.hub.replace(&card.terminal, card.session).await;
                }
            }
        }
        Ok(())
    }
}
