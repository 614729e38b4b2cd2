//! What a terminal reports to its program. The terminal's task calls the listener directly: there is no queue between
//! the socket and the program.

use std::{
    future::Future,
    time::{Duration, Instant},
};

use muster_protocol::{
    CommandId,
    frame::{Command, ErrorFrame, Gap, Welcome},
};
use tokio::sync::mpsc;

use crate::{ConnectionEnd, SendError, TokenUnavailable};

/// Something that happened to a terminal. Reported in order; the last is [`Incoming::Gone`], unless the terminal was
/// killed.
#[derive(Debug, Clone, PartialEq)]
pub enum Incoming {
    /// A session is ready: the node sent its welcome or, in plain mode, accepted the handshake.
    Online {
        /// The node's welcome. `None` in plain mode.
        welcome: Option<Box<Welcome>>,
        /// When the welcome, or in plain mode the answer to the handshake, was read.
        at: Instant,
    },
    /// A command that was not handed over before. It is acknowledged when the listener returns, unless
    /// [`Config::acknowledge`](crate::Config::acknowledge) is false.
    Command {
        /// The command.
        command: Command,
        /// When its frame was read, before it was parsed.
        received_at: Instant,
    },
    /// A text message in plain mode: the payload of a command.
    Text {
        /// The message text.
        text: String,
        /// When the message was read.
        received_at: Instant,
    },
    /// A binary message in plain mode: the payload of a command that is bytes.
    Binary {
        /// The bytes.
        bytes: Vec<u8>,
        /// When the message was read.
        received_at: Instant,
    },
    /// A command that was handed over before arrived again. The terminal acknowledges it again and repeats the result that it had, if that is
    /// among the last 256; the program must not run the command again.
    Repeated(CommandId),
    /// A command arrived, or its share of the stagger ended, after its `expires_at`. It is not handed over, and the
    /// node is sent a result with the reason `expired`.
    Expired(CommandId),
    /// The event that the program gave this [`id`](muster_protocol::frame::Event::id) is stored. One that is not told of may be lost with
    /// its connection: the program sends it again in the next session, with the same id.
    EventStored(String),
    /// Commands for this terminal were lost and will not arrive.
    Gap(Gap),
    /// The node could not use a frame that this terminal sent.
    Error(ErrorFrame),
    /// A message that waited for its session is over the limit of the node that is now connected, and was not sent: a
    /// [`SendError::TooLarge`]. If it was a result, the node was told that the command failed.
    NotSent(SendError),
    /// The token source failed. The terminal goes on with the token that it has, and asks again later.
    TokenUnavailable(TokenUnavailable),
    /// The session ended, or could not be opened. The terminal will try again.
    Offline {
        /// How it ended.
        end: ConnectionEnd,
        /// How long the terminal waits before the next attempt. If the token was refused or has expired, a new token
        /// makes the attempt earlier.
        retry_in: Duration,
    },
    /// The terminal will not come back. Nothing is reported after this.
    Gone(ConnectionEnd),
}

/// Receives what a terminal reports. Implemented for `mpsc::Sender<Incoming>`.
pub trait Listener: Send + Sync + 'static {
    /// Called for one report at a time. Until it returns, the terminal reads nothing and answers no ping. A node whose
    /// messages are not read in time closes the session with 4002, and one whose pings are not answered with 4001.
    fn on(&self, incoming: Incoming) -> impl Future<Output = ()> + Send;
}

impl Listener for mpsc::Sender<Incoming> {
    /// Waits for room in the channel. Reports are dropped once the receiver is.
    async fn on(&self, incoming: Incoming) {
        let _ = self.send(incoming).await;
    }
}
