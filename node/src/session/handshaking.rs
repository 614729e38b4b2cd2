//! A connection before its hello. It has a deadline and can do nothing else. Any other frame before `hello` closes
//! the connection.

use std::{collections::VecDeque, io, rc::Rc, sync::Arc};

use jiff::Timestamp;
use muster_protocol::{
    SessionId, TerminalId,
    api::Protocol,
    frame::{FromTerminal, Hello},
    selector::{Labels, check_labels},
};
use rustix::net::{SendFlags, send};
use tokio::{net::TcpStream, task, time};

use super::{ReadBudget, established::Established, farewell::Farewell};
use crate::{
    end::SessionEnd,
    hub::SessionInfo,
    shard::{Shard, Upgraded},
    wire::{self, Message, Partial},
};

/// A connection before its hello.
pub struct Handshaking {
    stream: TcpStream,
    terminal: TerminalId,
    protocol: Protocol,
    labels: Labels,
    expires: Option<u64>,
    address: String,
    edge: Option<Arc<str>>,
    shard: Rc<Shard>,
    partial: Option<Box<Partial>>,
    /// Messages that were decoded and not yet handled.
    messages: VecDeque<Message>,
    read_budget: ReadBudget,
    /// The error that decoding the first bytes found, if there was one.
    broken: Option<SessionEnd>,
}

impl Handshaking {
    /// Takes over a connection. Fails if the runtime can't watch its socket.
    pub fn new(upgraded: Upgraded, shard: Rc<Shard>) -> io::Result<Self> {
        let stream = TcpStream::from_std(upgraded.stream)?;
        let (mut partial, mut messages) = (None, Vec::new());
        let mut read_budget = ReadBudget::new(shard.shared.config.max_rate);
        let decoded = shard.decoder.decode(&mut upgraded.read.to_vec(), &mut partial, &mut messages);
        let broken = match decoded {
            Ok(frames) => {
                read_budget.count(upgraded.read.len(), frames);
                None
            }
            Err(error) => Some(SessionEnd::Wire(error)),
        };
        Ok(Self {
            stream,
            terminal: upgraded.terminal,
            protocol: upgraded.protocol,
            labels: upgraded.labels,
            expires: upgraded.expires,
            address: upgraded.address,
            edge: upgraded.edge,
            shard,
            partial,
            messages: messages.into(),
            read_budget,
            broken,
        })
    }

    /// Waits for the hello. Fails if none comes within `--hello-timeout`, or if another frame comes first.
    pub async fn wait_for_hello(&mut self) -> Result<Hello, SessionEnd> {
        let deadline = self.shard.shared.config.hello_timeout;
        let mut hello = time::timeout(deadline, self.hello()).await.unwrap_or(Err(SessionEnd::NoHello))?;
        check_labels(&hello.labels).map_err(SessionEnd::BadLabels)?;
        self.add_labels(std::mem::take(&mut hello.labels));
        Ok(hello)
    }

    /// Establishes the session under the identity that the registry and the hub will know.
    pub fn enter(self, session: SessionId) -> Established {
        let info = Arc::new(SessionInfo {
            partition: self.shard.shared.fences.partitions().of(&self.terminal),
            terminal: self.terminal,
            session,
            protocol: self.protocol,
            labels: self.labels,
            address: self.address,
            edge: self.edge,
            connected_at: Timestamp::now(),
        });
        let (key, socket) = self.shard.sockets.insert(info, self.stream, self.expires);
        if let Some(end) = self.broken {
            socket.end(end);
        }
        Established::new(self.shard, key, socket, self.partial, self.messages, self.read_budget)
    }

    async fn hello(&mut self) -> Result<Hello, SessionEnd> {
        loop {
            match self.messages.pop_front() {
                Some(Message::Text(text)) => return read_hello(&text),
                Some(Message::Binary(_)) => return Err(SessionEnd::BadHello),
                Some(Message::Close(_)) => return Err(SessionEnd::Left),
                Some(Message::Ping(_) | Message::Pong) => {}
                None => self.read().await?,
            }
        }
    }

    async fn read(&mut self) -> Result<(), SessionEnd> {
        if let Some(end) = self.broken {
            return Err(end);
        }
        if let Some(until) = self.read_budget.wait() {
            time::sleep_until(until.into()).await;
        }
        self.stream.readable().await.map_err(|_| SessionEnd::Lost)?;
        let mut messages = Vec::new();
        self.shard.read(&self.stream, &mut self.partial, &mut messages, &mut self.read_budget)?;
        self.messages.extend(messages);
        // As in `Established::step`: the socket of one that floods is always readable.
        task::yield_now().await;
        Ok(())
    }

    /// Adds labels from the hello. A label of the token is never replaced.
    fn add_labels(&mut self, from_hello: Labels) {
        for (key, value) in from_hello {
            self.labels.entry(key).or_insert(value);
        }
    }

    /// Closes the connection with `end`.
    pub async fn refuse<T>(mut self, end: SessionEnd) -> Option<T> {
        self.shard.count_end(&self.terminal, end);
        if let Some((code, reason)) = end.close(self.protocol) {
            // The send buffer of the socket is empty: it takes a close frame at once, unless the peer has gone. The
            // write does not go through tokio, which refuses writes until it has first polled the socket: not before
            // a hello is refused that came with the request.
            let _ = send(&self.stream, &wire::close(code, &reason), SendFlags::NOSIGNAL | SendFlags::DONTWAIT);
            Farewell::new(&self.shard, &self.stream, self.partial.take(), end).finish().await;
        }
        None
    }
}

fn read_hello(text: &str) -> Result<Hello, SessionEnd> {
    match FromTerminal::decode(text) {
        Ok(FromTerminal::Hello(hello)) => Ok(hello),
        _ => Err(SessionEnd::BadHello),
    }
}
