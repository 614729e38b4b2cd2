//! The floor: a server that does for each handshake what no server can do without. It accepts, reads the request, writes a ready answer, and
//! closes when the terminal has.

use std::{
    io::{Read, Write},
    net::{TcpListener, TcpStream},
};

const ANSWER: &[u8] = b"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n";

/// Serves one connection after the other until the process is killed.
pub fn serve() {
    let listener = TcpListener::bind("127.0.0.1:0").expect("loopback has a free port");
    println!("{}", listener.local_addr().expect("it is bound"));
    for stream in listener.incoming() {
        answer(stream.expect("terminals connect"));
    }
}

fn answer(mut stream: TcpStream) {
    let (mut request, mut buffer) = (Vec::new(), [0; 4096]);
    while !request.ends_with(b"\r\n\r\n") {
        let count = stream.read(&mut buffer).expect("terminals send a request");
        assert!(count > 0, "a terminal left in the middle of its request");
        request.extend_from_slice(&buffer[..count]);
    }
    stream.write_all(ANSWER).expect("terminals read");
    // The end, or a reset.
    let _ = stream.read(&mut buffer);
}
