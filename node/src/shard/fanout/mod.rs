//! The fan-out of one shard: from an encoded command to the sockets.
//!
//! ```text
//!   EncodedCommand ──▶ Walk (slice after slice) ──▶ WriteBatch (one write)
//!     ──▶ Lane ──▶ Socket ──▶ Queue (what the socket did not take)
//! ```

mod expiries;
mod lane;
mod partition_lanes;
mod queue;
mod socket;
mod walk;
mod write_batch;

use std::{cell::RefCell, net::TcpStream, rc::Rc, sync::Arc};

use bytes::Bytes;
use muster_protocol::{
    CommandId,
    frame::{EventAck, FromNode},
    partition::{PartitionIndex, Partitions},
};
use prometheus::IntCounter;
use slab::Slab;

pub use self::{socket::Socket, write_batch::WriteBatch};

use self::{expiries::Expiries, partition_lanes::PartitionLanes, walk::Walk};
use super::work::SessionWaker;
use crate::{
    end::SessionEnd,
    hub::{SessionAddr, SessionInfo},
    reports::Reports,
    wire::EncodedCommand,
};

/// The sockets of one shard. The sockets belong to the shard's thread, so nothing here needs a lock, and nothing
/// awaits.
#[derive(Debug)]
pub struct Sockets {
    entries: RefCell<Slab<Rc<Socket>>>,
    expiries: RefCell<Expiries>,
    /// The lanes of the sockets, by partition.
    partitions: Box<[Rc<PartitionLanes>]>,
    queue_limit: usize,
    reports: Arc<Reports>,
    delivered: IntCounter,
}

impl Sockets {
    /// Returns an empty table for a store of these partitions. `queue_limit` is the number of bytes that may wait for
    /// one socket.
    pub fn new(partitions: Partitions, queue_limit: usize, reports: Arc<Reports>, delivered: IntCounter) -> Self {
        let (entries, expiries) = Default::default();
        let partitions = partitions.all().map(|_| Rc::default()).collect();
        Self { entries, expiries, partitions, queue_limit, reports, delivered }
    }

    /// Inserts a socket, held: commands for it wait until the socket is released. The session ends after the second
    /// `expires`, since 1970; none for never. Returns the key for messages to this session, and the socket.
    pub fn insert(
        &self,
        info: Arc<SessionInfo>,
        stream: TcpStream,
        waker: SessionWaker,
        expires: Option<u64>,
    ) -> (usize, Rc<Socket>) {
        let lanes = self.lanes(info.partition).clone();
        let socket = Rc::new(Socket::new(info, stream, waker, lanes, self.queue_limit));
        socket.lane().push(socket.clone());
        let key = self.entries.borrow_mut().insert(socket.clone());
        self.set_expiry(key, expires);
        (key, socket)
    }

    /// Removes a socket.
    pub fn remove(&self, key: usize) {
        let socket = self.entries.borrow_mut().remove(key);
        self.set_expiry(key, None);
        socket.lane().remove(&socket);
    }

    /// Returns the number of sockets.
    pub fn len(&self) -> usize {
        self.entries.borrow().len()
    }

    /// Returns whether there is no socket.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Sends these commands, which are of one partition, to every socket of that partition. Calls `more` during the
    /// walk, and sends the commands that it returns, which must be of the same partition.
    pub fn broadcast(&self, commands: Vec<Arc<EncodedCommand>>, more: impl FnMut() -> Vec<Arc<EncodedCommand>>) {
        let Some(partition) = commands.first().map(|command| command.partition) else { return };
        let mut walk = Walk::new(self.lanes(partition), commands);
        walk.run(more);
        for sends in walk.whole() {
            for command in sends.commands {
                self.delivered.inc_by(sends.terminals.len() as u64);
                self.reports.sent_to_all(command.command, sends.terminals.clone(), sends.protocol);
            }
        }
        self.delivered.inc_by(walk.single.len() as u64);
        walk.single
            .into_iter()
            .for_each(|(command, terminal, protocol)| self.reports.sent(command, terminal, protocol));
    }

    /// Sends a command to the session at `addr`, if it is still there.
    pub fn send(&self, addr: SessionAddr, encoded: &Arc<EncodedCommand>) {
        self.lanes(encoded.partition).raise_sent_up_to(encoded.number);
        let Some(socket) = self.at(addr) else { return };
        for batch in WriteBatch::of(std::slice::from_ref(encoded), socket.protocol()) {
            self.sent(&socket, socket.send(&batch));
        }
    }

