//! A terminal's task: dial, serve, wait, and again, until it leaves or is told to stay away. It owns all that outlives a
//! session: what it remembers, what waits its turn, what it may have to say again, the backoff and which URL is next.

use std::time::{Duration, Instant};

use jiff::Timestamp;
use muster_protocol::{
    CommandId,
    frame::{Command, Welcome},
};
use rand::RngExt;
use tokio::{
    sync::{mpsc, oneshot},
    time::sleep_until,
};
use tracing::debug;

use crate::{
    Backoff, Config, End, Incoming, Listener,
    dial::{Opened, dial},
    endpoint::Endpoint,
    memory::Memory,
    order::Order,
    said::Said,
    session::Session,
    waiting::Waiting,
};

/// All that a terminal keeps while it is on the line, and while it comes back.
pub(crate) struct Life<L> {
    pub(crate) config: Config,
    pub(crate) listener: L,
    /// What the program says. While there is no session it waits here, and the program with it once this is full.
    pub(crate) orders: mpsc::Receiver<Order>,
    /// Resolves when the terminal is to leave. Not polled again after that.
    pub(crate) leave: oneshot::Receiver<()>,
    pub(crate) endpoints: Vec<Endpoint>,
    /// The endpoint of the next attempt, in turn.
    pub(crate) turn: usize,
    pub(crate) memory: Memory,
    pub(crate) waiting: Waiting,
    /// How far the terminal has come beyond what still waits.
    pub(crate) ahead: Option<String>,
    pub(crate) said: Said,
    /// What the node's clock said, and when: the terminal's own may be wrong.
    pub(crate) clock: Option<(Timestamp, Instant)>,
    pub(crate) backoff: Backoff,
}

impl<L: Listener> Life<L> {
    /// Lives, and tells the listener how it ended.
    pub(crate) async fn run(mut self) {
        let end = self.live().await;
        debug!(terminal = %self.config.terminal, %end, "gone");
        self.listener.on(Incoming::Gone(end)).await;
    }

    async fn live(&mut self) -> End {
        loop {
            let (end, stood) = self.connect_and_serve().await;
            let Some(retry_in) = self.backoff.after(&end, stood) else { return end };
            debug!(terminal = %self.config.terminal, %end, ?retry_in, "offline");
            self.listener.on(Incoming::Offline { end, retry_in }).await;
            if self.rest(Instant::now() + retry_in).await.is_some() {
                return End::Left;
            }
        }
    }

    /// Waits for the next attempt, and hands out what is due meanwhile; something, if the terminal is to leave.
    async fn rest(&mut self, until: Instant) -> Option<()> {
        loop {
            let due = self.waiting.next().map_or(until, |due| due.min(until));
            tokio::select! {
                _ = &mut self.leave => return Some(()),
                () = sleep_until(due.into()) => {}
            }
            // What is handed out while there is no session is acknowledged when it comes again.
            self.hand_out_due().await;
            if Instant::now() >= until {
                return None;
            }
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

    /// Gives a command to the program, unless it is too late for it; whether it was in time.
    async fn hand_out(&mut self, command: Command, received_at: Instant) -> bool {
        self.memory.insert(command.id);
        if self.is_late(&command) {
            let id = command.id;
            self.said.expired(id);
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

    /// One attempt and the session it may lead to: how it ended, and how long it stood.
    async fn connect_and_serve(&mut self) -> (End, Duration) {
        // Boxed, since the many states of a handshake would otherwise be part of every terminal at rest.
        let dialling =
            Box::pin(dial(&self.config, &self.endpoints[self.turn], self.memory.cursor().map(str::to_owned)));
        let opened = tokio::select! {
            _ = &mut self.leave => return (End::Left, Duration::ZERO),
            opened = dialling => opened,
        };
        let (end, stood) = match opened {
            Ok(opened) => self.serve(opened, Instant::now()).await,
            Err(end) => (end, Duration::ZERO),
        };
        // A node that closed is well, and says when to come back; any other is passed over.
        if !matches!(end, End::Closed { .. }) {
            self.turn = (self.turn + 1) % self.endpoints.len();
        }
        (end, stood)
    }

    async fn serve(&mut self, opened: Opened, at: Instant) -> (End, Duration) {
        let welcome = opened.welcome.clone();
        welcome.iter().for_each(|welcome| self.stand_at(welcome, at));
        self.listener.on(Incoming::Online { welcome, at }).await;
        let end = Session::new(self, opened).run().await;
        (end, at.elapsed())
    }

    /// A node that resumes sends what follows our old cursor: until it has, that one stays.
    fn stand_at(&mut self, welcome: &Welcome, at: Instant) {
        self.clock = Some((welcome.time, at));
        if let Some(cursor) = welcome.cursor.clone().filter(|_| !welcome.resumed) {
            self.memory.stand_at(cursor);
        }
    }
}
