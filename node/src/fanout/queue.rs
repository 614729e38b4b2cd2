//! What a socket is owed that would not take it, and what waits for one that is held: bounded in bytes, kept in order. A socket
//! that takes everything has neither.

use std::collections::VecDeque;

use jiff::Timestamp;
use muster_protocol::CommandId;

use super::parcel::Batch;

/// The queue's bound is reached: the terminal reads too slowly.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Full;

/// Batches that came for a socket while it was held, in order.
#[derive(Debug, Default)]
pub struct Held {
    batches: Vec<Batch>,
    bytes: usize,
}

impl Held {
    /// Keeps a batch.
    pub fn push(&mut self, batch: &Batch, limit: usize) -> Result<(), Full> {
        self.bytes += batch.bytes.len();
        self.batches.push(batch.clone());
        if self.bytes > limit { Err(Full) } else { Ok(()) }
    }
}

impl IntoIterator for Held {
    type Item = Batch;
    type IntoIter = std::vec::IntoIter<Batch>;

    fn into_iter(self) -> Self::IntoIter {
        self.batches.into_iter()
    }
}

/// Batches in order, the first of them perhaps partly sent.
#[derive(Debug, Default)]
pub struct Queue {
    batches: VecDeque<Batch>,
    /// Of the first batch.
    sent: usize,
    owed: usize,
}

impl Queue {
    /// Whether nothing is owed.
    pub fn is_empty(&self) -> bool {
        self.batches.is_empty()
    }

    /// Owes what remains of `batch` after `sent` bytes. A batch that was begun can only be the first.
    pub fn push(&mut self, batch: &Batch, sent: usize, limit: usize) -> Result<(), Full> {
        let rest = batch.bytes.len() - sent;
        if self.owed + rest > limit {
            return Err(Full);
        }
        if sent > 0 {
            debug_assert!(self.batches.is_empty(), "a begun batch behind another would break both frames");
            self.sent = sent;
        }
        self.owed += rest;
        self.batches.push_back(batch.clone());
        Ok(())
    }

    /// The bytes to send next. What was not begun and has expired while it waited is left out.
    pub fn next(&mut self, now: Timestamp) -> Option<&[u8]> {
        while self.sent == 0
            && let Some(batch) = self.batches.pop_front()
        {
            let size = batch.bytes.len();
            let fresh = batch.fresh(now);
            self.owed -= size - fresh.as_ref().map_or(0, |batch| batch.bytes.len());
            if let Some(batch) = fresh {
                self.batches.push_front(batch);
                break;
            }
        }
        self.batches.front().map(|batch| &batch.bytes[self.sent..])
    }

    /// The socket took `taken` of [`next`](Self::next): the commands whose frames are now whole on their way.
    pub fn advance(&mut self, taken: usize) -> Vec<CommandId> {
        let Some(batch) = self.batches.front() else { return Vec::new() };
        let sent = self.sent + taken;
        let commands = batch.commands(self.sent, sent).collect();
        self.owed -= taken;
        self.sent = sent;
        if sent == batch.bytes.len() {
            self.batches.pop_front();
            self.sent = 0;
        }
        if self.batches.is_empty() {
            self.batches = VecDeque::new();
        }
        commands
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::*;

    #[test]
    fn what_was_begun_goes_on_where_it_stopped_and_in_order() {
        let mut queue = Queue::default();
        queue.push(&Batch::bare(Bytes::from_static(b"hello")), 2, 100).unwrap();
        queue.push(&Batch::bare(Bytes::from_static(b"world")), 0, 100).unwrap();
        let mut out = Vec::new();
        while let Some(bytes) = queue.next(Timestamp::now()).map(<[u8]>::to_vec) {
            let taken = bytes.len().min(2);
            out.extend_from_slice(&bytes[..taken]);
            queue.advance(taken);
        }
        assert_eq!(out, b"lloworld");
        assert_eq!(queue.owed, 0);
    }

    #[test]
    fn the_bound_holds_and_refuses_whole() {
        let mut queue = Queue::default();
        let batch = Batch::bare(Bytes::from_static(b"12345678"));
        assert_eq!(queue.push(&batch, 0, 10), Ok(()));
        assert_eq!(queue.push(&batch, 0, 10), Err(Full));
        queue.advance(8);
        assert_eq!(queue.push(&batch, 0, 10), Ok(()));
    }
}
