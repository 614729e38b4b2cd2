//! What waits for a socket: the bytes that the socket did not take, and the batches that came while the socket was
//! held. Both are in order and bounded in bytes. A socket that takes everything has neither.

use std::collections::VecDeque;

use jiff::Timestamp;
use muster_protocol::CommandId;

use super::write_batch::WriteBatch;

/// The bound of the queue is reached: the terminal reads too slowly.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Full;

/// Batches that came for a socket while it was held, in order.
#[derive(Debug, Default)]
pub struct Held {
    batches: Vec<WriteBatch>,
    bytes: usize,
}

impl Held {
    /// Appends a batch. Fails if the batches then exceed `limit` bytes.
    pub fn push(&mut self, batch: &WriteBatch, limit: usize) -> Result<(), Full> {
        self.bytes += batch.bytes.len();
        self.batches.push(batch.clone());
        if self.bytes > limit { Err(Full) } else { Ok(()) }
    }
}

impl IntoIterator for Held {
    type Item = WriteBatch;
    type IntoIter = std::vec::IntoIter<WriteBatch>;

    fn into_iter(self) -> Self::IntoIter {
        self.batches.into_iter()
    }
}

/// Batches in order. The first may be sent in part. An empty queue takes one word of memory.
#[derive(Debug, Default)]
pub struct Queue(Option<Box<QueuedBatches>>);

/// What is queued: at least one batch.
#[derive(Debug, Default)]
struct QueuedBatches {
    batches: VecDeque<WriteBatch>,
    /// The bytes of the first batch that were sent.
    sent: usize,
    queued_bytes: usize,
}

impl Queue {
    /// Returns whether the queue is empty.
    pub fn is_empty(&self) -> bool {
        self.0.is_none()
    }

    /// Appends what remains of `batch` after `sent` bytes. A batch that was sent in part can only be the first.
    /// Fails if the queue would exceed `limit` bytes.
    pub fn push(&mut self, batch: &WriteBatch, sent: usize, limit: usize) -> Result<(), Full> {
        let rest = batch.bytes.len() - sent;
        if self.queued_bytes() + rest > limit {
            return Err(Full);
        }
        debug_assert!(sent == 0 || self.is_empty(), "a begun batch behind another would break both frames");
        let queued = self.0.get_or_insert_default();
        if sent > 0 {
            queued.sent = sent;
        }
        queued.queued_bytes += rest;
        queued.batches.push_back(batch.clone());
        Ok(())
    }

    /// Drops every frame that was not begun, and appends `last` after the rest of a frame that was begun. `last` is
    /// appended whatever its size.
    pub fn end_with(&mut self, last: &WriteBatch) {
        let QueuedBatches { mut batches, sent, .. } = self.0.take().map(|queued| *queued).unwrap_or_default();
        let begun = batches.pop_front().and_then(|batch| batch.begun(sent));
        let sent = begun.as_ref().map_or(0, |_| sent);
        let batches: VecDeque<_> = begun.into_iter().chain([last.clone()]).collect();
        let queued_bytes = batches.iter().map(|batch| batch.bytes.len()).sum::<usize>() - sent;
        self.0 = Some(Box::new(QueuedBatches { batches, sent, queued_bytes }));
    }

    /// Returns the bytes to send next; none if the queue is empty. Drops commands that expired while they waited,
    /// unless their frame was begun.
    pub fn next(&mut self, now: Timestamp) -> Option<&[u8]> {
        let queued = self.0.as_mut()?;
        queued.drop_expired(now);
        if queued.batches.is_empty() {
            self.0 = None;
        }
        self.0.as_ref().and_then(|queued| Some(&queued.batches.front()?.bytes[queued.sent..]))
    }

    /// Removes the `taken` bytes of [`next`](Self::next) that the socket took. Returns the commands whose frames
    /// went out whole.
    pub fn advance(&mut self, taken: usize) -> Vec<CommandId> {
        let Some(queued) = &mut self.0 else { return Vec::new() };
        let commands = queued.advance(taken);
        if queued.batches.is_empty() {
            self.0 = None;
        }
        commands
    }

    fn queued_bytes(&self) -> usize {
        self.0.as_ref().map_or(0, |queued| queued.queued_bytes)
    }
}

impl QueuedBatches {
    /// Drops expired commands from the front of the queue, until a batch has a frame that is to be sent.
    fn drop_expired(&mut self, now: Timestamp) {
        while self.sent == 0
            && let Some(batch) = self.batches.pop_front()
        {
            let size = batch.bytes.len();
            let fresh = batch.fresh(now);
            self.queued_bytes -= size - fresh.as_ref().map_or(0, |batch| batch.bytes.len());
            if let Some(batch) = fresh {
                self.batches.push_front(batch);
                break;
            }
        }
    }

    fn advance(&mut self, taken: usize) -> Vec<CommandId> {
        let Some(batch) = self.batches.front() else { return Vec::new() };
        let sent = self.sent + taken;
        let commands = batch.commands(self.sent, sent).collect();
        self.queued_bytes -= taken;
        self.sent = sent;
        if sent == batch.bytes.len() {
            self.batches.pop_front();
            self.sent = 0;
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
        queue.push(&WriteBatch::bare(Bytes::from_static(b"hello")), 2, 100).unwrap();
        queue.push(&WriteBatch::bare(Bytes::from_static(b"world")), 0, 100).unwrap();
        let mut out = Vec::new();
        while let Some(bytes) = queue.next(Timestamp::now()).map(<[u8]>::to_vec) {
            let taken = bytes.len().min(2);
            out.extend_from_slice(&bytes[..taken]);
            queue.advance(taken);
        }
        assert_eq!(out, b"lloworld");
        assert!(queue.is_empty());
    }

    #[test]
    fn only_a_frame_that_was_begun_goes_before_the_last() {
        let last = WriteBatch::bare(Bytes::from_static(b"close"));
        for (sent, rest) in [(0, "close"), (2, "lloclose")] {
            let mut queue = Queue::default();
            queue.push(&WriteBatch::bare(Bytes::from_static(b"hello")), sent, 100).unwrap();
            queue.push(&WriteBatch::bare(Bytes::from_static(b"world")), 0, 100).unwrap();
            queue.end_with(&last);
            assert_eq!(queue.queued_bytes(), rest.len());
            let mut out = Vec::new();
            while let Some(bytes) = queue.next(Timestamp::now()).map(<[u8]>::to_vec) {
                out.extend_from_slice(&bytes);
                queue.advance(bytes.len());
            }
            assert_eq!(out, rest.as_bytes());
        }
    }

    #[test]
    fn the_bound_holds_and_refuses_whole() {
        let mut queue = Queue::default();
        let batch = WriteBatch::bare(Bytes::from_static(b"12345678"));
        assert_eq!(queue.push(&batch, 0, 10), Ok(()));
        assert_eq!(queue.push(&batch, 0, 10), Err(Full));
        queue.advance(8);
        assert_eq!(queue.push(&batch, 0, 10), Ok(()));
    }
}
