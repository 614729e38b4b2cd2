//! The handle of a terminal. It owns the task that holds the connection, and dropping the handle ends both.

use muster_protocol::{
    CommandId, Payload,
    api::Protocol,
    frame::{EVENT_MAX, FromTerminal, Progress, ResultFrame},
};
use tokio::{
    sync::{mpsc, oneshot},
    task::JoinHandle,
};

use crate::{
    Backoff, Config, ConfigError, Listener,
    connector::{Connector, TokenRefusals},
    dial::hello,
    endpoint::Endpoint,
    limit::SendLimit,
    outbox::ResultOutbox,
    outgoing::Outgoing,
    renewal::TokenRenewal,
    seen::SeenCommands,
    stagger::StaggerQueue,
    state::TerminalState,
};

/// How many messages may wait to be written. When so many wait, a call that sends waits too.
const QUEUE: usize = 16;

/// A terminal that is connected or about to reconnect. To drop the handle without [`close`](Self::close) drops the
/// connection as [`kill`](Self::kill) does.
#[derive(Debug)]
pub struct Terminal {
    protocol: Protocol,
    outgoing: mpsc::Sender<Outgoing>,
    limit: SendLimit,
    leave: Option<oneshot::Sender<()>>,
    task: JoinHandle<()>,
}

/// Why a message was not sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum SendError {
    /// The message is over the limit of the node that the terminal was last connected to, or over
    /// [`Config::max_message`] if it has not been connected. The node would have closed the session.
    #[error(
        "the message has {bytes} bytes and the node takes at most {limit} (its --max-message): send less, or raise that limit"
    )]
    TooLarge {
        /// The size of the message as it would be sent, in bytes.
        bytes: usize,
        /// The largest size, in bytes.
        limit: usize,
    },
    /// The name and the payload of an event are over [`EVENT_MAX`]: the node would have stored only their size.
    #[error(
        "the event has {bytes} bytes of name and payload, and a node stores at most {limit}: send less, or several events"
    )]
    EventTooLarge {
        /// The size of name and payload in bytes.
        bytes: usize,
        /// The largest size, in bytes.
        limit: usize,
    },
    /// The terminal has ended and will not reconnect.
    #[error("the terminal is gone")]
    Gone,
    /// A frame was sent in plain mode, or a text in `muster.v1`.
    #[error("the terminal speaks the other protocol: use send() with muster.v1, and send_text() in plain mode")]
    OtherProtocol,
}

impl Terminal {
    /// Starts a task that connects and reconnects, and reports to the listener. Fails if the configuration can't be
    /// used.
    ///
    /// # Panics
    /// If called outside of a Tokio runtime.
    pub fn start(config: Config, listener: impl Listener) -> Result<Self, ConfigError> {
        let endpoints = Endpoint::all(&config)?;
        let limit = SendLimit::new(config.max_message);
        check_hello(&config, &limit)?;
        let seen = open_seen(&config)?;
        let outbox = ResultOutbox::of(seen.results().map(|(id, frame)| Outgoing::result(*id, frame)));
        let (outgoing, queued) = mpsc::channel(QUEUE);
        let (leave, left) = oneshot::channel();
        let (protocol, backoff) = (config.protocol, Backoff::new(config.policy, config.seed));
        let token = TokenRenewal::new(config.token.clone(), config.deadline);
        let state = TerminalState {
            config,
            listener,
            outgoing: queued,
            leave: left,
            seen,
            stagger: StaggerQueue::default(),
            pending_cursor: None,
            outbox,
            limit: limit.clone(),
            token,
            node_clock: None,
        };
        let connector = Connector { state, endpoints, next_endpoint: 0, backoff, refusals: TokenRefusals::default() };
        Ok(Self { protocol, outgoing, limit, leave: Some(leave), task: tokio::spawn(connector.run()) })
    }

