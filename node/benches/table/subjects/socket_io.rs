//! How one speaks with Socket.IO. Its server is told to broadcast by a client, since it has no other way in.

use std::net::SocketAddr;

use tokio::io::{AsyncReadExt, AsyncWriteExt};

use crate::servers::{
    crowd::connect,
    dialect::{Dialect, Turn, request},
    frames::client_frame,
    payload::PAYLOAD,
};

/// The server's frame 0 opens the transport, and 40 opens the namespace of all.
pub const SOCKET_IO: Dialect = Dialect {
    request: |_| request("/socket.io/?EIO=4&transport=websocket", ""),
    begin: &[Turn::Hear, Turn::Say("40"), Turn::Hear],
    answer: pong,
};

/// What a ping of the server is answered with.
fn pong(frame: &[u8]) -> Option<String> {
    (frame == b"2").then(|| "3".to_owned())
}

/// Connects a client, has it send `times` messages to all, and waits until they have come back to it: a connection that is closed with
/// bytes that nobody has read may lose what it sent.
pub async fn publish(address: SocketAddr, payload: &str, times: usize) {
    let (mut stream, mut frames) = connect(address, 0, SOCKET_IO).await;
    let message = client_frame(&format!(r#"42["message","{payload}"]"#));
    stream.write_all(&message.repeat(times)).await.expect("the server reads");
    let (mut buffer, mut came_back) = ([0; 4096], 0);
    while came_back < times {
        let count = stream.read(&mut buffer).await.expect("the server answers");
        assert!(count > 0, "the server closed the connection of the client that sends");
        frames.take(&buffer[..count], |frame| came_back += usize::from(frame.len() >= PAYLOAD));
    }
}
