//! The shards of a node as the other floors see them: their mailboxes. A message for one terminal goes to the shard
//! that the [`Hub`] names; a message for all terminals goes to every mailbox.

use std::{sync::Arc, time::Instant};

use futures_util::{
    FutureExt,
    future::{self, BoxFuture},
};
use muster_protocol::{
    SessionId, TerminalId,
    inbox::DrainRequest,
    partition::{PartitionIndex, Partitions},
};

use super::{ShardMessage, Upgraded, beats::Beats, mailbox::Mailbox};
use crate::{
    backplane::Deliver,
    end::SessionEnd,
    hub::{Hub, SessionAddr},
    reports::EventReceipt,
    sync::{
        atomic::{AtomicUsize, Ordering},
        mpsc,
    },
    wire::EncodedCommand,
};

/// The mailboxes of all shards. A full mailbox makes the sender wait, unless its shard is frozen.
#[derive(Debug)]
pub struct Shards {
    hub: Arc<Hub>,
    mailboxes: Vec<Mailbox>,
    beats: Beats,
    /// The number of adopted connections, by which connections go to the shards in turn.
    next: AtomicUsize,
    drain_requests: mpsc::Sender<DrainRequest>,
}

impl Shards {
    /// Returns the shards with these mailboxes. Their sessions belong to these partitions. Requests to drain or
    /// rebalance go to `drain_requests`.
    pub fn new(
        hub: Arc<Hub>,
        mailboxes: Vec<mpsc::Sender<ShardMessage>>,
        partitions: Partitions,
        drain_requests: mpsc::Sender<DrainRequest>,
    ) -> Self {
        let mailboxes: Vec<_> = mailboxes.into_iter().map(|sender| Mailbox::new(sender, partitions)).collect();
        let beats = Beats::new(mailboxes.len());
        Self { hub, mailboxes, beats, next: AtomicUsize::new(0), drain_requests }
    }

    /// Records that a shard answers.
    pub fn beat(&self, shard: usize) {
        self.beats.beat(shard, Instant::now());
    }

    /// Looks which shards answer at `now`. A shard that does not answer counts as frozen until a later look finds that
    /// it answers. Returns the indexes of the frozen shards, and the number of all shards.
    pub fn look(&self, now: Instant) -> (Vec<usize>, usize) {
        let late = self.beats.late(now);
        self.mailboxes.iter().enumerate().for_each(|(shard, mailbox)| mailbox.look(late.contains(&shard)));
        (late, self.mailboxes.len())
    }

    /// Returns whether a shard has missed commands of a partition while it was frozen. Such a shard must send no
    /// command of the partition before it has the partition's sessions join again.
    pub fn has_missed(&self, shard: usize, partition: PartitionIndex) -> bool {
        self.mailboxes[shard].has_missed(partition)
    }

    /// Records that a shard has begun to have the sessions of a partition join again.
    pub fn reopen(&self, shard: usize, partition: PartitionIndex) {
        self.mailboxes[shard].reopen(partition);
    }

    /// Hands a connection to the next shard that answers. Returns false, and closes the connection, if no shard answers
    /// or the node stops.
    pub async fn adopt(&self, upgraded: Upgraded) -> bool {
        let (first, count, now) = (self.next.fetch_add(1, Ordering::Relaxed), self.mailboxes.len(), Instant::now());
        let mut shards = (0..count).map(|step| first.wrapping_add(step) % count);
        let shard = shards.find(|shard| !self.beats.is_late(*shard, now)).unwrap_or(first % count);
        self.mailboxes[shard].offer(ShardMessage::Adopt(Box::new(upgraded))).await
    }

    /// Ends the session at `addr`, if it is still there.
    pub async fn end(&self, addr: SessionAddr, end: SessionEnd) {
        self.mailboxes[addr.shard].send_end(addr, end).await;
    }

    /// Sends a command that was not stored to a terminal. Returns false if the terminal has no session here, or its
    /// shard is frozen.
    pub async fn send_unstored(&self, terminal: &TerminalId, command: Arc<EncodedCommand>) -> bool {
        let Some(addr) = self.hub.addr(terminal) else { return false };
        self.mailboxes[addr.shard].offer(ShardMessage::SendUnstored(addr, command)).await
    }
}

impl Deliver for Shards {
    fn broadcast(&self, command: Arc<EncodedCommand>) -> BoxFuture<'_, ()> {
        async move {
            for mailbox in &self.mailboxes {
                mailbox.send_command(command.partition, ShardMessage::Broadcast(command.clone())).await;
            }
        }
        .boxed()
    }

    fn send<'a>(&'a self, terminals: &'a [TerminalId], command: Arc<EncodedCommand>) -> BoxFuture<'a, ()> {
        async move {
            for addr in self.hub.addrs(terminals) {
                let mailbox = &self.mailboxes[addr.shard];
                mailbox.send_command(command.partition, ShardMessage::Send(addr, command.clone())).await;
            }
        }
        .boxed()
    }

    fn end_session<'a>(&'a self, terminal: &'a TerminalId, session: SessionId, end: SessionEnd) -> BoxFuture<'a, ()> {
        async move {
            if let Some(addr) = self.hub.addr(terminal).filter(|addr| addr.session == session) {
                self.end(addr, end).await;
            }
        }
        .boxed()
    }

    fn end_terminal<'a>(&'a self, terminal: &'a TerminalId, end: SessionEnd) -> BoxFuture<'a, ()> {
        async move {
            if let Some(addr) = self.hub.addr(terminal) {
                self.end(addr, end).await;
            }
        }
        .boxed()
    }

    fn rejoin(&self, partition: PartitionIndex) -> BoxFuture<'_, ()> {
        async move { _ = future::join_all(self.mailboxes.iter().map(|mailbox| mailbox.rejoin(partition))).await }
            .boxed()
    }

    fn rejoin_session<'a>(&'a self, terminal: &'a TerminalId, session: SessionId) -> BoxFuture<'a, bool> {
        async move {
            let addr = self.hub.addr(terminal).filter(|addr| addr.session == session);
            let Some(addr) = addr else { return false };
            self.mailboxes[addr.shard].offer(ShardMessage::RejoinOne(addr)).await
        }
        .boxed()
    }

    fn event_stored<'a>(&'a self, terminal: &'a TerminalId, receipt: &'a EventReceipt) -> BoxFuture<'a, ()> {
        async move {
            if let Some(addr) = self.hub.addr(terminal).filter(|addr| addr.session == receipt.session) {
                // A message that is lost does no harm: a terminal that is not told sends the event again.
                let stored = ShardMessage::EventStored(addr, receipt.id.clone());
                self.mailboxes[addr.shard].offer(stored).await;
            }
        }
        .boxed()
    }

    fn request_drain(&self, request: DrainRequest) {
        if self.drain_requests.try_send(request).is_err() {
            tracing::warn!("too many drain requests are waiting; one was dropped");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_rejoin_returns_after_the_shards_handled_what_waited_in_their_mailboxes() {
        let (mailbox, mut messages) = mpsc::channel(2);
        let shards = Shards::new(Arc::default(), vec![mailbox], Partitions::ONE, mpsc::channel(1).0);
        let mut rejoin = std::pin::pin!(shards.rejoin(PartitionIndex(0)));
        assert!(futures_util::poll!(&mut rejoin).is_pending());
        let Some(ShardMessage::Rejoin(_, start)) = messages.recv().await else { panic!("another message") };
        assert!(futures_util::poll!(&mut rejoin).is_pending());
        start.send(()).unwrap();
        assert!(futures_util::poll!(&mut rejoin).is_ready());
    }
}
