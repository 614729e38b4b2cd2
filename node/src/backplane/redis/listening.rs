//! The listening half: one subscription for each master, to three channels of each of its partitions. The node listens
//! for its own probes, so it notices a connection that is dead and does not say so. It takes the commands that it
//! missed on a channel from the log: each command tells the number of the command before it on the same channel.

use std::{
    collections::HashMap,
    sync::Arc,
    time::{Duration, Instant},
};

use futures_util::{StreamExt, future::try_join_all, stream::FuturesUnordered};
use jiff::Timestamp;
use muster_protocol::inbox::{DrainRequest, ProxyMessage};
use muster_redis::{ChannelMessage, MasterSubscription};
use redis::RedisResult;
use tokio::time::{self, MissedTickBehavior};

use super::{
    RedisBackplane,
    delivery::{PartitionEnvelope, PublishedCommand, PublishedTo, ReceivedCommand},
    member::PartitionMember,
    partition::lease::BEAT,
};
use crate::{
    backplane::{Cursor, redis::hearing::DEAF},
    end::SessionEnd,
};

/// How far a number may be beyond this node's clock. Clocks differ by 5 s at most.
const NUMBER_SLACK: Duration = Duration::from_secs(60);

impl RedisBackplane {
    /// Listens; never returns. Subscribes again where a subscription has ended.
    pub(super) async fn listen(&self) {
        let channels = self.members.iter().map(|member| {
            let store = &member.store;
            let channels = [store.broadcast_channel(), store.inbox_channel(&self.node.id), store.proxy_channel()];
            (store.tag().to_owned(), channels.into())
        });
        let mut listener = self.masters.listener(channels);
        let mut subscriptions = FuturesUnordered::new();
        loop {
            tokio::select! {
                Some(()) = subscriptions.next() => {}
                next = listener.next() => match next {
                    Ok(subscription) => subscriptions.push(self.serve(subscription)),
                    Err(error) => tracing::warn!(%error, "a subscription failed"),
                }
            }
        }
    }

    /// Listens until a subscription ends.
    async fn serve(&self, mut subscription: MasterSubscription) {
        let tags: Vec<_> = subscription.tags().map(str::to_owned).collect();
        let members: Vec<_> =
            self.members.iter().filter(|member| tags.iter().any(|tag| tag == member.store.tag())).collect();
        if let Err(error) = self.try_serve(&mut subscription, &members).await {
            tracing::warn!(%error, master = %subscription.master(), "a subscription broke");
        }
        // From now on the node hears nothing, even if it heard something just now.
        members.iter().for_each(|member| member.hearing.hears_nothing());
        drop(subscription);
        // What ended the subscription has likely ended the connection for commands too. The probe finds that out. If a
        // command found it out, nobody would know whether the command was carried out.
        if let Some(member) = members.first() {
            self.probe(member).await;
        }
    }

    /// Returns the node first subscribes, and then reads what it missed. In this order it misses nothing in between.
    /// The partitions of the master catch up at the same time.
    async fn try_serve(
        &self,
        subscription: &mut MasterSubscription,
        members: &[&Arc<PartitionMember>],
    ) -> RedisResult<()> {
        let mut listened = HashMap::new();
        for (at, member) in members.iter().enumerate() {
            let mut state = member.listened.lock().await;
            let before = state.master.replace(subscription.master().clone());
            // A new master may lack what sessions have registered or reported lately, so the sessions join again.
            if before.is_some_and(|before| before != *subscription.master()) {
                tracing::warn!(partition = %member.index(), master = %subscription.master(), "the partition has another master");
                state.reached = None;
            }
            let store = &member.store;
            let channels = [store.broadcast_channel(), store.inbox_channel(&self.node.id), store.proxy_channel()];
            listened.extend(channels.map(|channel| (channel, at)));
            drop(state);
        }
        // A message may have been lost before, and a new master may lack the note.
        members.iter().for_each(|member| self.hears_of_event(member));
        try_join_all(members.iter().map(|member| self.catch_up_whole(member))).await?;
        let Some(first) = members.first() else { return Ok(()) };
        let mut beat = time::interval(BEAT);
        beat.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut heard = time::Instant::now();
        loop {
            tokio::select! {
                message = subscription.next() => {
                    let Some(message) = message else { return Ok(()) };
                    let Some(at) = listened.get(&message.channel) else { continue };
                    let is_probe = self.receive_message(members[*at], &message).await?;
                    if is_probe {
                        heard = time::Instant::now();
                        members.iter().for_each(|member| member.hearing.hears());
                    }
                }
                _ = beat.tick() => {
                    if heard.elapsed() > DEAF {
                        return Ok(());
                    }
                    self.probe(first).await;
                }
            }
        }
    }

    async fn catch_up_whole(&self, member: &PartitionMember) -> RedisResult<()> {
        let mut listened = member.listened.lock().await;
        self.renew(member).await?;
        self.give_up_ended(member).await?;
        self.catch_up(member, &mut listened.reached).await?;
        self.stop_cancelled(member).await
    }

