//! The socket of a session, and all state that a broadcast does not touch while the socket takes everything. A socket
//! lives on its shard's thread. The session's driver reads from the socket; whatever has something to send writes to
//! the socket directly.
//!
//! A socket starts *held*: commands for it wait while its session finds out what the terminal missed. A released socket
//! has received everything up to a sequence number and takes only what is beyond. The socket is *behind* while its
//! shard has not yet sent the partition's commands up to that number. So a session gets each command once and in order,
//! whatever the shard had sent when the session registered.

use std::{
    cell::{Cell, RefCell},
    net::TcpStream,
    rc::Rc,
    sync::Arc,
    time::Instant,
};

use super::{
    lane::Lane,
    partition_lanes::PartitionLanes,
    queue::{Held, Queue},
    write_batch::WriteBatch,
};
use crate::{end::SessionEnd, hub::SessionInfo, shard::work::SessionWaker};
use jiff::Timestamp;
use muster_protocol::{CommandId, api::Protocol};
use rustix::{
    io::Errno,
    net::{SendFlags, send},
};

/// The socket of one session.
#[derive(Debug)]
pub struct Socket {
    /// The identity of the session.
    pub info: Arc<SessionInfo>,
    /// The connection. Nothing else owns it.
    pub stream: TcpStream,
    /// The lanes of the socket's partition. The socket stands in one of them.
    lanes: Rc<PartitionLanes>,
    /// The socket's row in its lane.
    pub(super) index: Cell<usize>,
    /// The sequence number up to which this session has received everything that is for it.
    received_up_to: Cell<u64>,
    /// What waits while the socket is held; none if it is not held.
    held: RefCell<Option<Box<Held>>>,
    queue: RefCell<Queue>,
    queue_limit: usize,
    end: Cell<Option<SessionEnd>>,
    rejoin: Cell<bool>,
    waker: SessionWaker,
    /// When the node sent the ping that the terminal has not answered yet.
    pinged: Cell<Option<Instant>>,
    /// Whether any message came since that ping.
    heard: Cell<bool>,
}

impl Socket {
    pub(super) fn new(
        info: Arc<SessionInfo>,
        stream: TcpStream,
        waker: SessionWaker,
        lanes: Rc<PartitionLanes>,
        queue_limit: usize,
    ) -> Self {
        Self {
            info,
            stream,
            lanes,
            index: Cell::new(usize::MAX),
            received_up_to: Cell::new(0),
            held: RefCell::new(Some(Box::default())),
            queue: RefCell::default(),
            queue_limit,
            end: Cell::new(None),
            rejoin: Cell::new(false),
            waker,
            pinged: Cell::new(None),
            heard: Cell::new(false),
        }
    }

    /// Sends the part of `batch` that this session has not received. If the socket is held or has bytes queued, the
    /// part waits. Returns the commands that went out whole.
    pub fn send(&self, batch: &WriteBatch) -> Vec<CommandId> {
        if let Some(held) = &mut *self.held.borrow_mut() {
            if held.push(batch, self.queue_limit).is_err() {
                self.end(SessionEnd::TooSlow);
            }
            return Vec::new();
        }
        let batch = batch.after(self.received_up_to.get()).and_then(|batch| batch.fresh(Timestamp::now()));
        batch.map(|batch| self.write(&batch)).unwrap_or_default()
    }

    /// Sends `batch` at once, also while the socket is held. What the socket does not take is queued. Returns the
    /// commands that went out whole.
    pub fn write(&self, batch: &WriteBatch) -> Vec<CommandId> {
        if !self.queue.borrow().is_empty() {
            return self.queue_rest(batch, 0);
        }
        match send(&self.stream, &batch.bytes, SendFlags::NOSIGNAL | SendFlags::DONTWAIT) {
            Ok(taken) if taken < batch.bytes.len() => self.queue_rest(batch, taken),
            Err(Errno::AGAIN) => self.queue_rest(batch, 0),
            Ok(_) => {
                self.unblock_if_idle();
                batch.commands(0, usize::MAX).collect()
            }
            Err(_) => {
                self.end(SessionEnd::Lost);
                Vec::new()
            }
        }
    }

    /// Queues what remains of `batch` after `sent` bytes, and has the session's driver wait until the socket takes
    /// more. Returns the commands that went out whole.
    pub(super) fn queue_rest(&self, batch: &WriteBatch, sent: usize) -> Vec<CommandId> {
        self.lane().block(self.index.get());
        let mut queue = self.queue.borrow_mut();
        if queue.push(batch, sent, self.queue_limit).is_err() {
            // The limit does not hold for the rest of a frame that was begun, because the close frame has to follow
            // that rest.
            if sent > 0 {
                let _ = queue.push(batch, sent, usize::MAX);
            }
            self.end(SessionEnd::TooSlow);
            return Vec::new();
        }
        self.waker.wake();
        batch.commands(0, sent).collect()
    }

