//! What a terminal keeps from one session to the next, and how it takes commands. It hands each to the listener once
//! and in time, and its cursor never passes a command that has not been handed over. The connector owns this state; the
//! session that is connected borrows it.

use std::time::{Duration, Instant};

use jiff::Timestamp;
use muster_protocol::{
    CommandId,
    frame::{Command, Welcome},
};
use rand::RngExt;
use tokio::sync::{mpsc, oneshot};

use crate::{
    Config, Incoming, Listener, limit::SendLimit, outbox::ResultOutbox, outgoing::Outgoing, renewal::TokenRenewal,
    seen::SeenCommands, stagger::StaggerQueue,
};

/// The state of one terminal that outlives its sessions. The connector itself keeps when and where to reconnect.
pub(crate) struct TerminalState<L> {
    pub(crate) config: Config,
    pub(crate) listener: L,
    /// Messages from the program. They wait here while there is no session; when the channel is full, the program
    /// waits.
    pub(crate) outgoing: mpsc::Receiver<Outgoing>,
    /// Resolves when the terminal is to leave. Must not be polled after that.
    pub(crate) leave: oneshot::Receiver<()>,
    pub(crate) seen: SeenCommands,
    pub(crate) stagger: StaggerQueue,
    /// The newest cursor, while commands before it still wait in the stagger queue.
    pub(crate) pending_cursor: Option<String>,
    pub(crate) outbox: ResultOutbox,
    pub(crate) limit: SendLimit,
    pub(crate) token: TokenRenewal,
    /// The node's time in the last welcome, and when the terminal read that welcome. The terminal's own clock may be
    /// wrong.
    pub(crate) node_clock: Option<(Timestamp, Instant)>,
}

impl<L: Listener> TerminalState<L> {
    /// Begins a session. A node that resumes sends what follows the old cursor, so that cursor stays until those
    /// commands arrive.
    pub(crate) fn on_welcome(&mut self, welcome: &Welcome, at: Instant) {
        self.node_clock = Some((welcome.time, at));
        self.limit.set(welcome.max_message);
        self.token.begin_session(welcome.time);
        if let Some(cursor) = welcome.cursor.clone().filter(|_| !welcome.resumed) {
            self.advance_cursor(cursor);
        }
    }

    /// Hands a command to the listener, or queues it for its share of the stagger. Returns whether to acknowledge it
    /// now.
    pub(crate) async fn receive_command(&mut self, command: Command, received_at: Instant) -> bool {
        let id = command.id;
        if self.seen.contains(id) {
            self.outbox.repeat(id);
            self.listener.on(Incoming::Repeated(id)).await;
            return true;
        }
        match command.stagger_ms.filter(|_| !self.is_late(&command)) {
            Some(stagger) => {
                let share = Duration::from_millis(rand::rng().random_range(0..=stagger));
                match self.stagger.push(received_at + share, command, received_at) {
                    // Without room in the queue the listener gets the command at once: if the cursor passed it, it
                    // would be lost.
                    Err(command) => self.hand_over(command, received_at).await,
                    Ok(()) => false,
                }
            }
            None => self.hand_over(command, received_at).await,
        }
    }

    /// Hands over the staggered commands that are due. Returns the commands to acknowledge.
    pub(crate) async fn hand_over_due(&mut self) -> Vec<CommandId> {
        let mut handed_over = Vec::new();
        while let Some((command, received_at)) = self.stagger.pop(Instant::now()) {
            let id = command.id;
            if self.hand_over(command, received_at).await {
                handed_over.push(id);
            }
        }
        if self.stagger.is_empty()
            && let Some(cursor) = self.pending_cursor.take()
        {
            self.seen.set_cursor(cursor);
        }
        handed_over
    }

    /// Moves the cursor, once no staggered command waits: after a restart of the program, the node sends again what
    /// follows the stored cursor.
    pub(crate) fn advance_cursor(&mut self, cursor: String) {
        if self.stagger.is_empty() {
            self.seen.set_cursor(cursor);
        } else {
            self.pending_cursor = Some(cursor);
        }
    }

    /// Returns the message itself if it is within this node's limit, and otherwise what replaces it; then the listener
    /// is told. A message can be over the limit if the terminal accepted it under another node's limit, or before any
    /// node named one.
    pub(crate) async fn within_limit(&self, outgoing: Outgoing) -> Option<Outgoing> {
        let Err(error) = self.limit.check(&outgoing) else { return Some(outgoing) };
        self.listener.on(Incoming::NotSent(error)).await;
        outgoing.replacement(self.limit.get())
    }

    /// Hands a command to the listener, unless it has expired. Returns whether the listener got it.
    async fn hand_over(&mut self, command: Command, received_at: Instant) -> bool {
        self.seen.insert(command.id);
        if self.is_late(&command) {
            let id = command.id;
            self.outbox.expired(id);
            self.listener.on(Incoming::Expired(id)).await;
            return false;
        }
        self.listener.on(Incoming::Command { command, received_at }).await;
        true
    }

    /// Returns the node's time, or this machine's before a node told its own.
    pub(crate) fn node_time(&self) -> Timestamp {
        let node = self.node_clock.and_then(|(time, at)| time.checked_add(at.elapsed()).ok());
        node.unwrap_or_else(Timestamp::now)
    }

    /// Returns whether a command has expired by the node's clock. False before a node told its time; in plain mode none
    /// does.
    fn is_late(&self, command: &Command) -> bool {
        let Some((time, at)) = self.node_clock else { return false };
        time.checked_add(at.elapsed()).is_ok_and(|now| now >= command.expires_at)
    }
}
