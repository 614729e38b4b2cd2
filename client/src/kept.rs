//! What a terminal keeps from one session to the next, and how it takes the commands that come: each is handed out once, in time,
//! and the cursor stands no further than that. Its life owns this; the session that is on the line borrows it.

use std::time::{Duration, Instant};

use jiff::Timestamp;
use muster_protocol::{
    CommandId,
    frame::{Command, Welcome},
};
use rand::RngExt;
use tokio::sync::{mpsc, oneshot};

use crate::{
    Config, Incoming, Listener, limit::SendLimit, memory::Memory, outbox::ResultOutbox, outgoing::Outgoing,
    waiting::Waiting,
};

/// What a session uses and outlives it; when and where to come back is the life's own.
pub(crate) struct Kept<L> {
    pub(crate) config: Config,
    pub(crate) listener: L,
    /// What the program says. While there is no session it waits here, and the program with it once this is full.
    pub(crate) orders: mpsc::Receiver<Outgoing>,
    /// Resolves when the terminal is to leave. Not polled again after that.
    pub(crate) leave: oneshot::Receiver<()>,
    pub(crate) memory: Memory,
    pub(crate) waiting: Waiting,
    /// How far the terminal has come beyond what still waits.
    pub(crate) ahead: Option<String>,
    pub(crate) outbox: ResultOutbox,
    pub(crate) limit: SendLimit,
    /// What the node's clock said, and when: the terminal's own may be wrong.
    pub(crate) clock: Option<(Timestamp, Instant)>,
}

impl<L: Listener> Kept<L> {
    /// A node that resumes sends what follows our old cursor: until it has, that one stays.
    pub(crate) fn stand_at(&mut self, welcome: &Welcome, at: Instant) {
        self.clock = Some((welcome.time, at));
        self.limit.set(welcome.max_message);
        if let Some(cursor) = welcome.cursor.clone().filter(|_| !welcome.resumed) {
            self.memory.stand_at(cursor);
        }
    }

    /// Takes a command that came: hands it out, or has it wait its share. Whether it is to be acknowledged now.
    pub(crate) async fn take(&mut self, command: Command, received_at: Instant) -> bool {
        let id = command.id;
        if self.memory.knows(id) {
            self.listener.on(Incoming::Repeated(id)).await;
            return true;
        }
        match command.stagger_ms.filter(|_| !self.is_late(&command)) {
            Some(stagger) => {
                let share = Duration::from_millis(rand::rng().random_range(0..=stagger));
                self.waiting.push(received_at + share, command, received_at);
                false
            }
            None => self.hand_out(command, received_at).await,
        }
    }

    /// Hands out what has waited long enough; what of it is to be acknowledged.
    pub(crate) async fn hand_out_due(&mut self) -> Vec<CommandId> {
        let mut handed = Vec::new();
        while let Some((command, received_at)) = self.waiting.pop(Instant::now()) {
            let id = command.id;
            if self.hand_out(command, received_at).await {
                handed.push(id);
            }
        }
        if self.waiting.is_empty()
            && let Some(cursor) = self.ahead.take()
        {
            self.memory.stand_at(cursor);
        }
        handed
    }

    /// The terminal has come further; but no further than what still waits, so that a restart asks for that again.
    pub(crate) fn advance(&mut self, cursor: String) {
        if self.waiting.is_empty() {
            self.memory.stand_at(cursor);
        } else {
            self.ahead = Some(cursor);
        }
    }

    /// The message to send in place of this one, which may have been accepted under another node's limit or while there was none: the
    /// message itself if it is within this node's limit, or else what replaces it. The listener is told of each that is replaced.
    pub(crate) async fn within_limit(&self, outgoing: Outgoing) -> Option<Outgoing> {
        let Err(error) = self.limit.check(&outgoing) else { return Some(outgoing) };
        self.listener.on(Incoming::NotSent(error)).await;
        outgoing.replacement(self.limit.get())
    }

    /// Gives a command to the program, unless it is too late for it; whether it was in time.
    async fn hand_out(&mut self, command: Command, received_at: Instant) -> bool {
        self.memory.insert(command.id);
        if self.is_late(&command) {
            let id = command.id;
            self.outbox.expired(id);
            self.listener.on(Incoming::Expired(id)).await;
            return false;
        }
        self.listener.on(Incoming::Command { command, received_at }).await;
        true
    }

    /// By the node's clock. A node that never told it is trusted to send nothing that is late.
    fn is_late(&self, command: &Command) -> bool {
        let Some((time, at)) = self.clock else { return false };
        time.checked_add(at.elapsed()).is_ok_and(|now| now >= command.expires_at)
    }
}
