//! A port to which clients connect. Each connection is accepted at once, so that its time is known, and waits until the scenario answers it.

use std::{net::SocketAddr, time::Instant};

use tokio::{
    net::{TcpListener, TcpStream},
    sync::mpsc,
    task::JoinHandle,
};

/// A client that has connected, and waits for an answer.
pub struct Connected {
    /// The connection, of which nothing was read.
    pub stream: TcpStream,
    /// When it was accepted.
    pub at: Instant,
}

/// A free port of this machine.
pub struct FakePort {
    address: SocketAddr,
    connected: mpsc::UnboundedReceiver<Connected>,
    accepting: JoinHandle<()>,
}

impl FakePort {
    /// Opens a free port.
    pub async fn open() -> std::io::Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let address = listener.local_addr()?;
        let (tell, connected) = mpsc::unbounded_channel();
        let accepting = tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let _ = stream.set_nodelay(true);
                if tell.send(Connected { stream, at: Instant::now() }).is_err() {
                    return;
                }
            }
        });
        Ok(Self { address, connected, accepting })
    }

    /// The URL of a node at this port.
    pub fn url(&self) -> String {
        format!("ws://{}/ws", self.address)
    }

    /// Waits for the next connection. Never returns if none comes.
    pub async fn next(&mut self) -> Connected {
        match self.connected.recv().await {
            Some(connected) => connected,
            None => std::future::pending().await,
        }
    }
}

impl Drop for FakePort {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}
