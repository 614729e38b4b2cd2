//! What a shard is asked to do. Messages reach a shard through one bounded mailbox and are handled in the order of arrival.

use std::{net::TcpStream, sync::Arc};

use bytes::Bytes;
use muster_protocol::{
    TerminalId,
    api::Protocol,
    partition::PartitionIndex,
    selector::{Labels, SayableKeys},
};

use crate::{auth::TokenMark, end::SessionEnd, hub::SessionAddr, sync::oneshot, wire::EncodedCommand};

/// The number of messages that may wait for a busy shard. Beyond it the sender waits.
pub const MAILBOX: usize = 1024;

/// One message to a shard.
#[derive(Debug)]
pub enum ShardMessage {
    /// Starts a session on an upgraded connection.
    Adopt(Box<Upgraded>),
    /// Sends a command to every session of the shard whose terminal belongs to the command's partition.
    Broadcast(Arc<EncodedCommand>),
    /// Sends a command to one session.
    Send(SessionAddr, Arc<EncodedCommand>),
    /// Sends a command that was not stored, since the store is away, to one session. The command has no number, so the session's
    /// watermark is not looked at.
    SendUnstored(SessionAddr, Arc<EncodedCommand>),
    /// Has every session of one partition on the shard register again, because the registry may have lost it. The sender is used
    /// when that has started.
    Rejoin(PartitionIndex, oneshot::Sender<()>),
    /// Has one session register again.
    RejoinOne(SessionAddr),
    /// Tells one session that an event of its terminal is stored, which the terminal calls so.
    EventStored(SessionAddr, String),
    /// Ends one session.
    End(SessionAddr, SessionEnd),
}

/// A connection that was upgraded to WebSocket, and whose token was checked.
#[derive(Debug)]
pub struct Upgraded {
    /// The connection, in nonblocking mode.
    pub stream: TcpStream,
    /// The bytes that were read beyond the handshake.
    pub read: Bytes,
    /// The terminal that connected.
    pub terminal: TerminalId,
    /// The protocol that the terminal asked for.
    pub protocol: Protocol,
    /// The labels in the terminal's token. The terminal can't change them.
    pub labels: Labels,
    /// The keys of labels that the terminal may say of itself.
    pub say: SayableKeys,
    /// The last second in which the token is valid, since 1970. None if the session does not expire.
    pub expires: Option<u64>,
    /// The token. None if none was verified.
    pub token: Option<Arc<TokenMark>>,
    /// The address that the terminal connects from: the proxy's word if the proxy is trusted, else the peer's address.
    pub address: String,
    /// The proxy worker that the connection came through, as `HOST/PID/GENERATION`. None without a proxy.
    pub edge: Option<Arc<str>>,
}
