//! The way to one shard. While a shard is busy its full mailbox makes the sender wait, so that nothing is lost. While a
//! shard is frozen its mailbox makes nobody wait, because a waiting sender would keep messages from the other shards.
//! The mailbox drops the commands of a frozen shard, and remembers the sessions that the shard must end. When the shard
//! answers, it ends those sessions, and has the others join again, which gives them what they missed.

// No shard of a model freezes. So the state that only a frozen shard needs uses the standard library, which the models
// do not follow.
use std::sync::{
    Mutex, PoisonError,
    atomic::{AtomicBool, Ordering},
};

use muster_protocol::partition::{PartitionIndex, Partitions};
use rustc_hash::FxHashMap;
use tokio::sync::watch;

use super::ShardMessage;
use crate::{
    end::SessionEnd,
    hub::SessionAddr,
    sync::{mpsc, oneshot},
};

/// The mailbox of one shard.
#[derive(Debug)]
pub struct Mailbox {
    sender: mpsc::Sender<ShardMessage>,
    /// Whether the shard was late when it was last looked at.
    is_frozen: watch::Sender<bool>,
    /// For each partition: whether a command was dropped. No command may follow before the partition's sessions have
    /// begun to join again.
    missed: Box<[AtomicBool]>,
    /// The sessions that the shard must end as soon as it answers: at most all of its sessions.
    unended: Mutex<FxHashMap<SessionAddr, SessionEnd>>,
}

impl Mailbox {
    /// Returns a mailbox of a shard that answers, and holds sessions of these partitions.
    pub fn new(sender: mpsc::Sender<ShardMessage>, partitions: Partitions) -> Self {
        let missed = partitions.all().map(|_| AtomicBool::new(false)).collect();
        Self { sender, is_frozen: watch::Sender::new(false), missed, unended: Mutex::default() }
    }

    /// Sends a message once there is room for it. Returns false, and drops the message, if the shard is frozen or has
    /// stopped.
    pub async fn offer(&self, message: ShardMessage) -> bool {
        tokio::select! {
            biased;
            sent = self.sender.send(message) => sent.is_ok(),
            () = self.freezes() => false,
        }
    }

    /// Sends a command of a partition. Drops the command if the shard is frozen, or has missed an earlier command of
    /// the partition.
    pub async fn send_command(&self, partition: PartitionIndex, command: ShardMessage) {
        if !self.has_missed(partition) && !self.offer(command).await {
            self.miss(partition);
        }
    }

    /// Has the shard end a session. A frozen shard does that when it answers.
    pub async fn send_end(&self, addr: SessionAddr, end: SessionEnd) {
        if !self.offer(ShardMessage::End(addr, end)).await {
            self.unended.lock().unwrap_or_else(PoisonError::into_inner).entry(addr).or_insert(end);
        }
    }

    /// Has the sessions of the partition join again. Returns once the shard has begun with that. Returns at once if the
    /// shard is frozen: the shard then begins when it answers, and sends no command of the partition before.
    pub async fn rejoin(&self, partition: PartitionIndex) {
        let (begin, begun) = oneshot::channel();
        if !self.offer(ShardMessage::Rejoin(partition, begin)).await {
            return self.miss(partition);
        }
        tokio::select! {
            biased;
            // An error means that the shard has stopped; then it sends nothing that could come too early.
            _ = begun => {}
            () = self.freezes() => self.miss(partition),
        }
    }

    /// Returns whether a command of the partition was dropped and the partition's sessions have not begun to join again
    /// since.
    pub fn has_missed(&self, partition: PartitionIndex) -> bool {
        self.flag(partition).load(Ordering::Relaxed)
    }

    /// Lets commands of the partition in again. The shard calls this when it begins to have the partition's sessions
    /// join again.
    pub fn reopen(&self, partition: PartitionIndex) {
        self.flag(partition).store(false, Ordering::Relaxed);
    }

    /// Records whether the shard is late. If it is not, sends it the ends that it missed, and has the sessions join
    /// again in each partition in which the shard missed a command.
    pub fn look(&self, is_late: bool) {
        self.is_frozen.send_replace(is_late);
        if is_late {
            return;
        }
        let mut unended = self.unended.lock().unwrap_or_else(PoisonError::into_inner);
        unended.retain(|addr, end| self.sender.try_send(ShardMessage::End(*addr, *end)).is_err());
        for (index, _) in self.missed.iter().enumerate().filter(|(_, missed)| missed.load(Ordering::Relaxed)) {
            // If the mailbox has no room, the next look tries again.
            let rejoin = ShardMessage::Rejoin(PartitionIndex(index as u16), oneshot::channel().0);
            let _ = self.sender.try_send(rejoin);
        }
    }

