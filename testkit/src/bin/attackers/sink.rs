//! A server that takes everything and does nothing with it.

use std::{
    io::{self, Write},
    net::SocketAddr,
    time::Duration,
};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    time,
};

/// The answer to the first request of each connection.
const YES: &[u8] = b"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n";
/// The time between two attempts to accept, where one failed.
const AGAIN: Duration = Duration::from_millis(10);
/// Bytes that are read at once.
const READ: usize = 16 * 1024;

/// Serves until the process ends.
pub async fn serve(listen: SocketAddr) -> anyhow::Result<()> {
    let listener = TcpListener::bind(listen).await?;
    let _ = writeln!(io::stdout(), "sink on {}", listener.local_addr()?);
    loop {
        // Without a free descriptor an accept fails, and works again when a connection has ended.
        match listener.accept().await {
            Ok((stream, _)) => drop(tokio::spawn(discard(stream))),
            Err(_) => time::sleep(AGAIN).await,
        }
    }
}

/// Reads to the end of the connection. The first request ends with its first empty line.
async fn discard(mut stream: TcpStream) {
    let mut buffer = vec![0; READ];
    let (mut head, mut is_answered) = (Vec::new(), false);
    while let Ok(count @ 1..) = stream.read(&mut buffer).await {
        if is_answered {
            continue;
        }
        head.extend_from_slice(&buffer[..count]);
        if head.windows(4).any(|part| part == b"\r\n\r\n") {
            (head, is_answered) = (Vec::new(), true);
            if stream.write_all(YES).await.is_err() {
                return;
            }
        } else if head.len() > READ {
            return;
        }
    }
}
