//! A connection that has not said hello. It has a deadline and can do nothing else; whatever it sends before or instead is its end.

use std::{collections::VecDeque, io, rc::Rc, sync::Arc};

use jiff::Timestamp;
use muster_protocol::{
    SessionId, TerminalId,
    api::Protocol,
    frame::{FromTerminal, Hello},
    selector::{Labels, check_labels},
};
use tokio::{net::TcpStream, task, time};

use super::{Pace, farewell::Farewell, member::Member};
use crate::{
    card::Card,
    end::End,
    fanout::Arrival,
    shard::Shard,
    wire::{self, Message, Partial},
};

/// A connection before its hello.
pub struct Visitor {
    stream: TcpStream,
    terminal: TerminalId,
    protocol: Protocol,
    labels: Labels,
    address: String,
    edge: Option<Arc<str>>,
    shard: Rc<Shard>,
    partial: Option<Box<Partial>>,
    /// Decoded and not yet looked at.
    messages: VecDeque<Message>,
    pace: Pace,
    /// What decoding the first bytes already showed.
    broken: Option<End>,
}

impl Visitor {
    /// Takes a connection over; fails if the runtime can't watch it.
    pub fn new(arrival: Arrival, shard: Rc<Shard>) -> io::Result<Self> {
        let stream = TcpStream::from_std(arrival.stream)?;
        let (mut partial, mut messages) = (None, Vec::new());
        let mut pace = Pace::new(shard.shared.config.max_rate);
        let decoded = shard.decoder.decode(&mut arrival.read.to_vec(), &mut partial, &mut messages);
        let broken = match decoded {
            Ok(frames) => {
                pace.count(arrival.read.len(), frames);
                None
            }
            Err(error) => Some(End::Wire(error)),
        };
        Ok(Self {
            stream,
            terminal: arrival.terminal,
            protocol: arrival.protocol,
            labels: arrival.labels,
            address: arrival.address,
            edge: arrival.edge,
            shard,
            partial,
            messages: messages.into(),
            pace,
            broken,
        })
    }

    /// Waits for the hello.
    pub async fn greet(&mut self) -> Result<Hello, End> {
        let deadline = self.shard.shared.config.hello_timeout;
        let mut hello = time::timeout(deadline, self.hello()).await.unwrap_or(Err(End::NoHello))?;
        check_labels(&hello.labels).map_err(End::BadLabels)?;
        self.adopt_labels(std::mem::take(&mut hello.labels));
        Ok(hello)
    }

    /// Becomes a member, as the registry and the hub will know it.
    pub fn enter(self, session: SessionId) -> Member {
        let card = Arc::new(Card {
            terminal: self.terminal,
            session,
            protocol: self.protocol,
            labels: self.labels,
            address: self.address,
            edge: self.edge,
            connected_at: Timestamp::now(),
        });
        let (key, socket) = self.shard.sockets.enter(card, self.stream);
        if let Some(end) = self.broken {
            socket.end(end);
        }
        Member::new(self.shard, key, socket, self.partial, self.messages, self.pace)
    }

    async fn hello(&mut self) -> Result<Hello, End> {
        loop {
            match self.messages.pop_front() {
                Some(Message::Text(text)) => return read_hello(&text),
                Some(Message::Binary(_)) => return Err(End::BadHello),
                Some(Message::Close(_)) => return Err(End::Left),
                Some(Message::Ping(_) | Message::Pong) => {}
                None => self.read().await?,
            }
        }
    }

    async fn read(&mut self) -> Result<(), End> {
        if let Some(end) = self.broken {
            return Err(end);
        }
        if let Some(until) = self.pace.wait() {
            time::sleep_until(until.into()).await;
        }
        self.stream.readable().await.map_err(|_| End::Lost)?;
        let mut messages = Vec::new();
        self.shard.read(&self.stream, &mut self.partial, &mut messages, &mut self.pace)?;
        self.messages.extend(messages);
        // As in `Member::step`: the socket of one that floods is always readable.
        task::yield_now().await;
        Ok(())
    }

    /// A token's labels win over what the terminal says of itself.
    fn adopt_labels(&mut self, said: Labels) {
        for (key, value) in said {
            self.labels.entry(key).or_insert(value);
        }
    }

    /// Closes the connection, which never became a session.
    pub async fn refuse<T>(mut self, end: End) -> Option<T> {
        self.shard.count_end(&self.terminal, end);
        if let Some((code, reason)) = end.close(self.protocol) {
            // The socket's buffer is empty: it takes a close frame at once, or its peer is gone.
            let _ = self.stream.try_write(&wire::close(code, &reason));
            if end != End::Left {
                Farewell::new(&self.shard, &self.stream, self.partial.take(), end).hear_out().await;
            }
        }
        None
    }
}

fn read_hello(text: &str) -> Result<Hello, End> {
    match FromTerminal::decode(text) {
        Ok(FromTerminal::Hello(hello)) => Ok(hello),
        _ => Err(End::BadHello),
    }
}