    async fn freezes(&self) {
        let _ = self.is_frozen.subscribe().wait_for(|is_frozen| *is_frozen).await;
    }

    fn miss(&self, partition: PartitionIndex) {
        self.flag(partition).store(true, Ordering::Relaxed);
    }

    fn flag(&self, partition: PartitionIndex) -> &AtomicBool {
        &self.missed[usize::from(partition.0)]
    }
}

#[cfg(all(test, not(feature = "shuttle")))]
mod tests {
    use futures_util::poll;
    use jiff::Timestamp;
    use muster_protocol::{CommandId, Payload, SessionId, frame};

    use super::*;
    use crate::wire::EncodedCommand;

    const FIRST: PartitionIndex = PartitionIndex(0);
    const SECOND: PartitionIndex = PartitionIndex(1);

    fn command(partition: PartitionIndex, number: u64) -> ShardMessage {
        let command = frame::Command {
            id: CommandId(uuid::Uuid::nil()),
            name: "show".into(),
            payload: Payload::default(),
            expires_at: Timestamp::MAX,
            cursor: None,
            stagger_ms: None,
        };
        ShardMessage::Broadcast(EncodedCommand::new(partition, number, command).into())
    }

    #[tokio::test]
    async fn a_frozen_shard_keeps_no_sender_waiting_and_its_sessions_join_again_when_it_answers() {
        let (sender, mut messages) = mpsc::channel(1);
        let mailbox = Mailbox::new(sender, Partitions::new(2).unwrap());
        mailbox.send_command(FIRST, command(FIRST, 1)).await;
        let mut waits = Box::pin(mailbox.send_command(FIRST, command(FIRST, 2)));
        assert!(poll!(&mut waits).is_pending(), "a busy shard makes the sender wait");
        mailbox.look(true);
        waits.await;
        messages.recv().await.unwrap();
        mailbox.send_command(FIRST, command(FIRST, 3)).await;
        assert!(messages.try_recv().is_err(), "nothing overtakes what was dropped");
        mailbox.send_command(SECOND, command(SECOND, 1)).await;
        assert!(
            matches!(messages.recv().await, Some(ShardMessage::Broadcast(_))),
            "another partition has missed nothing"
        );
        mailbox.look(false);
        assert!(matches!(messages.recv().await, Some(ShardMessage::Rejoin(FIRST, _))));
        mailbox.reopen(FIRST);
        mailbox.look(false);
        mailbox.send_command(FIRST, command(FIRST, 4)).await;
        assert!(matches!(messages.recv().await, Some(ShardMessage::Broadcast(_))));
    }

    #[tokio::test]
    async fn a_frozen_shard_ends_sessions_when_it_answers() {
        let (sender, mut messages) = mpsc::channel(1);
        let mailbox = Mailbox::new(sender, Partitions::ONE);
        mailbox.send_command(FIRST, command(FIRST, 1)).await;
        let addr = SessionAddr { shard: 0, key: 7, session: SessionId(uuid::Uuid::nil()) };
        let mut waits = Box::pin(mailbox.send_end(addr, SessionEnd::Replaced));
        assert!(poll!(&mut waits).is_pending(), "a busy shard makes the sender wait");
        mailbox.look(true);
        waits.await;
        mailbox.look(false);
        assert!(matches!(messages.recv().await, Some(ShardMessage::Broadcast(_))));
        assert!(messages.try_recv().is_err(), "there was no room at the first look");
        mailbox.look(false);
        let ended = messages.recv().await;
        assert!(matches!(ended, Some(ShardMessage::End(of, SessionEnd::Replaced)) if of == addr));
        mailbox.look(false);
        assert!(messages.try_recv().is_err(), "a session is ended once");
    }

    #[tokio::test]
    async fn a_rejoin_does_not_wait_for_a_shard_that_freezes_and_no_command_passes_before_it() {
        let (sender, mut messages) = mpsc::channel(2);
        let mailbox = Mailbox::new(sender, Partitions::ONE);
        let mut waits = Box::pin(mailbox.rejoin(FIRST));
        assert!(poll!(&mut waits).is_pending(), "the shard has not begun");
        mailbox.look(true);
        waits.await;
        assert!(mailbox.has_missed(FIRST));
        assert!(matches!(messages.recv().await, Some(ShardMessage::Rejoin(FIRST, _))));
    }
}