    /// Sends `last`, after which the session sends nothing. If a queued frame was begun, its rest goes before `last`.
    /// Drops the other queued frames; their commands count as not sent, so the terminal's next session gets them.
    /// Returns the commands whose frames went out whole.
    pub fn send_last(&self, last: &WriteBatch) -> Vec<CommandId> {
        *self.held.borrow_mut() = None;
        if self.is_flushed() {
            return self.write(last);
        }
        self.queue.borrow_mut().end_with(last);
        self.flush()
    }

    /// Writes what is queued, as far as the socket takes it. Drops the queue if the connection is broken. Returns the
    /// commands whose frames went out whole.
    pub fn flush(&self) -> Vec<CommandId> {
        let mut queue = self.queue.borrow_mut();
        let mut commands = Vec::new();
        let now = Timestamp::now();
        while let Some(bytes) = queue.next(now) {
            match send(&self.stream, bytes, SendFlags::NOSIGNAL | SendFlags::DONTWAIT) {
                Ok(taken) => commands.extend(queue.advance(taken)),
                Err(Errno::AGAIN) => return commands,
                Err(_) => {
                    *queue = Queue::default();
                    self.end(SessionEnd::Lost);
                    return commands;
                }
            }
        }
        drop(queue);
        self.unblock_if_idle();
        commands
    }

    /// Returns whether nothing is queued.
    pub fn is_flushed(&self) -> bool {
        self.queue.borrow().is_empty()
    }

    /// Holds the socket: commands for it wait until [`release`](Self::release).
    pub fn hold(&self) {
        self.held.borrow_mut().get_or_insert_default();
        self.lane().block(self.index.get());
    }

    /// Releases the socket of a session that has received everything up to `number`. Sends the held commands beyond
    /// `number`; later commands are sent as they come. The socket stays held if the session was asked meanwhile to
    /// register again. Returns the commands whose frames went out whole.
    pub fn release(&self, number: u64) -> Vec<CommandId> {
        self.received_up_to.set(number);
        if self.rejoin.get() {
            return Vec::new();
        }
        let held = self.held.borrow_mut().take().unwrap_or_default();
        let sent = (*held).into_iter().flat_map(|batch| self.send(&batch)).collect();
        self.unblock_if_idle();
        sent
    }

    /// Lets walks write to this socket, unless it is behind, held, or has bytes queued.
    fn unblock_if_idle(&self) {
        let behind = self.lanes.sent_up_to() < self.received_up_to.get();
        if !behind && self.held.borrow().is_none() && self.queue.borrow().is_empty() {
            self.lane().unblock(self.index.get(), &self.stream);
        }
    }

    /// Returns whether the socket is held.
    #[cfg(test)]
    pub fn is_held(&self) -> bool {
        self.held.borrow().is_some()
    }

    /// Records that the session's driver now looks at what the session was asked, and at what is queued.
    pub fn begin_look(&self) {
        self.waker.begin_look();
    }

    /// Ends the session. The first reason counts.
    pub fn end(&self, end: SessionEnd) {
        if self.end.get().is_none() {
            self.end.set(Some(end));
        }
        self.waker.wake();
    }

    /// Returns why the session has to end; none if it does not have to.
    pub fn ended(&self) -> Option<SessionEnd> {
        self.end.get()
    }

    /// Has the session register again, from the sequence number up to which it has received everything.
    pub fn ask_to_rejoin(&self) {
        if self.held.borrow().is_none() {
            self.received_up_to.set(self.received_up_to.get().max(self.lanes.sent_up_to()));
        }
        self.hold();
        self.rejoin.set(true);
        self.waker.wake();
    }

    /// Returns whether the session was asked to register again since the last call.
    pub fn takes_rejoin(&self) -> bool {
        self.rejoin.take()
    }

    /// Returns the sequence number up to which this session has received everything.
    pub fn received_up_to(&self) -> u64 {
        self.received_up_to.get()
    }

    /// Pings the terminal. Ends the session instead if nothing came since the last ping.
    pub fn ping(&self, batch: &WriteBatch) {
        let heard = self.heard.replace(false);
        if self.pinged.replace(Some(Instant::now())).is_some() && !heard {
            return self.end(SessionEnd::NoHeartbeat);
        }
        self.write(batch);
    }

    /// Records a pong. Returns the round-trip time in milliseconds if the pong answers a ping of this node.
    pub fn record_pong(&self) -> Option<u64> {
        self.pinged.take().map(|at| at.elapsed().as_millis() as u64)
    }

    /// Records that a message came, which is as good a sign of life as a pong.
    pub fn record_message(&self) {
        self.heard.set(true);
    }

    /// Returns the lane that the socket stands in.
    pub(super) fn lane(&self) -> &Lane {
        self.lanes.lane(self.info.protocol)
    }

    /// Returns the protocol of the session, which decides its lane.
    pub fn protocol(&self) -> Protocol {
        self.info.protocol
    }
}
