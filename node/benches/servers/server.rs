//! What is measured: a server that takes handshakes, and that may be told to broadcast.

use std::{net::SocketAddr, time::Duration};

use async_trait::async_trait;

use super::usage::{cpu, memory};

/// A server.
#[async_trait(?Send)]
pub trait Server {
    /// Where terminals connect.
    fn address(&self) -> SocketAddr;

    /// The ids of the processes whose CPU and memory are the server's.
    fn processes(&self) -> Vec<u32>;

    /// Its version, if the project does not say it.
    fn version(&self) -> Option<&str> {
        None
    }

    /// Sends `times` broadcasts without waiting between them.
    ///
    /// # Panics
    /// If the server only takes handshakes. No benchmark asks such a server for more.
    async fn broadcast(&mut self, _payload: &str, _times: usize) {
        panic!("this server only takes handshakes: measure nothing else of it");
    }

    /// Waits until the server has taken in what so many terminals answered to the last broadcasts.
    async fn confirmed(&mut self, _terminals: usize) {}

    /// The CPU time that its threads have used so far. That of threads that have ended is not in it.
    fn cpu(&self) -> Duration {
        self.processes().into_iter().map(cpu).sum()
    }

    /// Resident bytes.
    fn memory(&self) -> u64 {
        self.processes().into_iter().map(memory).sum()
    }
}
