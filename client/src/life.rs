//! A terminal's task: dial, serve, wait, and again, until it leaves or is told to stay away. It owns all that outlives a
//! session: what is kept, the backoff and which URL is next.

use std::time::{Duration, Instant};

use tokio::time::sleep_until;
use tracing::debug;

use crate::{
    Backoff, End, Incoming, Listener,
    dial::{Opened, dial},
    endpoint::Endpoint,
    kept::Kept,
    session::Session,
};

/// A terminal, on the line or on its way back to it.
pub(crate) struct Life<L> {
    pub(crate) kept: Kept<L>,
    pub(crate) endpoints: Vec<Endpoint>,
    /// The endpoint of the next attempt, in turn.
    pub(crate) turn: usize,
    pub(crate) backoff: Backoff,
}

impl<L: Listener> Life<L> {
    /// Lives, and tells the listener how it ended.
    pub(crate) async fn run(mut self) {
        let end = self.live().await;
        debug!(terminal = %self.kept.config.terminal, %end, "gone");
        self.kept.listener.on(Incoming::Gone(end)).await;
    }

    async fn live(&mut self) -> End {
        loop {
            let (end, stood) = self.connect_and_serve().await;
            let Some(retry_in) = self.backoff.after(&end, stood) else { return end };
            debug!(terminal = %self.kept.config.terminal, %end, ?retry_in, "offline");
            self.kept.listener.on(Incoming::Offline { end, retry_in }).await;
            if self.rest(Instant::now() + retry_in).await.is_some() {
                return End::Left;
            }
        }
    }

    /// Waits for the next attempt, and hands out what is due meanwhile; something, if the terminal is to leave.
    async fn rest(&mut self, until: Instant) -> Option<()> {
        loop {
            let due = self.kept.waiting.next().map_or(until, |due| due.min(until));
            tokio::select! {
                _ = &mut self.kept.leave => return Some(()),
                () = sleep_until(due.into()) => {}
            }
            // What is handed out while there is no session is acknowledged when it comes again.
            self.kept.hand_out_due().await;
            if Instant::now() >= until {
                return None;
            }
        }
    }

    /// One attempt and the session it may lead to: how it ended, and how long it stood.
    async fn connect_and_serve(&mut self) -> (End, Duration) {
        // Boxed, since the many states of a handshake would otherwise be part of every terminal at rest.
        let dialling =
            Box::pin(dial(&self.kept.config, &self.endpoints[self.turn], self.kept.memory.cursor().map(str::to_owned)));
        let opened = tokio::select! {
            _ = &mut self.kept.leave => return (End::Left, Duration::ZERO),
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
        welcome.iter().for_each(|welcome| self.kept.stand_at(welcome, at));
        self.kept.listener.on(Incoming::Online { welcome, at }).await;
        let end = Session::new(&mut self.kept, opened).run().await;
        (end, at.elapsed())
    }
}
