//! A terminal's task: dial, serve, wait, and again, until it leaves or is told to stay away. It owns all that outlives a
//! session: the commands seen, the cursor, the backoff and which URL is next.

use std::time::{Duration, Instant};

use muster_protocol::frame::Welcome;
use tokio::{
    sync::{mpsc, oneshot},
    time::sleep,
};
use tokio_tungstenite::tungstenite::Message;
use tracing::debug;

use crate::{
    Backoff, Config, End, Incoming, Listener,
    dial::{Opened, dial},
    endpoint::Endpoint,
    seen::Seen,
    session::Session,
};

/// All that a terminal keeps while it is on the line, and while it comes back.
pub(crate) struct Life<L> {
    pub(crate) config: Config,
    pub(crate) listener: L,
    /// What the program says. While there is no session it waits here, and the program with it once this is full.
    pub(crate) orders: mpsc::Receiver<Message>,
    /// Resolves when the terminal is to leave. Not polled again after that.
    pub(crate) leave: oneshot::Receiver<()>,
    pub(crate) endpoints: Vec<Endpoint>,
    /// The endpoint of the next attempt, in turn.
    pub(crate) turn: usize,
    pub(crate) seen: Seen,
    /// Where the last session stood, for the next hello.
    pub(crate) cursor: Option<String>,
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
            tokio::select! {
                _ = &mut self.leave => return End::Left,
                () = sleep(retry_in) => {}
            }
        }
    }

    /// One attempt and the session it may lead to: how it ended, and how long it stood.
    async fn connect_and_serve(&mut self) -> (End, Duration) {
        // Boxed, since the many states of a handshake would otherwise be part of every terminal at rest.
        let dialling = Box::pin(dial(&self.config, &self.endpoints[self.turn], self.cursor.clone()));
        let opened = tokio::select! {
            _ = &mut self.leave => return (End::Left, Duration::ZERO),
            opened = dialling => opened,
        };
        match opened {
            Ok(opened) => self.serve(opened, Instant::now()).await,
            Err(end) => {
                self.turn = (self.turn + 1) % self.endpoints.len();
                (end, Duration::ZERO)
            }
        }
    }

    async fn serve(&mut self, opened: Opened, at: Instant) -> (End, Duration) {
        let welcome = opened.welcome.clone();
        welcome.iter().for_each(|welcome| self.stand_at(welcome));
        self.listener.on(Incoming::Online { welcome, at }).await;
        let end = Session::new(self, opened).run().await;
        (end, at.elapsed())
    }

    /// A node that resumes sends what follows our old cursor: until it has, that one stays.
    fn stand_at(&mut self, welcome: &Welcome) {
        if !welcome.resumed && welcome.cursor.is_some() {
            self.cursor.clone_from(&welcome.cursor);
        }
    }
}
