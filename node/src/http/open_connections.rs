//! The connections that are neither sessions nor event streams: how many may be open, and which one is closed when
//! there are too many. So a node hears a handshake however many connections others open and leave idle.

use std::{
    collections::{BTreeMap, HashSet},
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
};

use tokio_util::sync::CancellationToken;

/// The connections that are open.
#[derive(Debug)]
pub struct OpenConnections {
    max: usize,
    table: Mutex<Table>,
}

/// Each connection has a number. It gets a new number when it becomes idle again.
#[derive(Debug, Default)]
struct Table {
    next: u64,
    /// The connections that wait for a request, or for the peer to read an answer, in the order in which they began to
    /// wait.
    idle: BTreeMap<u64, CancellationToken>,
    /// The connections whose request is being handled.
    busy: HashSet<u64>,
}

/// A connection. It counts as open until this value is dropped.
#[derive(Debug)]
pub struct OpenConnection {
    connections: Arc<OpenConnections>,
    close: CancellationToken,
    number: Mutex<u64>,
    has_begun: AtomicBool,
}

impl OpenConnections {
    /// Returns a table without connections, in which there may be `max`.
    pub fn new(max: usize) -> Self {
        Self { max, table: Mutex::default() }
    }

    /// Adds a connection, which counts as idle. If there are too many, closes the connection that has been idle
    /// longest. None if there are too many and no connection is idle.
    pub fn open(self: &Arc<Self>, close: CancellationToken) -> Option<OpenConnection> {
        let mut table = self.lock();
        if table.idle.len() + table.busy.len() >= self.max {
            let (_, oldest) = table.idle.pop_first()?;
            oldest.cancel();
        }
        let number = table.add_idle(close.clone());
        let (number, has_begun) = (Mutex::new(number), AtomicBool::new(false));
        Some(OpenConnection { connections: self.clone(), close, number, has_begun })
    }

    fn lock(&self) -> MutexGuard<'_, Table> {
        self.table.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Table {
    fn add_idle(&mut self, close: CancellationToken) -> u64 {
        self.next += 1;
        self.idle.insert(self.next, close);
        self.next
    }
}

impl OpenConnection {
    /// Records that a request is being handled.
    pub fn begin(&self) {
        self.has_begun.store(true, Ordering::Relaxed);
        let mut table = self.connections.lock();
        let number = *self.lock();
        // A connection that was closed for another is in neither set.
        if table.idle.remove(&number).is_some() {
            table.busy.insert(number);
        }
    }

    /// Returns whether a request has been handled on this connection, or is being handled.
    pub fn has_begun(&self) -> bool {
        self.has_begun.load(Ordering::Relaxed)
    }

    /// Records that the request was handled.
    pub fn end(&self) {
        let mut table = self.connections.lock();
        let mut number = self.lock();
        if table.busy.remove(&*number) {
            *number = table.add_idle(self.close.clone());
        }
    }

    /// Stops counting the connection, because it has become a session or an event stream. Those have bounds of their
    /// own.
    pub fn leave(&self) {
        let mut table = self.connections.lock();
        let number = *self.lock();
        table.idle.remove(&number);
        table.busy.remove(&number);
    }

    fn lock(&self) -> MutexGuard<'_, u64> {
        self.number.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for OpenConnection {
    fn drop(&mut self) {
        self.leave();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn open(connections: &Arc<OpenConnections>) -> (Option<OpenConnection>, CancellationToken) {
        let close = CancellationToken::new();
        (connections.open(close.clone()), close)
    }

    #[test]
    fn the_connection_that_has_been_idle_longest_gives_way() {
        let connections = Arc::new(OpenConnections::new(2));
        let ((first, first_closed), (second, second_closed)) = (open(&connections), open(&connections));
        let (first, second) = (first.unwrap(), second.unwrap());
        first.begin();
        first.end();
        let (third, third_closed) = open(&connections);
        assert!(second_closed.is_cancelled() && !first_closed.is_cancelled(), "the second was idle for longer");
        second.begin();
        second.end();
        drop(second);
        first.begin();
        third.as_ref().unwrap().begin();
        assert!(open(&connections).0.is_none(), "both are at work");
        first.leave();
        assert!(open(&connections).0.is_some(), "what became a session counts no more");
        assert!(!first_closed.is_cancelled() && !third_closed.is_cancelled());
    }
}
