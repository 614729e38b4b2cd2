//! The task of a terminal: it connects, serves the session, waits, and connects again, until the terminal leaves or a
//! node tells it to stay away. The task owns everything that outlives a session: the state, the backoff and the choice
//! of the next URL.

use std::{
    ops::ControlFlow,
    time::{Duration, Instant},
};

use tokio::time::sleep_until;
use tracing::debug;

use crate::{
    Backoff, ConnectionEnd, Incoming, Listener, Token,
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
    pub(crate) refusals: TokenRefusals,
}

/// The tokens that nodes refused, or that expired, since the terminal was last online.
#[derive(Debug, Default)]
pub(crate) struct TokenRefusals {
    /// How many different tokens in a row.
    count: u32,
    last: Option<Token>,
}

impl TokenRefusals {
    fn add(&mut self, token: Option<&Token>) {
        if self.count == 0 || self.last.as_ref() != token {
            self.count = self.count.saturating_add(1);
            self.last = token.cloned();
        }
    }
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
            let Some(mut retry_in) = self.backoff.after(&end, lasted) else { return end };
            let ControlFlow::Continue(lacks_token) = self.lacks_token(&end).await else { return ConnectionEnd::Left };
            if lacks_token {
                retry_in = self.backoff.slowly();
            }
            debug!(terminal = %self.state.config.terminal, %end, ?retry_in, "offline");
            self.state.listener.on(Incoming::Offline { end, retry_in }).await;
            let until = Instant::now() + retry_in;
            let waited = if lacks_token { self.wait_for_token(until).await } else { self.wait_until(until).await };
            if waited.is_break() {
                return ConnectionEnd::Left;
            }
        }
    }

    /// Returns whether the terminal is to come back slowly: nodes do not take its token, and its source has no other.
    /// After nodes refused several tokens in a row, a new token does not hurry the terminal either. Breaks if the
    /// terminal is to leave.
    async fn lacks_token(&mut self, end: &ConnectionEnd) -> ControlFlow<(), bool> {
        if !end.needs_token() {
            return ControlFlow::Continue(false);
        }
        self.refusals.add(self.state.token.current());
        if self.refusals.count > 1 || self.has_new_token().await? {
            return ControlFlow::Continue(self.refusals.count > 1);
        }
        // A token that was sent too late to extend the session may still be valid.
        let is_final = matches!(end, ConnectionEnd::Refused { .. }) || !self.state.token.can_change();
        ControlFlow::Continue(is_final || self.state.token.is_expired(self.state.node_time()))
    }

    /// Asks the source, and puts another token into use if there is one. Returns whether there is. Breaks if the
    /// terminal is to leave.
    async fn has_new_token(&mut self) -> ControlFlow<(), bool> {
        let answer = tokio::select! {
            _ = &mut self.state.leave => return ControlFlow::Break(()),
            answer = self.state.token.is_replaced() => answer,
        };
        if let Err(error) = &answer {
            self.state.listener.on(Incoming::TokenUnavailable(error.clone())).await;
        }
        ControlFlow::Continue(answer.unwrap_or(false))
    }

    /// Waits until the source has another token, at most until `until`, the time of the next attempt. Breaks if the
    /// terminal is to leave.
    async fn wait_for_token(&mut self, until: Instant) -> ControlFlow<()> {
        while self.state.token.can_change() {
            let ask_at = Instant::now() + self.backoff.before_asking(self.refusals.count);
            self.wait_until(ask_at.min(until)).await?;
            if Instant::now() >= until || self.has_new_token().await? {
                return ControlFlow::Continue(());
            }
        }
        self.wait_until(until).await
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
            // No session is open on which to acknowledge these commands: the node sends them again, and the terminal
            // acknowledges them then.
            self.state.hand_over_due().await;
            if Instant::now() >= until {
                return ControlFlow::Continue(());
            }
        }
    }

    /// Makes one attempt, and serves the session if one was opened. Returns how the connection ended, and how long the
    /// session lasted: zero if none was opened.
    async fn connect_and_serve(&mut self) -> (ConnectionEnd, Duration) {
        let now = self.state.node_time();
        let prepared = tokio::select! {
            _ = &mut self.state.leave => return (ConnectionEnd::Left, Duration::ZERO),
            prepared = self.state.token.for_attempt(now) => prepared,
        };
        match prepared {
            Err(error) if self.state.token.current().is_none() => {
                return (ConnectionEnd::NoToken(error), Duration::ZERO);
            }
            Err(error) => self.state.listener.on(Incoming::TokenUnavailable(error)).await,
            Ok(()) => {}
        }
        let cursor = self.state.seen.cursor().map(str::to_owned);
        // Boxed, since the many states of a handshake would otherwise take memory in the task of every connected
        // terminal.
        let (endpoint, token) = (&self.endpoints[self.next_endpoint], self.state.token.current());
        let dialing = Box::pin(dial(&self.state.config, endpoint, token, cursor));
        let opened = tokio::select! {
            _ = &mut self.state.leave => return (ConnectionEnd::Left, Duration::ZERO),
            opened = dialing => opened,
        };
        let (end, lasted) = match opened {
            Ok(opened) => self.serve(opened, Instant::now()).await,
            Err(end) => (end, Duration::ZERO),
        };
        // A node that sent a close is healthy, and its hint says when to return to it. After any other end the terminal
        // tries the next URL.
        if !matches!(end, ConnectionEnd::Closed { .. }) {
            self.next_endpoint = (self.next_endpoint + 1) % self.endpoints.len();
        }
        (end, lasted)
    }

    async fn serve(&mut self, opened: Opened, at: Instant) -> (ConnectionEnd, Duration) {
        self.refusals = TokenRefusals::default();
        let welcome = opened.welcome.clone();
        if let Some(welcome) = &welcome {
            self.state.on_welcome(welcome, at);
        }
        self.state.listener.on(Incoming::Online { welcome, at }).await;
        let end = Session::new(&mut self.state, opened).run().await;
        (end, at.elapsed())
    }
}
