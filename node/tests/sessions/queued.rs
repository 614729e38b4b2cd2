//! A session that ends while bytes wait for its socket: the terminal gets the rest of the frame that was begun, and then the close.

use std::{
    io::{ErrorKind, Read},
    net::{SocketAddr, TcpStream},
};

use muster_testkit::{
    TestNode,
    http::{get, request},
    wait::{PATIENCE, until},
};
use tokio::task;

use crate::{
    raw::{frame, upgrade},
    socket::is_shown_as,
};

/// The commands are together larger than the buffers of a connection can be, 4 MiB and 6 MiB.
const COMMANDS: usize = 80;
/// The size of a command's payload in bytes.
const SIZE: usize = 200_000;

/// A frame that was read whole: its first byte, and its payload.
type TestFrame = (u8, Vec<u8>);

fn connect(address: SocketAddr, protocol: &str) -> TcpStream {
    let mut stream = upgrade(address, "t1", protocol);
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    if protocol == "muster.v1" {
        std::io::Write::write_all(&mut stream, &frame(0x81, br#"{"type":"hello"}"#)).unwrap();
    }
    stream
}

/// Reads one frame; none at the end of the connection. Panics if the connection ends within a frame.
fn read_frame(stream: &mut TcpStream) -> Option<TestFrame> {
    let mut head = [0; 2];
    match stream.read_exact(&mut head) {
        Ok(()) => {}
        Err(error) if error.kind() == ErrorKind::UnexpectedEof => return None,
        Err(error) => panic!("no clean end: {error}"),
    }
    let length = match head[1] {
        126 => u64::from(u16::from_be_bytes(read(stream))),
        127 => u64::from_be_bytes(read(stream)),
        small => small.into(),
    };
    let mut payload = vec![0; length as usize];
    stream.read_exact(&mut payload).expect("a frame that was begun comes whole");
    Some((head[0], payload))
}

fn read<const N: usize>(stream: &mut TcpStream) -> [u8; N] {
    let mut bytes = [0; N];
    stream.read_exact(&mut bytes).unwrap();
    bytes
}

/// The numbers of the commands among these frames, which begin the payloads of [`send_all`].
fn numbers(frames: &[TestFrame]) -> Vec<usize> {
    let number = |(_, payload): &TestFrame| {
        let text = str::from_utf8(payload).unwrap();
        let start = text.find('#')?;
        Some(text[start + 1..start + 4].parse().unwrap())
    };
    frames.iter().filter(|(first, _)| *first == 0x81).filter_map(number).collect()
}

/// Sends [`COMMANDS`] commands to t1. Returns their ids.
async fn send_all(node: &TestNode) -> Vec<String> {
    let mut ids = Vec::new();
    for number in 0..COMMANDS {
        let payload = format!(r##""#{number:03}{}""##, "x".repeat(SIZE));
        let (status, command) = node.command(r#"{"terminal":"t1"}"#, &payload).await;
        assert_eq!(status, 202, "{command}");
        ids.push(command["id"].as_str().unwrap().to_owned());
    }
    ids
}

/// Ends a session of `protocol` that has read nothing of what was sent to it. Returns the frames that it then reads, and the ids of
/// the commands.
async fn ended_with_a_queue(node: &TestNode, protocol: &'static str) -> (Vec<TestFrame>, Vec<String>) {
    let address = node.address;
    let mut stream = task::spawn_blocking(move || connect(address, protocol)).await.unwrap();
    is_shown_as(node, "online").await;
    let ids = send_all(node).await;
    assert_eq!(request(address, "DELETE /v1/terminals/t1/session HTTP/1.1\r\n").await.0, 202);
    // The session has ended, and its close frame is queued.
    is_shown_as(node, "offline").await;
    let read = move || std::iter::from_fn(|| read_frame(&mut stream)).collect();
    (task::spawn_blocking(read).await.unwrap(), ids)
}

async fn node() -> TestNode {
    TestNode::start(&["--insecure", "--queue", "67108864", "--max-body", "1048576"]).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_frame_that_was_begun_is_finished_and_the_close_follows() {
    for (protocol, code) in [("muster.plain", 1001_u16), ("muster.v1", 1012)] {
        let node = node().await;
        let (frames, _) = ended_with_a_queue(&node, protocol).await;
        let sent = numbers(&frames);
        assert!(sent.iter().copied().eq(0..sent.len()) && (1..COMMANDS - 1).contains(&sent.len()), "{sent:?}");
        let (first, payload) = frames.last().unwrap();
        assert_eq!((*first, &payload[..2]), (0x88, &code.to_be_bytes()[..]), "{protocol}");
        node.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_next_session_of_a_plain_terminal_is_sent_what_was_dropped_and_nothing_twice() {
    let node = node().await;
    let (frames, ids) = ended_with_a_queue(&node, "muster.plain").await;
    let mut sent = numbers(&frames);
    let last = format!("/v1/commands/{}", ids[sent.len() - 1]);
    until("the last is counted as sent", async || get(node.address, &last).await.1["counts"]["sent"] == 1).await;
    let address = node.address;
    let rest = COMMANDS - sent.len();
    let read = move || {
        let mut stream = connect(address, "muster.plain");
        (0..rest).filter_map(|_| read_frame(&mut stream)).collect::<Vec<_>>()
    };
    sent.extend(numbers(&task::spawn_blocking(read).await.unwrap()));
    assert!(sent.iter().copied().eq(0..COMMANDS), "{sent:?}");
    node.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_frame_that_exceeds_the_queue_is_finished_before_the_close() {
    // On a busy machine a ping could come before the frame.
    let flags = ["--insecure", "--queue", "33556480", "--max-body", "33554432", "--ping", "1h"];
    let node = TestNode::start(&flags).await;
    let address = node.address;
    let mut stream = task::spawn_blocking(move || connect(address, "muster.plain")).await.unwrap();
    is_shown_as(&node, "online").await;
    let payload = format!(r##""#000{}""##, "x".repeat(COMMANDS * SIZE));
    // The socket takes a part of the first. The rest and the others exceed the queue.
    for _ in 0..3 {
        assert_eq!(node.command(r#"{"terminal":"t1"}"#, &payload).await.0, 202);
    }
    // The session has ended, and its close frame is queued.
    is_shown_as(&node, "offline").await;
    let read = move || std::iter::from_fn(|| read_frame(&mut stream)).collect::<Vec<_>>();
    let frames = task::spawn_blocking(read).await.unwrap();
    let [(0x81, _), (0x88, close)] = &frames[..] else {
        panic!("{:?}", frames.iter().map(|(first, payload)| (first, payload.len())).collect::<Vec<_>>())
    };
    assert_eq!(close[..2], 4002_u16.to_be_bytes());
    node.stop().await;
}
