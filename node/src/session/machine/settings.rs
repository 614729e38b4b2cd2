//! What the machine of a session is made with.

use std::time::Duration;

use muster_protocol::{
    NodeId, SessionId,
    api::Protocol,
    selector::{Labels, SayableKeys},
};

use super::TextHeartbeat;
use crate::wire::Decoder;

/// What is the same for all sessions of a node.
#[derive(Debug, Clone)]
pub struct Settings {
    /// The node.
    pub node: NodeId,
    /// The decoder, with the limits of the node.
    pub decoder: Decoder,
    /// The time within which the hello must come.
    pub hello_timeout: Duration,
    /// How many frames a second the node reads from a terminal. Each KiB counts as one frame more.
    pub max_rate: u32,
    /// The interval of the node's pings.
    pub ping: Duration,
    /// The number of bytes that may wait for one socket.
    pub queue: usize,
    /// The text heartbeat of plain terminals. None if each of their messages is an event.
    pub plain_heartbeat: Option<TextHeartbeat>,
    /// Whether each message of a plain terminal is sent back, and is no event.
    pub echo: bool,
}

/// A connection whose session begins.
#[derive(Debug)]
pub struct SessionStart {
    /// The id of the session.
    pub session: SessionId,
    /// The protocol that the terminal asked for.
    pub protocol: Protocol,
    /// The labels of the terminal's token.
    pub labels: Labels,
    /// The keys of labels that the terminal may say in its hello.
    pub say: SayableKeys,
    /// The last second in which the token is valid, since 1970. None if the session does not expire.
    pub expires: Option<u64>,
}
