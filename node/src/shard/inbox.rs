//! The receiving end of a shard's mailbox, from which the shard works in passes.

use std::{collections::VecDeque, sync::Arc};

use super::ShardMessage;
use crate::{sync::mpsc, wire::EncodedCommand};

/// The messages of one pass: those that were taken when it began, and the broadcasts that arrive while it works. A pass
/// has a bounded number of messages, since the sessions wait for its end.
#[derive(Debug)]
pub struct Inbox {
    mailbox: mpsc::Receiver<ShardMessage>,
    taken: VecDeque<ShardMessage>,
    /// The most messages of one pass.
    limit: usize,
    /// How many messages this pass may still take from the mailbox.
    room: usize,
}

impl Inbox {
    /// Returns an inbox whose passes have at most `limit` messages.
    pub fn new(mailbox: mpsc::Receiver<ShardMessage>, limit: usize) -> Self {
        Self { mailbox, taken: VecDeque::new(), limit, room: 0 }
    }

    /// Returns an inbox whose pass has these messages, and whose mailbox is empty.
    #[cfg(test)]
    pub fn of(messages: Vec<ShardMessage>) -> Self {
        Self { taken: messages.into(), ..Self::new(mpsc::channel(1).1, 0) }
    }

    /// Begins a pass: waits until there is a message, and takes what has piled up. Takes nothing if the future is
    /// dropped before it completes, or once all senders were dropped.
    pub async fn fill(&mut self) {
        let mut messages = Vec::new();
        let count = self.mailbox.recv_many(&mut messages, self.limit).await;
        self.taken.extend(messages);
        self.room = self.limit - count;
    }

    /// Returns the next message that this pass has taken.
    pub fn next(&mut self) -> Option<ShardMessage> {
        self.taken.pop_front()
    }

    /// Returns the next message if it is a broadcast; also a broadcast that has arrived since this pass began. `None`
    /// if the next message is of another kind: a broadcast must not overtake a message to one session.
    pub fn next_broadcast(&mut self) -> Option<Arc<EncodedCommand>> {
        if self.taken.is_empty()
            && self.room > 0
            && let Ok(message) = self.mailbox.try_recv()
        {
            self.room -= 1;
            self.taken.push_back(message);
        }
        match self.taken.pop_front()? {
            ShardMessage::Broadcast(command) => Some(command),
            other => {
                self.taken.push_front(other);
                None
            }
        }
    }
}
