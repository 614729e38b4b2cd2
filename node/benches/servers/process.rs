//! A server as a process: started, measured, and ended with the bench.

use std::{
    net::SocketAddr,
    process::{Command, Stdio},
};

use muster_testkit::TestProcess;

use super::server::Server;

/// The node of this build.
pub const NODE: &str = env!("CARGO_BIN_EXE_muster-node");

/// A child that ends with the bench.
pub struct ServerProcess {
    process: TestProcess,
    /// Where it listens.
    pub address: SocketAddr,
}

impl ServerProcess {
    /// Starts the program. Its first line is `before` and its address.
    pub fn start(command: &mut Command, before: &str) -> Self {
        let mut process = TestProcess::start(command.stdout(Stdio::piped()).stderr(Stdio::null()));
        let address = process.line_after(before).parse().expect("its line ends with its address");
        Self { process, address }
    }

    /// The id of the process.
    pub fn id(&self) -> u32 {
        self.process.child.id()
    }
}

impl Server for ServerProcess {
    fn address(&self) -> SocketAddr {
        self.address
    }

    fn processes(&self) -> Vec<u32> {
        vec![self.id()]
    }
}
