//! The handle of a terminal. It owns the task behind it: a handle that is dropped takes its connection with it.

use muster_protocol::{api::Protocol, frame::FromTerminal};
use tokio::{
    sync::{mpsc, oneshot},
    task::JoinHandle,
};
use tokio_tungstenite::tungstenite::Message;

use crate::{Backoff, Config, InvalidConfig, Listener, endpoint::Endpoint, life::Life, seen::Seen};

/// What a program may have said that is not yet on the wire; beyond it, saying waits.
const UNSAID: usize = 16;

/// A terminal on the line, or on its way back to it. Dropped without [`close`](Self::close), it is gone as if killed.
#[derive(Debug)]
pub struct Terminal {
    protocol: Protocol,
    orders: mpsc::Sender<Message>,
    leave: Option<oneshot::Sender<()>>,
    task: JoinHandle<()>,
}

/// Why something could not be said.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Unsent {
    /// The terminal will not come back.
    #[error("the terminal is gone")]
    Gone,
    /// A frame in plain mode, or a bare message in `muster.v1`.
    #[error("the session speaks the other protocol: use say() with muster.v1, and text() in plain mode")]
    OtherProtocol,
}

impl Terminal {
    /// Starts to connect, within a Tokio runtime; what becomes of it is told to the listener.
    pub fn start(config: Config, listener: impl Listener) -> Result<Self, InvalidConfig> {
        let endpoints = Endpoint::all(&config)?;
        let (orders, ordered) = mpsc::channel(UNSAID);
        let (leave, left) = oneshot::channel();
        let life = Life {
            endpoints,
            listener,
            orders: ordered,
            leave: left,
            turn: 0,
            seen: Seen::default(),
            cursor: None,
            backoff: Backoff::new(config.policy, config.seed),
            config,
        };
        let protocol = life.config.protocol;
        Ok(Self { protocol, orders, leave: Some(leave), task: tokio::spawn(life.run()) })
    }

    /// Says a frame of `muster.v1`: an ack, progress, a result, health or an event. While offline it waits for the next
    /// session; a frame that was on its way when a session broke is lost, as the bytes below it are.
    pub async fn say(&self, frame: FromTerminal) -> Result<(), Unsent> {
        self.order(Protocol::V1, frame.to_string()).await
    }

    /// Says a bare message in plain mode.
    pub async fn text(&self, text: impl Into<String>) -> Result<(), Unsent> {
        self.order(Protocol::Plain, text.into()).await
    }

    async fn order(&self, protocol: Protocol, text: String) -> Result<(), Unsent> {
        if protocol != self.protocol {
            return Err(Unsent::OtherProtocol);
        }
        self.orders.send(Message::text(text)).await.map_err(|_| Unsent::Gone)
    }

    /// Says what is still to be said, closes with 1000 and stays away. Returns when the connection is gone and the listener
    /// was told; so keep reading, if the listener is a queue.
    pub async fn close(mut self) {
        if let Some(leave) = self.leave.take() {
            let _ = leave.send(());
        }
        let _ = (&mut self.task).await;
    }

    /// Drops the connection without a close, as a power cut would. Returns when it is gone; the listener is told nothing.
    pub async fn kill(mut self) {
        self.task.abort();
        let _ = (&mut self.task).await;
    }

    /// Whether the terminal will not come back.
    pub fn is_gone(&self) -> bool {
        self.task.is_finished()
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        self.task.abort();
    }
}
