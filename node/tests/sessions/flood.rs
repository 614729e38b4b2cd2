//! A terminal that sends without end does not keep its shard from the other sessions.

use std::{
    io::{Read, Write},
    net::{Shutdown, TcpStream},
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

use muster_protocol::api::Protocol::V1;
use muster_testkit::{TestNode, http::request, wait::until};
use tokio::time;

use crate::raw::{frame, upgrade};

/// How long a flood lasts. Without a budget, the shard serves nobody else for as long.
const FLOOD: Duration = Duration::from_secs(15);
/// The flood is on when this many bytes were written: whenever the shard looks, the socket has more than a read takes.
/// The buffers of a connection hold more, so they are written even if the node reads none.
const ON: usize = 1024 * 1024;
/// Another terminal connects and is sent a command within this time; it takes some milliseconds.
const SERVED: Duration = Duration::from_secs(5);

/// Writes the same frames for [`FLOOD`] or until the connection breaks, and reads what comes back.
struct Flood {
    stream: TcpStream,
    /// The number of bytes written.
    written: Arc<AtomicUsize>,
    writer: thread::JoinHandle<()>,
}

impl Flood {
    fn start(node: &TestNode, before: &[u8], frames: &[u8]) -> Self {
        let stream = upgrade(node.address, "flood", "muster.v1");
        let (mut writer, mut reader) = (stream.try_clone().unwrap(), stream.try_clone().unwrap());
        let (before, frames) = (before.to_vec(), frames.repeat(64 * 1024 / frames.len()));
        let end = Instant::now() + FLOOD;
        // The node may stop reading for as long as it likes.
        writer.set_write_timeout(Some(FLOOD)).unwrap();
        let written = Arc::<AtomicUsize>::default();
        let counter = written.clone();
        let write = thread::spawn(move || {
            let _ = writer.write_all(&before);
            while Instant::now() < end && writer.write_all(&frames).is_ok() {
                counter.fetch_add(frames.len(), Ordering::Relaxed);
            }
        });
        thread::spawn(move || {
            let mut buffer = vec![0; 64 * 1024];
            while reader.read(&mut buffer).is_ok_and(|count| count > 0) {}
        });
        Self { stream, written, writer: write }
    }

    /// Waits until the flood is on, or has ended already.
    async fn is_on(&self) {
        until("the flood is on", async || self.written.load(Ordering::Relaxed) >= ON || !self.lasts()).await;
    }

    /// Whether it still writes, or waits until it can.
    fn lasts(&self) -> bool {
        !self.writer.is_finished()
    }
}

impl Drop for Flood {
    fn drop(&mut self) {
        let _ = self.stream.shutdown(Shutdown::Both);
    }
}

/// Starts a flood of `frames` after `before`, and has another terminal connect and be sent a command during it.
async fn another_is_served_during(before: &[u8], frames: &[u8]) -> (TestNode, Flood) {
    let node = TestNode::start(&["--insecure", "--hello-timeout", "60s"]).await;
    let flood = Flood::start(&node, before, frames);
    flood.is_on().await;
    let served = time::timeout(SERVED, async {
        let mut other = node.terminal("other", V1, &[]).await;
        assert_eq!(node.command(r#"{"terminal":"other"}"#, "1").await.0, 202);
        assert_eq!(other.payload().await, "1");
    });
    assert!(served.await.is_ok(), "nobody else was served within {SERVED:?}");
    (node, flood)
}

/// A flood of these frames lasts for as long as another terminal takes to be served.
async fn is_taken_beside_others(before: &[u8], frames: &[u8]) {
    let (node, flood) = another_is_served_during(before, frames).await;
    assert!(flood.lasts(), "the session has ended");
    until("operators see the flood", async || pauses(&node).await > 0).await;
    drop(flood);
    node.stop().await;
}

/// How often the node has paused in reading a session.
async fn pauses(node: &TestNode) -> u64 {
    let (_, _, metrics) = request(node.address, "GET /metrics HTTP/1.1\r\n").await;
    let pauses = metrics.lines().find_map(|line| line.strip_prefix("muster_reads_paused_total "));
    pauses.expect("the metric is there").parse().unwrap()
}

fn hello() -> Vec<u8> {
    frame(0x81, br#"{"type":"hello"}"#)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn pings_before_the_hello_do_not_hold_the_shard() {
    is_taken_beside_others(b"", &frame(0x89, b"p")).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn pings_do_not_hold_the_shard() {
    is_taken_beside_others(&hello(), &frame(0x89, b"p")).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn pongs_do_not_hold_the_shard() {
    is_taken_beside_others(&hello(), &frame(0x8a, b"")).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn messages_do_not_hold_the_shard() {
    is_taken_beside_others(&hello(), &frame(0x81, br#"{"type":"event","name":"e"}"#)).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn fragments_that_never_end_do_not_hold_the_shard_and_end_the_session() {
    let start = [hello(), frame(0x01, b"")].concat();
    let (node, flood) = another_is_served_during(&start, &frame(0x00, b"")).await;
    time::timeout(SERVED, until("the session ends", async || !flood.lasts())).await.expect("it ends in time");
    node.stop().await;
}