    /// Sends a frame of `muster.v1`: an ack, progress, a result, health or an event. While the terminal is offline,
    /// frames wait for the next session; once 16 wait, this call waits too.
    ///
    /// `Ok` means that the frame is queued. If the connection breaks after that, the frame may be lost, unless it is a
    /// result: the last 256 results are sent again at the start of each session.
    ///
    /// A frame over the node's limit is not sent: [`SendError::TooLarge`]. If the frame is a result, a small one is
    /// sent in its place, with `ok` false and the payload `{"error":"too_large","bytes":N,"limit":N}`, so that the
    /// command ends. An event over [`EVENT_MAX`] is not sent either: [`SendError::EventTooLarge`].
    pub async fn send(&self, frame: FromTerminal) -> Result<(), SendError> {
        if let FromTerminal::Event(event) = &frame
            && event.size() > EVENT_MAX
        {
            return Err(SendError::EventTooLarge { bytes: event.size(), limit: EVENT_MAX });
        }
        self.queue(Protocol::V1, Outgoing::frame(&frame)).await
    }

    /// Reports that a command is being run. See [`send`](Self::send).
    pub async fn progress(&self, id: CommandId, payload: Payload) -> Result<(), SendError> {
        self.send(FromTerminal::Progress(Progress { id, payload })).await
    }

    /// Reports how a command ended: `ok` says whether it succeeded, and `payload` is the reply. See
    /// [`send`](Self::send).
    pub async fn result(&self, id: CommandId, ok: bool, payload: Payload) -> Result<(), SendError> {
        self.send(FromTerminal::Result(ResultFrame { id, ok, reason: None, payload })).await
    }

    /// Sends a text message in plain mode, of at most [`Config::max_message`] bytes. The message waits as a frame does;
    /// see [`send`](Self::send).
    pub async fn send_text(&self, text: impl Into<String>) -> Result<(), SendError> {
        self.queue(Protocol::Plain, Outgoing::text(text.into())).await
    }

    /// Sends a binary message in plain mode; see [`send_text`](Self::send_text). In `muster.v1`, send bytes in the
    /// payload of a frame: [`Payload::from_bytes`].
    pub async fn send_bytes(&self, bytes: impl Into<Vec<u8>>) -> Result<(), SendError> {
        self.queue(Protocol::Plain, Outgoing::binary(bytes.into())).await
    }

    async fn queue(&self, protocol: Protocol, outgoing: Outgoing) -> Result<(), SendError> {
        if protocol != self.protocol {
            return Err(SendError::OtherProtocol);
        }
        let checked = self.limit.check(&outgoing);
        let queued = if checked.is_ok() { Some(outgoing) } else { outgoing.replacement(self.limit.get()) };
        if let Some(outgoing) = queued {
            self.outgoing.send(outgoing).await.map_err(|_| SendError::Gone)?;
        }
        checked
    }

    /// Sends what is queued, closes the connection with 1000 and does not reconnect. Returns when the connection is
    /// gone and the listener has returned from [`Incoming::Gone`](crate::Incoming::Gone). If the listener is a channel,
    /// its receiver must go on receiving meanwhile.
    pub async fn close(mut self) {
        if let Some(leave) = self.leave.take() {
            let _ = leave.send(());
        }
        let _ = (&mut self.task).await;
    }

    /// Drops the connection without a close, as a power failure would. Returns when the connection is gone. The
    /// listener is not called any more.
    pub async fn kill(mut self) {
        self.task.abort();
        let _ = (&mut self.task).await;
    }

    /// Returns whether the terminal has ended and will not reconnect.
    pub fn is_gone(&self) -> bool {
        self.task.is_finished()
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// The room that a hello keeps for the cursor, in bytes. A node's cursor has some 50 bytes.
const CURSOR_ROOM: usize = 256;

/// Refuses a hello over the limit: a node would close every attempt with 1009.
pub(crate) fn check_hello(config: &Config, limit: &SendLimit) -> Result<(), ConfigError> {
    let (bytes, limit) = (Outgoing::frame(&hello(config, None)).size() + CURSOR_ROOM, limit.get());
    match config.protocol {
        Protocol::V1 if bytes > limit => Err(ConfigError::HelloTooLarge { bytes, limit }),
        _ => Ok(()),
    }
}

fn open_seen(config: &Config) -> Result<SeenCommands, ConfigError> {
    SeenCommands::open(config.remember, config.cursor.clone(), config.memory.as_deref()).map_err(|error| {
        let path = config.memory.as_deref().unwrap_or(std::path::Path::new("")).display().to_string();
        ConfigError::Memory { path, problem: error.to_string() }
    })
}
