//! The handle of a terminal. It owns the task behind it: a handle that is dropped takes its connection with it.

use muster_protocol::{
    CommandId, Payload,
    api::Protocol,
    frame::{FromTerminal, Outcome, Progress},
};
use tokio::{
    sync::{mpsc, oneshot},
    task::JoinHandle,
};

use crate::{
    Backoff, Config, InvalidConfig, Listener, dial::hello, endpoint::Endpoint, kept::Kept, life::Life,
    limit::SendLimit, memory::Memory, outbox::ResultOutbox, outgoing::Outgoing, waiting::Waiting,
};

/// What a program may have said that is not yet on the wire; beyond it, saying waits.
const UNSAID: usize = 16;

/// A terminal on the line, or on its way back to it. Dropped without [`close`](Self::close), it is gone as if killed.
#[derive(Debug)]
pub struct Terminal {
    protocol: Protocol,
    orders: mpsc::Sender<Outgoing>,
    limit: SendLimit,
    leave: Option<oneshot::Sender<()>>,
    task: JoinHandle<()>,
}

/// Why a message was not sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum SendError {
    /// The message is over the limit of the node that the terminal was last connected to, or over [`Config::max_message`] if it has
    /// not been connected. The node would have closed the session.
    #[error(
        "the message has {bytes} bytes and the node takes at most {limit} (its --max-message): send less, or raise that limit"
    )]
    TooLarge {
        /// The size of the message as it would be sent, in bytes.
        bytes: usize,
        /// The largest size, in bytes.
        limit: usize,
    },
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
        let limit = SendLimit::new(config.max_message);
        check_hello(&config, &limit)?;
        let memory = memory(&config)?;
        let (orders, ordered) = mpsc::channel(UNSAID);
        let (leave, left) = oneshot::channel();
        let (protocol, backoff) = (config.protocol, Backoff::new(config.policy, config.seed));
        let kept = Kept {
            config,
            listener,
            orders: ordered,
            leave: left,
            memory,
            waiting: Waiting::default(),
            ahead: None,
            outbox: ResultOutbox::default(),
            limit: limit.clone(),
            clock: None,
        };
        let life = Life { kept, endpoints, turn: 0, backoff };
        Ok(Self { protocol, orders, limit, leave: Some(leave), task: tokio::spawn(life.run()) })
    }

    /// Says a frame of `muster.v1`: an ack, progress, a result, health or an event. While offline it waits for the next
    /// session. A frame that was on its way when a session broke is lost, as the bytes below it are, but for a result: the last
    /// 256 of them are said again.
    ///
    /// A frame over the node's limit is not sent: [`SendError::TooLarge`]. If it is a result, a small one is sent in its place,
    /// `ok` false with the payload `{"error":"too_large","bytes":N,"limit":N}`, so that the command ends.
    pub async fn say(&self, frame: FromTerminal) -> Result<(), SendError> {
        self.send(Protocol::V1, Outgoing::frame(&frame)).await
    }

    /// Says that a command is under way.
    pub async fn progress(&self, id: CommandId, payload: Payload) -> Result<(), SendError> {
        self.say(FromTerminal::Progress(Progress { id, payload })).await
    }

    /// Says how a command ended.
    pub async fn result(&self, id: CommandId, ok: bool, payload: Payload) -> Result<(), SendError> {
        self.say(FromTerminal::Result(Outcome { id, ok, reason: None, payload })).await
    }

    /// Says a bare message in plain mode, of at most [`Config::max_message`] bytes.
    pub async fn text(&self, text: impl Into<String>) -> Result<(), SendError> {
        self.send(Protocol::Plain, Outgoing::text(text.into())).await
    }

    async fn send(&self, protocol: Protocol, outgoing: Outgoing) -> Result<(), SendError> {
        if protocol != self.protocol {
            return Err(SendError::OtherProtocol);
        }
        let checked = self.limit.check(&outgoing);
        let queued = if checked.is_ok() { Some(outgoing) } else { outgoing.replacement(self.limit.get()) };
        if let Some(outgoing) = queued {
            self.orders.send(outgoing).await.map_err(|_| SendError::Gone)?;
        }
        checked
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

/// The room in a hello for the cursor, which is a node's text of some 50 bytes.
const CURSOR_ROOM: usize = 256;

/// A hello over the limit would be closed with 1009 at each attempt, for good.
fn check_hello(config: &Config, limit: &SendLimit) -> Result<(), InvalidConfig> {
    let (bytes, limit) = (Outgoing::frame(&hello(config, None)).size() + CURSOR_ROOM, limit.get());
    match config.protocol {
        Protocol::V1 if bytes > limit => Err(InvalidConfig::HelloTooLarge { bytes, limit }),
        _ => Ok(()),
    }
}

fn memory(config: &Config) -> Result<Memory, InvalidConfig> {
    Memory::open(config.remember, config.cursor.clone(), config.memory.as_deref()).map_err(|error| {
        let path = config.memory.as_deref().unwrap_or(std::path::Path::new("")).display().to_string();
        InvalidConfig::Memory { path, problem: error.to_string() }
    })
}
