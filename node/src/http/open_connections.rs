//! The connections that are neither sessions nor streams of events: how many there may be, and which gives way when another comes. So
//! however many are opened and left alone, a handshake is heard.

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

/// Each connection has a number, and a new one when it becomes idle.
#[derive(Debug, Default)]
struct Table {
    next: u64,
    /// Those that wait for a request, or for the peer to read an answer, in the order in which they began to.
    idle: BTreeMap<u64, CancellationToken>,
    /// Those whose request is being handled.
    busy: HashSet<u64>,
}

/// A connection that counts as open until this is dropped.
#[derive(Debug)]
pub struct OpenConnection {
    connections: Arc<OpenConnections>,
    close: CancellationToken,
    number: Mutex<u64>,
    has_begun: AtomicBool,
}

impl OpenConnections {
    /// No connections, of which there may be so many.
    pub fn new(max: usize) -> Self {
        Self { max, table: Mutex::default() }
    }

    /// Adds a connection, which is idle. If there are too many, the one that has been idle longest is closed for it. None if there are too
    /// many and none of them is idle.
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
        // One that was closed for another is in neither set.
        if table.idle.remove(&number).is_some() {
            table.busy.insert(number);
        }
    }

    /// Whether a request has been handled on this connection, or is being handled.
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

    /// Counts the connection no more: it has become a session or a stream, of which there are bounds of their own.
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
