//! A session's socket and all of its cold state: what a broadcast does not touch as long as the socket takes what it is given.
//! Lives on its shard's thread. The session's task reads; whoever has something to say writes directly.

use std::{
    cell::{Cell, RefCell},
    io,
    rc::Rc,
    sync::Arc,
    time::Instant,
};

use muster_protocol::{CommandId, api::Protocol};
use rustix::{
    io::Errno,
    net::{SendFlags, send},
};
use tokio::{
    io::{Interest, Ready},
    net::TcpStream,
    sync::Notify,
};

use super::{lane::Lane, parcel::Batch, queue::Queue};
use crate::{card::Card, end::End};

/// One session's socket.
#[derive(Debug)]
pub struct Socket {
    /// Whose it is.
    pub card: Arc<Card>,
    /// The connection; nobody else owns it.
    pub stream: TcpStream,
    pub(super) lane: Rc<Lane>,
    /// Where it stands in its lane.
    pub(super) index: Cell<usize>,
    queue: RefCell<Queue>,
    queue_limit: usize,
    end: Cell<Option<End>>,
    wake: Notify,
    /// When the ping was sent that is not answered yet.
    pinged: Cell<Option<Instant>>,
}

impl Socket {
    pub(super) fn new(card: Arc<Card>, stream: TcpStream, lane: Rc<Lane>, queue_limit: usize) -> Self {
        Self {
            card,
            stream,
            lane,
            index: Cell::new(usize::MAX),
            queue: RefCell::default(),
            queue_limit,
            end: Cell::new(None),
            wake: Notify::new(),
            pinged: Cell::new(None),
        }
    }

    /// Sends now, or owes what the socket does not take. The commands whose frames went out whole.
    pub fn send(&self, batch: &Batch) -> Vec<CommandId> {
        if !self.queue.borrow().is_empty() {
            self.owe(batch, 0);
            return Vec::new();
        }
        let taken = match send(&self.stream, &batch.bytes, SendFlags::NOSIGNAL | SendFlags::DONTWAIT) {
            Ok(taken) => taken,
            Err(Errno::AGAIN) => 0,
            Err(_) => {
                self.end(End::Lost);
                return Vec::new();
            }
        };
        if taken < batch.bytes.len() {
            self.owe(batch, taken);
        }
        batch.commands(0, taken).collect()
    }

    /// Owes what remains of `batch` after `sent` bytes, and has the task wait until the socket takes more.
    pub(super) fn owe(&self, batch: &Batch, sent: usize) {
        if self.queue.borrow_mut().push(batch, sent, self.queue_limit).is_err() {
            return self.end(End::TooSlow);
        }
        self.lane.block(self.index.get());
        self.wake.notify_one();
    }

    /// Sends what is owed, as far as the socket takes it. The commands whose frames went out whole.
    pub fn flush(&self) -> Vec<CommandId> {
        let mut queue = self.queue.borrow_mut();
        let mut commands = Vec::new();
        while let Some(bytes) = queue.next() {
            // Through tokio, unlike every other write: only so does it forget that the socket was writable.
            match self.stream.try_write(bytes) {
                Ok(taken) => commands.extend(queue.advance(taken)),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return commands,
                Err(_) => {
                    self.end(End::Lost);
                    return commands;
                }
            }
        }
        self.lane.unblock(self.index.get(), &self.stream);
        commands
    }

    /// Waits until there is something to read, room for what is owed, or a reason to end.
    pub async fn ready(&self) -> io::Result<Ready> {
        let owes = !self.queue.borrow().is_empty();
        let interest = if owes { Interest::READABLE | Interest::WRITABLE } else { Interest::READABLE };
        tokio::select! {
            biased;
            () = self.wake.notified() => Ok(Ready::EMPTY),
            ready = self.stream.ready(interest) => ready,
        }
    }

    /// Ends the session; the first reason stands.
    pub fn end(&self, end: End) {
        if self.end.get().is_none() {
            self.end.set(Some(end));
        }
        self.wake.notify_one();
    }

    /// Why the session is to end, once it is.
    pub fn ended(&self) -> Option<End> {
        self.end.get()
    }

    /// Pings, or ends the session whose last ping is still unanswered.
    pub fn ping(&self, batch: &Batch) {
        if self.pinged.replace(Some(Instant::now())).is_some() {
            return self.end(End::NoHeartbeat);
        }
        self.send(batch);
    }

    /// A pong came: how long it took, in milliseconds, if it answers a ping of ours.
    pub fn ponged(&self) -> Option<u64> {
        self.pinged.take().map(|at| at.elapsed().as_millis() as u64)
    }

    /// Something else came, which is as good a sign of life.
    pub fn heard(&self) {
        self.pinged.set(None);
    }

    /// Which of the two lanes it belongs to.
    pub fn protocol(&self) -> Protocol {
        self.card.protocol
    }
}
