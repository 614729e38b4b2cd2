//! A session's socket and all of its cold state: what a broadcast does not touch as long as the socket takes what it is given.
//! Lives on its shard's thread. The session's task reads; whoever has something to say writes directly.
//!
//! A socket begins *held*: what comes for it waits, while its session finds out what its terminal has missed. Released, it has
//! had everything up to a number, and takes only what lies beyond; it is *behind* until its shard has come so far too. So a
//! session gets each command once and in order, wherever the shard stood when the session joined.

use std::{
    cell::{Cell, RefCell},
    io,
    rc::Rc,
    sync::Arc,
    time::Instant,
};

use jiff::Timestamp;
use muster_protocol::{CommandId, api::Protocol};
use rustix::{
    io::Errno,
    net::{SendFlags, send},
};
use tokio::{
    io::{Interest, Ready},
    net::TcpStream,
    sync::Notify,
    time,
};

use super::{
    lane::Lane,
    parcel::Batch,
    queue::{Held, Queue},
};
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
    /// The number of the last command that its shard sent to anyone.
    reached: Rc<Cell<u64>>,
    /// The number up to which this session has had everything that is for it.
    had: Cell<u64>,
    held: RefCell<Option<Held>>,
    queue: RefCell<Queue>,
    queue_limit: usize,
    end: Cell<Option<End>>,
    rejoin: Cell<bool>,
    wake: Notify,
    /// When the ping was sent whose pong has not come yet.
    pinged: Cell<Option<Instant>>,
    /// Whether anything came since that ping.
    heard: Cell<bool>,
}

/// Waits for a moment; for none, for ever.
async fn reach(moment: Option<Instant>) {
    match moment {
        Some(moment) => time::sleep_until(moment.into()).await,
        None => std::future::pending().await,
    }
}

impl Socket {
    pub(super) fn new(
        card: Arc<Card>,
        stream: TcpStream,
        lane: Rc<Lane>,
        reached: Rc<Cell<u64>>,
        queue_limit: usize,
    ) -> Self {
        Self {
            card,
            stream,
            lane,
            index: Cell::new(usize::MAX),
            reached,
            had: Cell::new(0),
            held: RefCell::new(Some(Held::default())),
            queue: RefCell::default(),
            queue_limit,
            end: Cell::new(None),
            rejoin: Cell::new(false),
            wake: Notify::new(),
            pinged: Cell::new(None),
            heard: Cell::new(false),
        }
    }

    /// Sends what this session has not had: now, or later while it is held or owes something. The commands that went out whole.
    pub fn send(&self, batch: &Batch) -> Vec<CommandId> {
        if let Some(held) = &mut *self.held.borrow_mut() {
            if held.push(batch, self.queue_limit).is_err() {
                self.end(End::TooSlow);
            }
            return Vec::new();
        }
        let batch = batch.after(self.had.get()).and_then(|batch| batch.fresh(Timestamp::now()));
        batch.map(|batch| self.say(&batch)).unwrap_or_default()
    }

    /// Sends at once, or owes what the socket does not take: also while it is held. The commands that went out whole.
    pub fn say(&self, batch: &Batch) -> Vec<CommandId> {
        if !self.queue.borrow().is_empty() {
            return self.owe(batch, 0);
        }
        match send(&self.stream, &batch.bytes, SendFlags::NOSIGNAL | SendFlags::DONTWAIT) {
            Ok(taken) if taken < batch.bytes.len() => self.owe(batch, taken),
            Err(Errno::AGAIN) => self.owe(batch, 0),
            Ok(_) => {
                self.settle();
                batch.commands(0, usize::MAX).collect()
            }
            Err(_) => {
                self.end(End::Lost);
                Vec::new()
            }
        }
    }

