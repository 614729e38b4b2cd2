//! The connection of a session: first one that nobody knows, then a socket in the lane of its shard, and at last one that is closed.

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
    /// Nobody knows it.
    Unknown(Box<Unknown>),
    /// It is in its lane.
    Established(Entry),
    /// It has left its lane.
    Closing(Rc<Socket>),
    /// There is none: while one kind becomes another.
    Moved,
}

/// A connection that nobody knows, and who it belongs to.
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
    /// Its key in the shard.
    pub key: usize,
}

impl SessionConnection {
    /// Takes over an upgraded connection.
    pub fn new(upgraded: Upgraded, session: SessionId) -> Self {
        let Upgraded { stream, terminal, protocol, expires, address, edge, .. } = upgraded;
        Self::Unknown(Box::new(Unknown { stream, session, terminal, protocol, expires, address, edge }))
    }

    /// Enters the connection into its lane, held, under the identity that the registry and the hub will know.
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

    /// Takes the session out of its lane. Returns who it was; none if nobody knew it.
    pub fn leave_lane(&mut self) -> Option<Arc<SessionInfo>> {
        let Self::Established(entry) = self else { return None };
        let socket = entry.socket.clone();
        let info = socket.info.clone();
        *self = Self::Closing(socket);
        Some(info)
    }

    /// The terminal that has the connection.
    pub fn terminal(&self) -> &TerminalId {
        match self {
            Self::Unknown(unknown) => &unknown.terminal,
            _ => &self.socket().expect("a connection that is known has a socket").info.terminal,
        }
    }

    /// The protocol of the session.
    pub fn protocol(&self) -> Protocol {
        match self {
            Self::Unknown(unknown) => unknown.protocol,
            _ => self.socket().expect("a connection that is known has a socket").info.protocol,
        }
    }

    /// The entry in the shard, from the hello to the close.
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
                // The send buffer of the socket is empty: it takes a close frame at once, unless the peer has gone.
                let _ = send(&unknown.stream, frame, SendFlags::NOSIGNAL | SendFlags::DONTWAIT);
            }
            _ => {
                if let Some(socket) = self.socket() {
                    shard.sockets.send_last(socket, frame);
                }
            }
        }
    }

    /// Shuts down the node's side. Fails only if the terminal has gone, which the next read shows.
    pub fn shut_down(&self) {
        let _ = shutdown(self.stream(), Shutdown::Write);
    }

    /// Whether nothing is queued.
    pub fn is_flushed(&self) -> bool {
        self.socket().is_none_or(|socket| socket.is_flushed())
    }

    /// Writes what is queued, as far as the socket takes it.
    pub fn flush(&self, shard: &Shard) {
        if let Some(socket) = self.socket() {
            shard.sockets.flush(socket);
        }
    }

    /// Records that the session is looked at. Nobody asks for a connection that was never in its lane.
    pub fn begin_look(&self) {
        if let Some(socket) = self.socket() {
            socket.begin_look();
        }
    }

    /// The connection itself.
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
