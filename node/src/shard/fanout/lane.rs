//! A lane is the dense array that a broadcast walks, one descriptor after the other. The walk touches nothing else
//! while each socket takes all that is written to it. A shard has one lane for each partition and protocol, so a walk
//! of a lane writes the same bytes to each socket.
//!
//! Invariant: `descriptors[i]` belongs to `sockets[i]`, whose index is `i`. A descriptor is none while the walk must
//! not write to its socket. That is while bytes are queued for the socket, because writing past the queue would break a
//! frame, and while the socket is held or behind (see [`Socket`]).

use std::{
    cell::RefCell,
    net::TcpStream,
    ops::Range,
    os::fd::{AsFd, AsRawFd, BorrowedFd},
    rc::Rc,
    sync::Arc,
};

use muster_protocol::{CommandId, TerminalId};
use rustix::{
    io::Errno,
    net::{SendFlags, send},
};

use super::{socket::Socket, write_batch::WriteBatch};
use crate::end::SessionEnd;

/// The sockets of one partition and protocol on one shard.
#[derive(Debug, Default)]
pub struct Lane(RefCell<Rows>);

#[derive(Debug, Default)]
struct Rows {
    descriptors: Vec<Option<BorrowedFd<'static>>>,
    sockets: Vec<Rc<Socket>>,
    /// The terminals of the sockets, for the report after a walk. None after a row has changed; the next walk makes the
    /// list again.
    roster: Option<Arc<[TerminalId]>>,
}

/// Why a socket did not take the whole batch.
enum IncompleteSend {
    /// The walk must not write to the socket, and did not.
    Blocked,
    /// The socket took this many bytes.
    Took(usize),
    /// The connection is broken.
    Broken,
}

impl Lane {
    /// Adds a socket. Walks skip the socket until it is unblocked.
    pub fn push(&self, socket: Rc<Socket>) {
        let mut rows = self.0.borrow_mut();
        socket.index.set(rows.sockets.len());
        rows.roster = None;
        rows.descriptors.push(None);
        rows.sockets.push(socket);
    }

    /// Removes a socket. The last socket of the lane moves into the row that becomes free.
    pub fn remove(&self, socket: &Socket) {
        let mut rows = self.0.borrow_mut();
        let index = socket.index.replace(usize::MAX);
        rows.roster = None;
        rows.descriptors.swap_remove(index);
        rows.sockets.swap_remove(index);
        if let Some(moved) = rows.sockets.get(index) {
            moved.index.set(index);
        }
    }

    /// Returns the number of sockets.
    pub fn len(&self) -> usize {
        self.0.borrow().sockets.len()
    }

    /// Returns whether there is no socket.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Returns the sockets.
    pub fn sockets(&self) -> Vec<Rc<Socket>> {
        self.0.borrow().sockets.clone()
    }

    /// Makes walks skip the socket at `index`.
    pub fn block(&self, index: usize) {
        if let Some(descriptor) = self.0.borrow_mut().descriptors.get_mut(index) {
            *descriptor = None;
        }
    }

    /// Makes walks write to the socket at `index` again.
    pub fn unblock(&self, index: usize, stream: &TcpStream) {
        if let Some(descriptor) = self.0.borrow_mut().descriptors.get_mut(index) {
            *descriptor = Some(borrow(stream));
        }
    }

    /// Sends `batch` to the sockets of these rows. Returns the sockets that did not take the whole batch, each with the
    /// commands that the socket did take whole.
    pub fn send(&self, rows: Range<usize>, batch: &WriteBatch) -> Vec<(Rc<Socket>, Vec<CommandId>)> {
        let incomplete = self.0.borrow().walk(rows, &batch.bytes);
        let sockets = incomplete.into_iter().map(|(index, problem)| {
            let socket = self.0.borrow().sockets[index].clone();
            let sent = match problem {
                IncompleteSend::Blocked => socket.send(batch),
                IncompleteSend::Took(taken) => socket.queue_rest(batch, taken),
                IncompleteSend::Broken => {
                    socket.end(SessionEnd::Lost);
                    Vec::new()
                }
            };
            (socket, sent)
        });
        sockets.collect()
    }

    /// Returns the terminals of the sockets, in the order of the rows.
    pub fn roster(&self) -> Arc<[TerminalId]> {
        let Rows { sockets, roster, .. } = &mut *self.0.borrow_mut();
        let terminals = || sockets.iter().map(|socket| socket.info.terminal.clone()).collect();
        roster.get_or_insert_with(terminals).clone()
    }
}

impl Rows {
    /// Sends `bytes` to the sockets of these rows. Returns the rows that did not take all of them, and why. This is the
    /// hot loop: for each socket it reads four bytes of memory and makes one system call.
    fn walk(&self, rows: Range<usize>, bytes: &[u8]) -> Vec<(usize, IncompleteSend)> {
        let mut incomplete = Vec::new();
        for (index, descriptor) in rows.clone().zip(&self.descriptors[rows]) {
            let Some(descriptor) = descriptor else {
                incomplete.push((index, IncompleteSend::Blocked));
                continue;
            };
            match send(descriptor, bytes, SendFlags::NOSIGNAL | SendFlags::DONTWAIT) {
                Ok(taken) if taken == bytes.len() => {}
                Ok(taken) => incomplete.push((index, IncompleteSend::Took(taken))),
                Err(Errno::AGAIN) => incomplete.push((index, IncompleteSend::Took(0))),
                Err(_) => incomplete.push((index, IncompleteSend::Broken)),
            }
        }
        incomplete
    }
}

fn borrow(stream: &TcpStream) -> BorrowedFd<'static> {
    // SAFETY: the descriptor must stay open for as long as the borrow is used. It is stored only in
    // `Rows::descriptors`, beside the `Rc` in `Rows::sockets` that owns `stream`; `remove` takes both out together, and
    // no `Socket` ever gives its stream away. Paid for by the fan-out benchmark: reaching each descriptor through its
    // `Rc` touches one more cache line per socket and made a delivery 12 % dearer.
    unsafe { BorrowedFd::borrow_raw(stream.as_fd().as_raw_fd()) }
}
