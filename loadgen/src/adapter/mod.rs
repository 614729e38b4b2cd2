//! The protocols that terminals can speak. An adapter knows what frames mean and does no I/O: one loop
//! ([`crate::play`]) owns the socket, the time and the ledger, whatever the protocol is.
//!
//! An [`Adapter`] is shared by all terminals. It makes a [`Conversation`] for each connection, which is asked what to send
//! when the connection is open and what each frame means, and at its end, from where the next one can resume.

mod centrifugo;
mod graphql;
mod identity;
mod mqtt;
mod muster_v1;
mod program;
mod promise;
mod pusher;
mod raw;
mod socket_io;
mod stomp;
#[cfg(test)]
mod trial;

use std::{borrow::Cow, fmt::Debug, sync::Arc, time::Duration};

use tokio_tungstenite::tungstenite::Message;

pub use self::{
    identity::{Credentials, TerminalIdentity},
    program::{ProgramAnswer, ProgramEvent, ProgramRequest, publication},
    promise::{DeliveryPromise, Promise},
};
use crate::config::{AdapterKind, Config};

/// A protocol, with the settings of a run.
pub trait Adapter: Debug + Send + Sync {
    /// What the protocol promises, and so what a terminal is owed.
    fn promise(&self) -> Promise;

    /// What the handshake of this terminal needs.
    fn open(&self, who: &TerminalIdentity) -> Opening;

    /// The protocol on a new connection of this terminal, which resumes from what [`Conversation::resume_state`] returned
    /// at the end of the last one; `None` on the first.
    fn converse(&self, who: &TerminalIdentity, resume: Option<String>) -> Box<dyn Conversation>;
}

/// What a protocol asks of the handshake.
#[derive(Debug, Clone, Default)]
pub struct Opening {
    /// What is added to the query of the URL, without `?`; may be empty.
    pub query: String,
    /// The subprotocol to ask for.
    pub subprotocol: Option<&'static str>,
    /// Whether a frame carries the credentials. Otherwise the header `Authorization` does.
    pub has_credentials: bool,
}

/// The protocol on one connection.
pub trait Conversation: Send {
    /// Tells what to send once the connection is open.
    fn on_open(&mut self, heard: &mut dyn FnMut(Heard<'_>));

    /// Tells what a text or binary frame means. One frame may mean several things, or nothing that matters.
    fn on_frame(&mut self, frame: &Message, heard: &mut dyn FnMut(Heard<'_>));

    /// Makes the frame that publishes a message to all terminals. `number` tells messages apart.
    fn publish(&mut self, message: &str, number: u32) -> Publication;

    /// From where the next connection can resume; `None` if it can't.
    fn resume_state(&mut self) -> Option<String>;
}

/// What a frame means.
#[derive(Debug)]
pub enum Heard<'a> {
    /// The server has confirmed the subscription: messages from now on are owed.
    Ready(Readiness),
    /// A message.
    Payload(Content<'a>, CopyId),
    /// A frame to send in answer.
    Reply(Message),
    /// The server says that messages are missing, or that it can't resume the session.
    Gap,
    /// A frame that the protocol does not need, such as a greeting.
    Greeting,
    /// A frame that breaks the protocol.
    Malformed,
    /// The server refused a frame of the terminal, and goes on.
    Complaint,
    /// The server refused the terminal, for this reason: the connection is of no use.
    Refused(String),
    /// The server accepted the message with this ticket, or refused it for this reason.
    Published(u32, Result<(), String>),
}

/// The content of a message, in the kind of frame that carried it.
#[derive(Debug)]
pub enum Content<'a> {
    /// A text.
    Text(Cow<'a, str>),
    /// Bytes.
    Binary(&'a [u8]),
}

/// Tells apart the copies of a message: a hash of the id that the protocol gives a delivery; 0 without one. A client that
/// remembers ids recognises a copy with the same value.
pub type CopyId = u32;

/// The state of a connection that has become a session.
#[derive(Debug, Default)]
pub struct Readiness {
    /// The name of the server; empty if it did not say.
    pub node: String,
    /// Whether the server replays what was missed.
    pub resumed: bool,
    /// How long the server may send nothing before the terminal gives the connection up; `None` for ever.
    pub silence: Option<Duration>,
    /// What the terminal sends, and how often, so that the server does not give it up.
    pub keepalive: Option<Keepalive>,
}

/// A frame that is sent again and again.
#[derive(Debug, Clone)]
pub struct Keepalive {
    /// The time from one frame to the next.
    pub every: Duration,
    /// The frame.
    pub frame: Message,
}

/// A frame that publishes a message.
#[derive(Debug)]
pub struct Publication {
    /// The frame.
    pub frame: Message,
    /// What [`Heard::Published`] will say of it. `None` if the server answers nothing: a frame that was written counts as
    /// accepted.
    pub ticket: Option<u32>,
}

/// The adapter that a configuration asks for.
pub fn of(config: &Config) -> Arc<dyn Adapter> {
    let settings = &config.adapter;
    match config.adapter_kind() {
        AdapterKind::MusterV1 => Arc::new(muster_v1::MusterV1::new(config.acks)),
        AdapterKind::MusterPlain => Arc::new(raw::Raw::of_muster(settings)),
        AdapterKind::Raw => Arc::new(raw::Raw::new(settings)),
        AdapterKind::SocketIo => Arc::new(socket_io::SocketIo::new(settings)),
        AdapterKind::Centrifugo => Arc::new(centrifugo::Centrifugo::new(settings, config.replay)),
        AdapterKind::Stomp => Arc::new(stomp::Stomp::new(settings)),
        AdapterKind::Pusher => Arc::new(pusher::Pusher::new(settings)),
        AdapterKind::Mqtt => Arc::new(mqtt::Mqtt::new(settings, config.retention)),
        AdapterKind::Program => Arc::new(program::ProgramAdapter),
        AdapterKind::Graphql => Arc::new(graphql::Graphql::new(settings)),
    }
}

/// A text frame of JSON.
fn json(value: &serde_json::Value) -> Message {
    Message::text(value.to_string())
}
