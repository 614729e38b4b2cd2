//! What a shard is asked to do. Orders reach it through one bounded mailbox and are carried out in the order they came.

use std::{net::TcpStream, sync::Arc};

use bytes::Bytes;
use muster_protocol::{SessionId, TerminalId, api::Protocol, selector::Labels};
use tokio::sync::oneshot;

use super::parcel::Parcel;
use crate::end::End;

/// Orders that may wait for a busy shard; whoever sends more waits.
pub const MAILBOX: usize = 1024;

/// One thing to do.
#[derive(Debug)]
pub enum Order {
    /// Begin a session.
    Adopt(Box<Arrival>),
    /// Send to every session of this shard.
    Broadcast(Arc<Parcel>),
    /// Send to one session.
    Send(Place, Arc<Parcel>),
    /// Send to one session whatever its place in the order, since the store is away.
    Direct(Place, Arc<Parcel>),
    /// Have every session of this shard join again, and tell when that has begun: what the registry knows of them may be lost.
    Rejoin(oneshot::Sender<()>),
    /// Have one session join again.
    RejoinOne(Place),
    /// End one session.
    End(Place, End),
}

/// Where a session sits. The session id makes an order for one that has gone harmless to the next on its key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Place {
    /// The shard.
    pub shard: usize,
    /// The slot in its table.
    pub key: usize,
    /// The session.
    pub session: SessionId,
}

/// A connection that was let in: upgraded, its token checked.
#[derive(Debug)]
pub struct Arrival {
    /// Nonblocking.
    pub stream: TcpStream,
    /// What was read beyond the handshake.
    pub read: Bytes,
    /// Who it is.
    pub terminal: TerminalId,
    /// What it asked to speak.
    pub protocol: Protocol,
    /// The labels of its token, which it can't change.
    pub labels: Labels,
    /// Where it connects from, as far as that can be trusted.
    pub address: String,
    /// The proxy's worker that it came through.
    pub edge: Option<Arc<str>>,
}