    /// Publishes a probe to this node's own inbox in a partition.
    pub(super) async fn probe(&self, member: &PartitionMember) {
        let number = member.hearing.next_probe();
        let probe = serde_json::to_string(&PartitionEnvelope::Probe { number }).expect("an envelope is JSON");
        let sent = time::timeout(Duration::from_secs(1), member.store.tell(&self.node.id, &probe)).await;
        if !matches!(sent, Ok(Ok(_))) {
            tracing::debug!(partition = %member.index(), "no probe was sent");
        }
    }

    /// Does what a message asks. Returns whether it was a probe. Counts a message that can't be read as foreign. On the
    /// channel of the sidecars, reads only messages of sidecars.
    async fn receive_message(&self, member: &PartitionMember, message: &ChannelMessage) -> RedisResult<bool> {
        if message.channel == member.store.proxy_channel() {
            match serde_json::from_slice(&message.payload) {
                Ok(ProxyMessage::Retire { worker, over_ms }) => {
                    self.sessions.request_drain(DrainRequest::Retire { worker, over_ms });
                }
                Ok(ProxyMessage::Report(report)) => {
                    if let Some(view) = self.trust.open_report(&report) {
                        self.proxies.record(view, Instant::now());
                    }
                }
                Err(error) => {
                    let index = member.index().to_string();
                    self.trust.count_unknown("a message of a sidecar in partition", &index, &error);
                }
            }
            return Ok(false);
        }
        match serde_json::from_slice(&message.payload) {
            Ok(PartitionEnvelope::Probe { .. }) => Ok(true),
            Ok(envelope) => self.receive(member, envelope).await.map(|()| false),
            Err(error) => {
                self.trust.count_unknown("a message in partition", &member.index().to_string(), &error);
                Ok(false)
            }
        }
    }

    async fn receive(&self, member: &PartitionMember, envelope: PartitionEnvelope<'_>) -> RedisResult<()> {
        match envelope {
            PartitionEnvelope::Deliver(published) => self.receive_command(member, published).await?,
            PartitionEnvelope::Cancel { command } => {
                self.pacer.cancel(command);
                self.waiters.wake(command);
            }
            PartitionEnvelope::Done { command } => self.waiters.wake(command),
            PartitionEnvelope::Happened => self.hears_of_event(member),
            PartitionEnvelope::Renamed => {
                self.hears_of_event(member);
                let mut listened = member.listened.lock().await;
                self.catch_up(member, &mut listened.reached).await?;
            }
            PartitionEnvelope::Replaced { terminal, session } => {
                self.sessions.end_session(&terminal, session, SessionEnd::Replaced).await;
            }
            PartitionEnvelope::Disconnect { terminal } => {
                self.sessions.end_terminal(&terminal, SessionEnd::Disconnected).await;
            }
            PartitionEnvelope::Remove { terminal } => self.sessions.end_terminal(&terminal, SessionEnd::Removed).await,
            PartitionEnvelope::Depart(request) => self.sessions.request_drain(request),
            PartitionEnvelope::Probe { .. } => {}
        }
        Ok(())
    }

    /// Passes a published command on, once. Ignores a command that no node of this cluster sealed, because an invented
    /// number would make the store look as if it had lost commands.
    async fn receive_command(&self, member: &PartitionMember, published: PublishedCommand<'_>) -> RedisResult<()> {
        let by_inbox = matches!(published.to, PublishedTo::Terminals(_));
        let (to, rate) = self.audience(member, published.to, published.rate, published.of, &published.epoch);
        let Some(command) = self.opened(member, published.command.get(), &to) else { return Ok(()) };
        let mut listened = member.listened.lock().await;
        let reached = &mut listened.reached;
        let follows = reached
            .as_mut()
            .is_some_and(|reached| reached.epoch == published.epoch && published.prev <= *reached.on(by_inbox));
        let is_ahead = is_ahead_of_time(published.number, self.clock.now());
        if !follows || is_ahead {
            self.catch_up(member, reached).await?;
        }
        let Some(known) = reached else { return Ok(()) };
        let is_passed = published.number <= *known.on(by_inbox);
        // What is passed by is of another store, from the log already, from before a reconnect, or in no log.
        if known.epoch != published.epoch || is_passed || is_ahead {
            return Ok(());
        }
        *known.on(by_inbox) = published.number;
        let place = Cursor { epoch: published.epoch, number: published.number };
        let number = place.number;
        member.hearing.saw(&place.epoch, number);
        self.pass_on(member, ReceivedCommand { place, command, to, rate }).await;
        member.hearing.has_reached(number);
        Ok(())
    }
}

/// Returns whether a number is so far beyond this node's clock that it is believed only if the log has it. A number is
/// the time in milliseconds, or the one after the last if commands come faster.
fn is_ahead_of_time(number: u64, now: Timestamp) -> bool {
    number > now.as_millisecond().unsigned_abs() + NUMBER_SLACK.as_millis() as u64
}