    /// Owes what remains of `batch` after `sent` bytes, and has the task wait until the socket takes more. The commands that
    /// went out whole.
    pub(super) fn owe(&self, batch: &Batch, sent: usize) -> Vec<CommandId> {
        if self.queue.borrow_mut().push(batch, sent, self.queue_limit).is_err() {
            self.end(End::TooSlow);
            return Vec::new();
        }
        self.lane.block(self.index.get());
        self.wake.notify_one();
        batch.commands(0, sent).collect()
    }

    /// Sends what is owed, as far as the socket takes it. The commands whose frames went out whole.
    pub fn flush(&self) -> Vec<CommandId> {
        let mut queue = self.queue.borrow_mut();
        let mut commands = Vec::new();
        let now = Timestamp::now();
        while let Some(bytes) = queue.next(now) {
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
        drop(queue);
        self.settle();
        commands
    }

    /// Whether nothing is owed.
    pub fn is_flushed(&self) -> bool {
        self.queue.borrow().is_empty()
    }

    /// From now on what comes waits, until [`release`](Self::release).
    pub fn hold(&self) {
        self.held.borrow_mut().get_or_insert_default();
        self.lane.block(self.index.get());
    }

    /// The session has had everything up to `number`: what lies beyond and was held goes out, and what comes from now on; unless
    /// it was asked meanwhile to join again. The commands whose frames went out whole.
    pub fn release(&self, number: u64) -> Vec<CommandId> {
        self.had.set(number);
        if self.rejoin.get() {
            return Vec::new();
        }
        let held = self.held.borrow_mut().take().unwrap_or_default();
        let sent = held.into_iter().flat_map(|batch| self.send(&batch)).collect();
        self.settle();
        sent
    }

    /// The broadcast may write to this socket itself, if nothing speaks against it.
    fn settle(&self) {
        let behind = self.reached.get() < self.had.get();
        if !behind && self.held.borrow().is_none() && self.queue.borrow().is_empty() {
            self.lane.unblock(self.index.get(), &self.stream);
        }
    }

    /// Waits until there is something to read, room for what is owed, or something else to look at. Nothing is read before
    /// `early`: at that time too it returns.
    pub async fn ready(&self, early: Option<Instant>) -> io::Result<Ready> {
        let interest = match (self.is_flushed(), early) {
            (true, _) => Interest::READABLE,
            (false, None) => Interest::READABLE | Interest::WRITABLE,
            (false, Some(_)) => Interest::WRITABLE,
        };
        let readable = !(early.is_some() && self.is_flushed());
        tokio::select! {
            biased;
            () = self.wake.notified() => Ok(Ready::EMPTY),
            () = reach(early) => Ok(Ready::EMPTY),
            ready = self.stream.ready(interest), if readable => ready,
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

    /// Has the session join again, from where it stands.
    pub fn ask_to_rejoin(&self) {
        if self.held.borrow().is_none() {
            self.had.set(self.had.get().max(self.reached.get()));
        }
        self.hold();
        self.rejoin.set(true);
        self.wake.notify_one();
    }

    /// Whether the session was asked to join again since the last call.
    pub fn takes_rejoin(&self) -> bool {
        self.rejoin.take()
    }

    /// The number up to which this session has had everything.
    pub fn had(&self) -> u64 {
        self.had.get()
    }

    /// Pings, or ends the session from which nothing came since the last ping.
    pub fn ping(&self, batch: &Batch) {
        let heard = self.heard.replace(false);
        if self.pinged.replace(Some(Instant::now())).is_some() && !heard {
            return self.end(End::NoHeartbeat);
        }
        self.say(batch);
    }

    /// A pong came: how long it took, in milliseconds, if it answers a ping of ours.
    pub fn ponged(&self) -> Option<u64> {
        self.pinged.take().map(|at| at.elapsed().as_millis() as u64)
    }

    /// Something else came, which is as good a sign of life.
    pub fn heard(&self) {
        self.heard.set(true);
    }

    /// Which of the two lanes it belongs to.
    pub fn protocol(&self) -> Protocol {
        self.card.protocol
    }
}
