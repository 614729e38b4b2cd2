//! What a shard is asked to do. Messages reach a shard through one bounded mailbox and are handled in the order of
//! arrival.

use std::{net::TcpStream, sync::Arc};

use bytes::Bytes;
use muster_protocol::{
    TerminalId,
    api::Protocol,
    partition::PartitionIndex,
    selector::{Labels, SayableKeys},
};

use crate::{auth::TokenMark, end::SessionEnd, hub::SessionAddr, sync::oneshot, wire::EncodedCommand};

/// The number of messages that may wait for a busy shard. When so many wait, the sender waits.
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
    /// Sends one session a command that was not stored because the store is away. The command has no number, so the
    /// session's watermark does not matter.
    SendUnstored(SessionAddr, Arc<EncodedCommand>),
    /// Has every session of one partition on the shard register again, because the registry may have lost the sessions.
    /// The shard uses the sender once it has asked them.
    Rejoin(PartitionIndex, oneshot::Sender<()>),
    /// Has one session register again.
    RejoinOne(SessionAddr),
    /// Tells the terminal of one session that its event with this id is stored.
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
    /// The address that the terminal connects from: what the proxy says if the proxy is trusted, otherwise the address
    /// of the connection's peer.
    pub address: String,
    /// The proxy worker that the connection came through, as `HOST/PID/GENERATION`. None without a proxy.
    pub edge: Option<Arc<str>>,
}
