//! The floor as a process, told to broadcast.

use std::{env, net::SocketAddr, process::Command};

use tokio::{io::AsyncWriteExt, net::TcpStream};

use super::{node::Server, process::ServerProcess};

/// The floor, which is this program called in another way.
pub struct FloorServer {
    process: ServerProcess,
    controller: TcpStream,
}

impl FloorServer {
    /// Starts it.
    pub async fn start(payload: usize) -> Self {
        let own = env::current_exe().expect("a process knows its program");
        let process = ServerProcess::start(Command::new(own).arg("floor"), "");
        let mut controller = TcpStream::connect(process.address).await.expect("the floor accepts");
        controller.write_u16(payload as u16).await.expect("the floor reads");
        Self { process, controller }
    }

    /// Where terminals connect.
    pub fn address(&self) -> SocketAddr {
        self.process.address
    }
}

impl Server for FloorServer {
    async fn broadcast(&mut self, _payload: &str, times: usize) {
        self.controller.write_u8(times as u8).await.expect("the floor reads");
    }

    fn process(&self) -> &ServerProcess {
        &self.process
    }
}
