//! A terminal that still sends when its session ends sees the close frame, and then the end of the connection without a reset.

use std::{
    io::{Read, Write},
    net::{SocketAddr, TcpStream},
};

use muster_testkit::{
    TestNode,
    wait::{PATIENCE, blocking_until},
};
use tokio::task;

use crate::raw::{frame, upgrade, upgrade_with};

/// How often each case is tried: a reset overtakes the close frame only now and then.
const TRIES: usize = 20;
/// The first byte of a close frame.
const CLOSE: u8 = 0x88;

fn hello() -> Vec<u8> {
    frame(0x81, br#"{"type":"hello"}"#)
}

/// Sends these bytes at once, then reads to the end of the connection. See [`read_close`].
fn close_after(address: SocketAddr, terminal: &str, protocol: &str, bytes: &[u8]) -> Result<u16, String> {
    let mut stream = upgrade(address, terminal, protocol);
    stream.write_all(bytes).map_err(|error| format!("the message can't be sent: {error}"))?;
    // Many libraries read only after they have sent everything.
    close_arrives(&stream);
    read_close(stream)
}

/// Waits until the close frame has arrived or the connection has ended, and reads nothing.
fn close_arrives(stream: &TcpStream) {
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    let mut arrived = [0; 4096];
    blocking_until("the close frame arrives", || match stream.peek(&mut arrived) {
        Ok(0) | Err(_) => true,
        Ok(count) => arrived[..count].contains(&CLOSE),
    });
}

/// Reads to the end of the connection. Returns the code of the close frame, which must be the last thing that came.
fn read_close(mut stream: TcpStream) -> Result<u16, String> {
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    let mut read = Vec::new();
    stream.read_to_end(&mut read).map_err(|error| format!("no clean end: {error}"))?;
    let start = read.iter().rposition(|&byte| byte == CLOSE).ok_or("no close frame")?;
    match read[start..] {
        [_, length, high, low, ref reason @ ..] if usize::from(length) == reason.len() + 2 => {
            Ok(u16::from_be_bytes([high, low]))
        }
        _ => Err(format!("no whole close frame: {read:?}")),
    }
}

/// Tries it [`TRIES`] times at once.
async fn is_always_closed_with(code: u16, protocol: &'static str, bytes: Vec<u8>) {
    let node = TestNode::start(&["--insecure", "--max-message", "65536"]).await;
    let address = node.address;
    let tries: Vec<_> = (0..TRIES)
        .map(|number| {
            let bytes = bytes.clone();
            task::spawn_blocking(move || close_after(address, &format!("t{number}"), protocol, &bytes))
        })
        .collect();
    for tried in tries {
        assert_eq!(tried.await.unwrap(), Ok(code));
    }
    node.stop().await;
}

fn large() -> Vec<u8> {
    frame(0x81, &vec![b'x'; 1024 * 1024])
}

fn many() -> Vec<u8> {
    frame(0x81, &[b'x'; 1024]).repeat(256)
}

#[tokio::test]
async fn a_message_over_the_limit_is_closed_with_1009() {
    is_always_closed_with(1009, "muster.plain", large()).await;
}

#[tokio::test]
async fn a_hello_over_the_limit_is_closed_with_1009() {
    is_always_closed_with(1009, "muster.v1", large()).await;
}

#[tokio::test]
async fn bytes_that_are_no_frames_are_closed_with_1002() {
    is_always_closed_with(1002, "muster.plain", vec![0xff; 1024 * 1024]).await;
}

#[tokio::test]
async fn text_that_is_not_utf8_is_closed_with_1007() {
    is_always_closed_with(1007, "muster.plain", [frame(0x81, &[0xff]), large()].concat()).await;
}

#[tokio::test]
async fn a_message_of_a_type_that_v1_does_not_have_is_closed_with_4500() {
    is_always_closed_with(4500, "muster.v1", [hello(), frame(0x82, b"x"), many()].concat()).await;
}

#[tokio::test]
async fn what_is_no_hello_is_closed_with_4500() {
    is_always_closed_with(4500, "muster.v1", [frame(0x81, b"x"), many()].concat()).await;
}

#[tokio::test]
async fn what_is_no_hello_and_came_with_the_request_is_closed_with_4500() {
    let node = TestNode::start(&["--insecure"]).await;
    for _ in 0..TRIES {
        let address = node.address;
        let close = move || {
            let stream = upgrade_with(address, "t1", "muster.v1", &frame(0x81, b"x"));
            read_close(stream)
        };
        assert_eq!(task::spawn_blocking(close).await.unwrap(), Ok(4500));
    }
    node.stop().await;
}
