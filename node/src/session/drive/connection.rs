//! The connection of a session. At first neither hub nor registry knows the connection; then it is a socket in a lane
//! of its shard; in the end it has left the lane and is being closed.

use std::{net::TcpStream, rc::Rc, sync::Arc};

use bytes::Bytes;
use jiff::Timestamp;
use muster_protocol::{SessionId, TerminalId, api::Protocol, selector::Labels};
use rustix::net::{SendFlags, Shutdown, send, shutdown};

use crate::{
    hub::SessionInfo,
    shard::{SessionWaker, Shard, Socket, Upgraded},
};

/// The connection of a session.
pub enum SessionConnection {
    /// Neither hub nor registry knows the connection.
    Unknown(Box<Unknown>),
    /// The socket is in its lane.
    Established(Entry),
    /// The socket has left its lane.
    Closing(Rc<Socket>),
    /// No connection: `enter` puts this here while it turns `Unknown` into `Established`.
    Moved,
}

/// A connection that neither hub nor registry knows, and the terminal that it belongs to.
pub struct Unknown {
    stream: TcpStream,
    session: SessionId,
    terminal: TerminalId,
    protocol: Protocol,
    expires: Option<u64>,
    address: String,
    edge: Option<Arc<str>>,
}

/// The entry of a session in its shard. Dropping it removes the session from the shard.
pub struct Entry {
    shard: Rc<Shard>,
    /// The socket.
    pub socket: Rc<Socket>,
    /// The key of the session in the shard.
    pub key: usize,
}

impl SessionConnection {
    /// Takes over an upgraded connection.
    pub fn new(upgraded: Upgraded, session: SessionId) -> Self {
        let Upgraded { stream, terminal, protocol, expires, address, edge, .. } = upgraded;
        Self::Unknown(Box::new(Unknown { stream, session, terminal, protocol, expires, address, edge }))
    }

    /// Makes the session's identity, which hub and registry will know, and puts the socket into its lane, held.
    pub fn enter(&mut self, labels: Labels, waker: SessionWaker, shard: &Rc<Shard>) {
        let Self::Unknown(unknown) = std::mem::replace(self, Self::Moved) else { return };
        let Unknown { stream, session, terminal, protocol, expires, address, edge } = *unknown;
        let partition = shard.shared.fences.partitions().of(&terminal);
        let (address, connected_at) = (address.into(), Timestamp::now());
        let info = SessionInfo { partition, terminal, session, protocol, labels, address, edge, connected_at };
        let (key, socket) = shard.sockets.insert(Arc::new(info), stream, waker, expires);
        shard.shared.metrics.sessions.inc();
        *self = Self::Established(Entry { shard: shard.clone(), socket, key });
    }

    /// Takes the session out of its lane. Returns the session's identity; none if the session was in no lane.
    pub fn leave_lane(&mut self) -> Option<Arc<SessionInfo>> {
        let Self::Established(entry) = self else { return None };
        let socket = entry.socket.clone();
        let info = socket.info.clone();
        *self = Self::Closing(socket);
        Some(info)
    }

    /// Returns the terminal that has the connection.
    pub fn terminal(&self) -> &TerminalId {
        match self {
            Self::Unknown(unknown) => &unknown.terminal,
            _ => &self.socket().expect("a connection that is known has a socket").info.terminal,
        }
    }

    /// Returns the protocol of the session.
    pub fn protocol(&self) -> Protocol {
        match self {
            Self::Unknown(unknown) => unknown.protocol,
            _ => self.socket().expect("a connection that is known has a socket").info.protocol,
        }
    }

    /// Returns the entry in the shard, from the hello to the close.
    pub fn entry(&self) -> Option<&Entry> {
        match self {
            Self::Established(entry) => Some(entry),
            _ => None,
        }
    }

    /// Sends the close frame.
    pub fn send_last(&self, frame: &Bytes, shard: &Shard) {
        match self {
            Self::Unknown(unknown) => {
                // The send buffer of the socket is empty, so the socket takes a close frame at once, unless the peer
                // has gone.
                let _ = send(&unknown.stream, frame, SendFlags::NOSIGNAL | SendFlags::DONTWAIT);
            }
            _ => {
                if let Some(socket) = self.socket() {
                    shard.sockets.send_last(socket, frame);
                }
            }
        }
    }

    /// Shuts down the node's side of the connection. Ignores an error: it means that the terminal has gone, which the
    /// next read shows.
    pub fn shut_down(&self) {
        let _ = shutdown(self.stream(), Shutdown::Write);
    }

    /// Returns whether nothing is queued.
    pub fn is_flushed(&self) -> bool {
        self.socket().is_none_or(|socket| socket.is_flushed())
    }

    /// Writes what is queued, as far as the socket takes it.
    pub fn flush(&self, shard: &Shard) {
        if let Some(socket) = self.socket() {
            shard.sockets.flush(socket);
        }
    }

    /// Records that the driver now looks at the session. Does nothing before the socket is in a lane, as nothing asks
    /// for a look before that.
    pub fn begin_look(&self) {
        if let Some(socket) = self.socket() {
            socket.begin_look();
        }
    }

    /// Returns the connection itself.
    pub fn stream(&self) -> &TcpStream {
        match self {
            Self::Unknown(unknown) => &unknown.stream,
            _ => &self.socket().expect("a connection that is known has a socket").stream,
        }
    }

    fn socket(&self) -> Option<&Rc<Socket>> {
        match self {
            Self::Established(Entry { socket, .. }) | Self::Closing(socket) => Some(socket),
            Self::Unknown(_) | Self::Moved => None,
        }
    }
}

impl Drop for Entry {
    fn drop(&mut self) {
        self.shard.sockets.remove(self.key);
        self.shard.shared.metrics.sessions.dec();
    }
}