    /// Sends a command that was not stored to the session at `addr`, if the session is still there. Ignores the
    /// session's watermark, and reports nothing.
    pub fn send_unstored(&self, addr: SessionAddr, encoded: &Arc<EncodedCommand>) {
        let Some(socket) = self.at(addr) else { return };
        for batch in WriteBatch::of(std::slice::from_ref(encoded), socket.protocol()) {
            socket.write(&batch);
        }
    }

    /// Tells the terminal of the session at `addr` that its event with this id is stored.
    pub fn event_stored(&self, addr: SessionAddr, id: String) {
        let Some(socket) = self.at(addr) else { return };
        let ack = FromNode::Ack(EventAck { id });
        socket.write(&WriteBatch::bare(crate::wire::text(&ack.to_string())));
    }

    /// Sends a missed command to a held session, ahead of everything that waits for that session.
    pub fn send_missed(&self, socket: &Socket, encoded: &Arc<EncodedCommand>) {
        for batch in WriteBatch::of(std::slice::from_ref(encoded), socket.protocol()) {
            self.sent(socket, socket.write(&batch));
        }
    }

    /// Releases a session that has received everything up to `number`. From now on the session takes live commands.
    pub fn release(&self, socket: &Socket, number: u64) {
        self.sent(socket, socket.release(number));
    }

    /// Writes what is queued for the socket, as far as the socket takes it.
    pub fn flush(&self, socket: &Socket) {
        self.sent(socket, socket.flush());
    }

    /// Sends `last` after the rest of a frame that was begun, and drops everything else that is queued or held.
    pub fn send_last(&self, socket: &Socket, last: &Bytes) {
        self.sent(socket, socket.send_last(&WriteBatch::bare(last.clone())));
    }

    /// Has every session of a partition register again.
    pub fn rejoin(&self, partition: PartitionIndex) {
        self.lanes(partition).sockets().iter().for_each(|socket| socket.ask_to_rejoin());
    }

    /// Has the session at `addr` register again, if it is still there.
    pub fn rejoin_one(&self, addr: SessionAddr) {
        if let Some(socket) = self.at(addr) {
            socket.ask_to_rejoin();
        }
    }

    /// Ends the session at `addr`, if it is still there.
    pub fn end(&self, addr: SessionAddr, end: SessionEnd) {
        if let Some(socket) = self.at(addr) {
            socket.end(end);
        }
    }

    /// Has the session with this key end after the second `expires`, since 1970; none for never.
    pub fn set_expiry(&self, key: usize, expires: Option<u64>) {
        self.expiries.borrow_mut().set(key, expires);
    }

    /// Ends the sessions whose last second is before `now`, at most `limit` of them.
    pub fn end_expired(&self, now: u64, limit: usize) {
        let expired = self.expiries.borrow_mut().take_expired(now, limit);
        let entries = self.entries.borrow();
        expired.into_iter().filter_map(|key| entries.get(key)).for_each(|socket| socket.end(SessionEnd::TokenExpired));
    }

    /// Pings one part of the sockets, so that `parts` calls ping each socket once. A socket's part follows from its
    /// key, because the key stays the same. Parts by row would miss sockets, since a socket changes its row when
    /// another one leaves.
    pub fn ping(&self, part: usize, parts: usize) {
        let batch = WriteBatch::bare(crate::wire::ping());
        let entries = self.entries.borrow();
        let sockets: Vec<_> =
            (part..entries.capacity()).step_by(parts).filter_map(|key| entries.get(key).cloned()).collect();
        drop(entries);
        sockets.iter().for_each(|socket| socket.ping(&batch));
    }

    fn sent(&self, socket: &Socket, commands: Vec<CommandId>) {
        for command in commands {
            self.delivered.inc();
            self.reports.sent(command, socket.info.terminal.clone(), socket.protocol());
        }
    }

    /// Returns the sequence number of the partition's last command that this shard sent.
    #[cfg(all(test, feature = "shuttle"))]
    pub fn sent_up_to(&self, partition: PartitionIndex) -> u64 {
        self.lanes(partition).sent_up_to()
    }

    fn at(&self, addr: SessionAddr) -> Option<Rc<Socket>> {
        let entries = self.entries.borrow();
        entries.get(addr.key).filter(|socket| socket.info.session == addr.session).cloned()
    }

    /// Returns the number of the sessions of a partition that are held.
    #[cfg(test)]
    pub fn held(&self, partition: PartitionIndex) -> usize {
        self.lanes(partition).sockets().iter().filter(|socket| socket.is_held()).count()
    }

    fn lanes(&self, partition: PartitionIndex) -> &Rc<PartitionLanes> {
        &self.partitions[usize::from(partition.0)]
    }
}
