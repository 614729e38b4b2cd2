//! The lanes of one partition on one shard. Commands are numbered within a partition. So a broadcast goes to the
//! sockets of its own partition, and each partition has its own watermark of what was sent.

use std::{cell::Cell, rc::Rc};

use muster_protocol::api::Protocol;

use super::{lane::Lane, socket::Socket};

/// The sockets of one partition, in one lane for each protocol.
#[derive(Debug, Default)]
pub struct PartitionLanes {
    v1: Lane,
    plain: Lane,
    /// The number of the partition's last command that this shard sent to any socket.
    sent_up_to: Cell<u64>,
}

impl PartitionLanes {
    /// Returns the lane of the sockets that speak `protocol`.
    pub fn lane(&self, protocol: Protocol) -> &Lane {
        match protocol {
            Protocol::V1 => &self.v1,
            Protocol::Plain => &self.plain,
        }
    }

    /// Returns all sockets of the partition.
    pub fn sockets(&self) -> Vec<Rc<Socket>> {
        let mut sockets = self.v1.sockets();
        sockets.extend(self.plain.sockets());
        sockets
    }

    /// Returns the number of the partition's last command that this shard sent to any socket.
    pub fn sent_up_to(&self) -> u64 {
        self.sent_up_to.get()
    }

    /// Records that a command with this number was sent.
    pub fn raise_sent_up_to(&self, number: u64) {
        self.sent_up_to.set(self.sent_up_to.get().max(number));
    }
}
