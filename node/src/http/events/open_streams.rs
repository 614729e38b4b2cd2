//! The streams that are open on this node: how many there may be, of all operators and of one, and which of them are not read any more.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

/// A stream whose reader takes nothing for so long is closed. Each stream has something to send four times in that time.
const STUCK: Duration = Duration::from_secs(60);

/// The streams that are open.
#[derive(Debug)]
pub struct OpenStreams {
    open: Mutex<HashMap<u64, Reader>>,
    /// How many are open.
    count: watch::Sender<usize>,
    max: usize,
    max_of_key: usize,
}

#[derive(Debug)]
struct Reader {
    key: String,
    took_at: Instant,
    connection: CancellationToken,
}

/// A stream that counts as open until this is dropped.
#[derive(Debug)]
pub struct OpenStream {
    streams: Arc<OpenStreams>,
    id: u64,
}

impl OpenStreams {
    /// No streams, of which there may be so many on this node, and so many of one key.
    pub fn new(max: usize, max_of_key: usize) -> Self {
        Self { open: Mutex::default(), count: watch::Sender::new(0), max, max_of_key }
    }

    /// How many streams are open.
    pub fn count(&self) -> watch::Receiver<usize> {
        self.count.subscribe()
    }

    /// Opens a stream for the owner of a key. `connection` is cancelled if the stream is not read.
    ///
    /// # Errors
    /// If as many are open as may be, as a sentence for the operator.
    pub fn open(self: &Arc<Self>, key: &str, connection: CancellationToken) -> Result<OpenStream, String> {
        let mut open = self.lock();
        if open.len() >= self.max {
            let max = self.max;
            return Err(format!("this node has {max} event streams open, as many as it may (--max-event-streams)"));
        }
        if open.values().filter(|reader| reader.key == key).count() >= self.max_of_key {
            let max = self.max_of_key;
            return Err(format!(
                "this key has {max} event streams open on this node, as many as it may (--max-event-streams-per-key); close one of them"
            ));
        }
        let id = open.keys().max().map_or(0, |last| last + 1);
        open.insert(id, Reader { key: key.to_owned(), took_at: Instant::now(), connection });
        self.count.send_replace(open.len());
        Ok(OpenStream { streams: self.clone(), id })
    }

    /// Closes the connections of streams that are not read.
    pub fn cut_stuck(&self, now: Instant) {
        for reader in self.lock().values().filter(|reader| now.saturating_duration_since(reader.took_at) > STUCK) {
            if !reader.connection.is_cancelled() {
                tracing::info!(key = reader.key, "an event stream is not read, and its connection is closed");
            }
            reader.connection.cancel();
        }
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<u64, Reader>> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl OpenStream {
    /// Records that the reader is ready for more.
    pub fn takes(&self) {
        if let Some(reader) = self.streams.lock().get_mut(&self.id) {
            reader.took_at = Instant::now();
        }
    }
}

impl Drop for OpenStream {
    fn drop(&mut self) {
        let mut open = self.streams.lock();
        open.remove(&self.id);
        self.streams.count.send_replace(open.len());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn as_many_are_open_as_may_be_of_one_key_and_of_all() {
        let streams = Arc::new(OpenStreams::new(3, 2));
        let open = |key: &str| streams.open(key, CancellationToken::new());
        let (first, _second) = (open("ann").unwrap(), open("ann").unwrap());
        assert!(open("ann").unwrap_err().contains("--max-event-streams-per-key"));
        let _third = open("bob").unwrap();
        assert!(open("eve").unwrap_err().contains("(--max-event-streams)"));
        assert_eq!(*streams.count().borrow(), 3);
        drop(first);
        assert!(open("ann").is_ok());
        assert_eq!(*streams.count().borrow(), 2);
    }

    #[test]
    fn a_stream_that_is_not_read_is_closed() {
        let streams = Arc::new(OpenStreams::new(9, 9));
        let (connection, now) = (CancellationToken::new(), Instant::now());
        let _stream = streams.open("ann", connection.clone()).unwrap();
        streams.cut_stuck(now + STUCK / 2);
        assert!(!connection.is_cancelled());
        streams.cut_stuck(Instant::now() + STUCK + Duration::from_millis(1));
        assert!(connection.is_cancelled());
    }
}
