//! A terminal that sends without end does not keep its shard from the other sessions.

use std::{
    io::{Read, Write},
    net::{Shutdown, TcpStream},
    thread,
    time::{Duration, Instant},
};

use muster_protocol::api::Protocol::V1;
use muster_testkit::TestNode;
use tokio::time;

use crate::raw::{frame, upgrade};

/// How long a flood lasts. Without a budget, the shard serves nobody else for as long.
const FLOOD: Duration = Duration::from_secs(15);
/// Another terminal connects and is sent a command within this time; it takes some milliseconds.
const SERVED: Duration = Duration::from_secs(5);

/// Writes the same frames for [`FLOOD`] or until the connection breaks, and reads what comes back.
struct Flood {
    stream: TcpStream,
    threads: [thread::JoinHandle<()>; 2],
}

impl Flood {
    fn start(node: &TestNode, before: &[u8], frames: &[u8]) -> Self {
        let stream = upgrade(node.address, "flood", "muster.v1");
        let (mut writer, mut reader) = (stream.try_clone().unwrap(), stream.try_clone().unwrap());
        let (before, frames) = (before.to_vec(), frames.repeat(64 * 1024 / frames.len()));
        let end = Instant::now() + FLOOD;
        // The node may stop reading for as long as it likes.
        writer.set_write_timeout(Some(FLOOD)).unwrap();
        let write = thread::spawn(move || {
            let _ = writer.write_all(&before);
            while Instant::now() < end && writer.write_all(&frames).is_ok() {}
        });
        let read = thread::spawn(move || {
            let mut buffer = vec![0; 64 * 1024];
            while reader.read(&mut buffer).is_ok_and(|count| count > 0) {}
        });
        Self { stream, threads: [write, read] }
    }

    /// Whether it still writes, or waits until it can.
    fn lasts(&self) -> bool {
        !self.threads[0].is_finished()
    }

    fn stop(self) {
        let _ = self.stream.shutdown(Shutdown::Both);
        for thread in self.threads {
            thread.join().unwrap();
        }
    }
}

/// Starts a flood of `frames` after `before`. Returns whether it lasted for as long as another terminal took to connect and to
/// be sent a command.
async fn another_is_served_during(before: &[u8], frames: &[u8]) -> bool {
    let node = TestNode::start(&["--insecure", "--hello-timeout", "60s"]).await;
    let flood = Flood::start(&node, before, frames);
    // The flood has filled the socket's buffers by then.
    time::sleep(Duration::from_millis(500)).await;
    let served = time::timeout(SERVED, async {
        let mut other = node.terminal("other", V1, &[]).await;
        assert_eq!(node.command(r#"{"terminal":"other"}"#, "1").await.0, 202);
        assert_eq!(other.payload().await, "1");
    });
    let served = served.await;
    let lasted = flood.lasts();
    flood.stop();
    assert!(served.is_ok(), "nobody else was served within {SERVED:?}");
    node.stop().await;
    lasted
}

fn hello() -> Vec<u8> {
    frame(0x81, br#"{"type":"hello"}"#)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn pings_before_the_hello_do_not_hold_the_shard() {
    assert!(another_is_served_during(b"", &frame(0x89, b"p")).await);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn pings_do_not_hold_the_shard() {
    assert!(another_is_served_during(&hello(), &frame(0x89, b"p")).await);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn pongs_do_not_hold_the_shard() {
    assert!(another_is_served_during(&hello(), &frame(0x8a, b"")).await);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn messages_do_not_hold_the_shard() {
    assert!(another_is_served_during(&hello(), &frame(0x81, br#"{"type":"event","name":"e"}"#)).await);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn fragments_that_never_end_do_not_hold_the_shard_and_end_the_session() {
    let start = [hello(), frame(0x01, b"")].concat();
    assert!(!another_is_served_during(&start, &frame(0x00, b"")).await);
}
