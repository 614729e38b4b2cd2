//! A terminal's bytes, as no client library would send them.

use std::{
    io::{Read, Write},
    net::{SocketAddr, TcpStream},
};

use muster_testkit::http::handshake;

/// Connects a terminal with this subprotocol, and returns the connection after the upgrade.
pub fn upgrade(address: SocketAddr, terminal: &str, protocol: &str) -> TcpStream {
    upgrade_with(address, terminal, protocol, &[])
}

/// The same, with these bytes sent right behind the request.
pub fn upgrade_with(address: SocketAddr, terminal: &str, protocol: &str, behind: &[u8]) -> TcpStream {
    let mut stream = TcpStream::connect(address).unwrap();
    let headers = format!("Host: test\r\nSec-WebSocket-Protocol: {protocol}\r\n\r\n");
    let head = handshake(&format!("?terminal_id={terminal}"), &headers);
    stream.write_all(&[head.as_bytes(), behind].concat()).unwrap();
    let (mut answer, mut byte) = (Vec::new(), [0]);
    while !answer.ends_with(b"\r\n\r\n") {
        stream.read_exact(&mut byte).unwrap();
        answer.push(byte[0]);
    }
    assert!(answer.starts_with(b"HTTP/1.1 101"), "{}", String::from_utf8_lossy(&answer));
    stream
}

/// A frame with this first byte (FIN and opcode). Its mask is zero, which leaves the payload as it is.
pub fn frame(first: u8, payload: &[u8]) -> Vec<u8> {
    let mut bytes = vec![first];
    match payload.len() {
        small @ 0..126 => bytes.push(0x80 | small as u8),
        medium @ 126..65536 => {
            bytes.push(0x80 | 126);
            bytes.extend((medium as u16).to_be_bytes());
        }
        large => {
            bytes.push(0x80 | 127);
            bytes.extend((large as u64).to_be_bytes());
        }
    }
    bytes.extend([0; 4]);
    bytes.extend(payload);
    bytes
}
