//! What a program is told, and how. The session's task calls the listener itself: no queue stands between socket and program.

use std::{
    future::Future,
    time::{Duration, Instant},
};

use muster_protocol::{
    CommandId,
    frame::{Command, Complaint, Gap, Welcome},
};
use tokio::sync::mpsc;

use crate::{End, SendError};

/// Something that happened to a terminal, in the order it happened. [`Incoming::Gone`] is the last, unless it was killed.
#[derive(Debug, Clone, PartialEq)]
pub enum Incoming {
    /// A session is ready: the node has said welcome or, in plain mode, agreed to the handshake.
    Online {
        /// The node's welcome; plain mode has none.
        welcome: Option<Box<Welcome>>,
        /// When it was read.
        at: Instant,
    },
    /// A command, for the first time. It is acknowledged once the listener returns.
    Command {
        /// What to do.
        command: Command,
        /// When its frame was read, before it was parsed.
        received_at: Instant,
    },
    /// A bare message, in plain mode.
    Text {
        /// The message.
        text: String,
        /// When it was read.
        received_at: Instant,
    },
    /// A command that was handed out before came again. It is acknowledged again, and not to be run again.
    Repeated(CommandId),
    /// A command whose turn came after `expires_at`: it is not to be run, and the node was told so.
    Expired(CommandId),
    /// Messages are missing, and will not come.
    Gap(Gap),
    /// The node did not understand a frame of ours.
    Complaint(Complaint),
    /// A message that waited for its session is over the limit of the node that is now connected, and was not sent: a
    /// [`SendError::TooLarge`]. If it was a result, the node was told that the command failed.
    NotSent(SendError),
    /// The session has ended, or could not be opened; the terminal will try again.
    Offline {
        /// How it ended.
        end: End,
        /// When the next attempt begins.
        retry_in: Duration,
    },
    /// The terminal will not come back.
    Gone(End),
}

/// Whoever is told. An `mpsc` sender is one; so is any type that counts, prints or forwards.
pub trait Listener: Send + Sync + 'static {
    /// Called for one thing at a time. The terminal reads nothing and answers no ping until it returns, so a slow listener
    /// holds back its node, which closes the session in the end (4002).
    fn on(&self, incoming: Incoming) -> impl Future<Output = ()> + Send;
}

impl Listener for mpsc::Sender<Incoming> {
    /// Waits for room. Once the receiver is dropped, nobody is told.
    async fn on(&self, incoming: Incoming) {
        let _ = self.send(incoming).await;
    }
}
