//! The task of a terminal: it connects, serves the session, waits, and connects again, until the terminal leaves or is
//! told to stay away. It owns everything that outlives a session: the state, the backoff and the choice of the next
//! URL.

use std::{
    ops::ControlFlow,
    time::{Duration, Instant},
};

use tokio::time::sleep_until;
use tracing::debug;

use crate::{
    Backoff, ConnectionEnd, Incoming, Listener,
    dial::{Opened, dial},
    endpoint::Endpoint,
    session::Session,
    state::TerminalState,
};

/// One terminal, connected or about to reconnect.
pub(crate) struct Connector<L> {
    pub(crate) state: TerminalState<L>,
    pub(crate) endpoints: Vec<Endpoint>,
    /// The index in `endpoints` for the next attempt.
    pub(crate) next_endpoint: usize,
    pub(crate) backoff: Backoff,
}

impl<L: Listener> Connector<L> {
    /// Runs until the terminal will not come back, and tells the listener why.
    pub(crate) async fn run(mut self) {
        let end = self.run_sessions().await;
        debug!(terminal = %self.state.config.terminal, %end, "gone");
        self.state.listener.on(Incoming::Gone(end)).await;
    }

    async fn run_sessions(&mut self) -> ConnectionEnd {
        loop {
            let (end, lasted) = self.connect_and_serve().await;
            let Some(retry_in) = self.backoff.after(&end, lasted) else { return end };
            debug!(terminal = %self.state.config.terminal, %end, ?retry_in, "offline");
            self.state.listener.on(Incoming::Offline { end, retry_in }).await;
            if self.wait_until(Instant::now() + retry_in).await.is_break() {
                return ConnectionEnd::Left;
            }
        }
    }

    /// Waits for the next attempt, and meanwhile hands over staggered commands that are due. Breaks if the terminal is
    /// to leave.
    async fn wait_until(&mut self, until: Instant) -> ControlFlow<()> {
        loop {
            let due = self.state.stagger.next_due().map_or(until, |due| due.min(until));
            tokio::select! {
                _ = &mut self.state.leave => return ControlFlow::Break(()),
                () = sleep_until(due.into()) => {}
            }
            // There is no session to acknowledge these on: the node sends them again, and then they are acknowledged.
            self.state.hand_over_due().await;
            if Instant::now() >= until {
                return ControlFlow::Continue(());
            }
        }
    }

    /// Makes one attempt and serves the session if there is one. Returns how it ended, and how long the session lasted:
    /// zero if none was opened.
    async fn connect_and_serve(&mut self) -> (ConnectionEnd, Duration) {
        let cursor = self.state.seen.cursor().map(str::to_owned);
        // Boxed, since the many states of a handshake would otherwise take memory in the task of every connected
        // terminal.
        let dialing = Box::pin(dial(&self.state.config, &self.endpoints[self.next_endpoint], cursor));
        let opened = tokio::select! {
            _ = &mut self.state.leave => return (ConnectionEnd::Left, Duration::ZERO),
            opened = dialing => opened,
        };
        let (end, lasted) = match opened {
            Ok(opened) => self.serve(opened, Instant::now()).await,
            Err(end) => (end, Duration::ZERO),
        };
        // A node that sent a close is healthy, and its hint says when to return to it. After any other end the next URL
        // is tried.
        if !matches!(end, ConnectionEnd::Closed { .. }) {
            self.next_endpoint = (self.next_endpoint + 1) % self.endpoints.len();
        }
        (end, lasted)
    }

    async fn serve(&mut self, opened: Opened, at: Instant) -> (ConnectionEnd, Duration) {
        let welcome = opened.welcome.clone();
        if let Some(welcome) = &welcome {
            self.state.on_welcome(welcome, at);
        }
        self.state.listener.on(Incoming::Online { welcome, at }).await;
        let end = Session::new(&mut self.state, opened).run().await;
        (end, at.elapsed())
    }
}
