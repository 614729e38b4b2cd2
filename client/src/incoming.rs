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

/// Something that happened to a terminal. The terminal reports in order; the last report is [`Incoming::Gone`], unless
/// the terminal was killed.
#[derive(Debug, Clone, PartialEq)]
pub enum Incoming {
    /// A session is ready: the node sent its welcome or, in plain mode, accepted the handshake.
    Online {
        /// The node's welcome. `None` in plain mode.
        welcome: Option<Box<Welcome>>,
        /// When the welcome, or in plain mode the answer to the handshake, was read.
        at: Instant,
    },
    /// A command that was not handed over before. The terminal acknowledges it when the listener returns, unless
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
    /// A command arrived again that was handed over before. The program must not run it again. The terminal
    /// acknowledges the command again, and repeats its result if that is among the last 256.
    Repeated(CommandId),
    /// A command arrived, or its share of the stagger ended, after its `expires_at`. The terminal does not hand it
    /// over, and sends the node a result with the reason `expired`.
    Expired(CommandId),
    /// The node has stored the event to which the program gave this [`id`](muster_protocol::frame::Event::id). An event
    /// without this report may be lost with its connection: the program sends it again in the next session, with the
    /// same id.
    EventStored(String),
    /// Commands for this terminal were lost and will not arrive.
    Gap(Gap),
    /// The node could not use a frame that this terminal sent.
    Error(ErrorFrame),
    /// A message that waited for a session is over the limit of the node that is now connected, and was not sent: a
    /// [`SendError::TooLarge`]. If the message was a result, the terminal told the node that the command failed.
    NotSent(SendError),
    /// The token source failed. The terminal goes on with the token that it has, and asks again later.
    TokenUnavailable(TokenUnavailable),
    /// The session ended, or could not be opened. The terminal will try again.
    Offline {
        /// How the session or the attempt ended.
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
    /// Called for one report at a time. Until this returns, the terminal reads nothing and answers no ping. A node
    /// closes the session with 4002 if its messages are not read in time, and with 4001 if its pings are not answered.
    fn on(&self, incoming: Incoming) -> impl Future<Output = ()> + Send;
}

impl Listener for mpsc::Sender<Incoming> {
    /// Waits for room in the channel. Once the receiver is dropped, reports are dropped too.
    async fn on(&self, incoming: Incoming) {
        let _ = self.send(incoming).await;
    }
}
