//! The floor as a process, told to broadcast.

use std::{env, net::SocketAddr, process::Command};

use async_trait::async_trait;
use tokio::{io::AsyncWriteExt, net::TcpStream};

use super::{payload::PAYLOAD, process::ServerProcess, server::Server};

/// The floor, which is this program called in another way.
pub struct FloorServer {
    process: ServerProcess,
    controller: TcpStream,
}

impl FloorServer {
    /// Starts it for so many terminals.
    pub async fn start(terminals: usize) -> Self {
        let own = env::current_exe().expect("a process knows its program");
        let process = ServerProcess::start(Command::new(own).arg("floor"), "");
        let mut controller = TcpStream::connect(process.address).await.expect("the floor accepts");
        controller.write_u16(PAYLOAD as u16).await.expect("the floor reads");
        controller.write_u32(terminals as u32).await.expect("the floor reads");
        Self { process, controller }
    }
}

#[async_trait(?Send)]
impl Server for FloorServer {
    fn address(&self) -> SocketAddr {
        self.process.address
    }

    fn processes(&self) -> Vec<u32> {
        vec![self.process.id()]
    }

    async fn broadcast(&mut self, _payload: &str, times: usize) {
        self.controller.write_u8(times as u8).await.expect("the floor reads");
    }
}
