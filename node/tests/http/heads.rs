//! The bounds of the heads of a connection: how large each may be, and how long it may take.

use std::time::Duration;

use muster_testkit::{TestNode, http::raw, wait::soon};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    time::sleep,
};

const HEAD_MAX: usize = 16 * 1024;
const LAST: &str = "GET /livez HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n";

/// A request whose head has so many bytes, and whose answer has no body.
fn head_of(bytes: usize) -> String {
    let (begin, end) = ("HEAD /livez HTTP/1.1\r\nHost: a\r\nX-Long: ", "\r\n\r\n");
    format!("{begin}{}{end}", "x".repeat(bytes - begin.len() - end.len()))
}

/// The statuses of all answers.
fn statuses(answers: &str) -> Vec<&str> {
    answers.lines().filter_map(|line| line.strip_prefix("HTTP/1.1 ")?.split(' ').next()).collect()
}

/// A new connection to the node.
async fn connect(node: &TestNode) -> TcpStream {
    let stream = TcpStream::connect(node.address).await.unwrap();
    stream.set_nodelay(true).unwrap();
    stream
}

/// The head of the next answer. Empty if the node closes the connection before.
async fn head_of_next(stream: &mut TcpStream) -> String {
    let mut head = Vec::new();
    let read = async {
        while !head.ends_with(b"\r\n\r\n") {
            let Ok(byte) = stream.read_u8().await else { return head.clear() };
            head.push(byte);
        }
    };
    soon(read).await;
    String::from_utf8(head).unwrap()
}

#[tokio::test]
async fn each_head_of_a_connection_has_the_same_bound() {
    let node = TestNode::start(&["--insecure"]).await;
    let bounds: [(usize, &[&str]); 4] =
        [(HEAD_MAX, &["200", "200"]), (HEAD_MAX + 1, &["431"]), (20_000, &["431"]), (200_000, &["431"])];
    for before in [&[][..], &[100], &[100, 10_000], &[HEAD_MAX, 100, 100]] {
        let begin: String = before.iter().map(|bytes| head_of(*bytes)).collect();
        for (bytes, expected) in bounds {
            let answers = raw(node.address, [&*begin, &head_of(bytes), LAST].concat().as_bytes()).await;
            let all = statuses(&answers);
            let (earlier, own) = all.split_at(before.len().min(all.len()));
            assert!(earlier.iter().all(|status| *status == "200"), "{before:?}: {answers}");
            assert_eq!(own, expected, "{bytes} bytes behind {before:?}");
        }
    }
    for (bytes, expected) in [(HEAD_MAX, "200"), (20_000, "431")] {
        let mut stream = connect(&node).await;
        for earlier in [head_of(10_000), head_of(100)] {
            stream.write_all(earlier.as_bytes()).await.unwrap();
            assert_eq!(statuses(&head_of_next(&mut stream).await), ["200"]);
        }
        stream.write_all(head_of(bytes).as_bytes()).await.unwrap();
        assert_eq!(statuses(&head_of_next(&mut stream).await), [expected], "{bytes} bytes after answers");
    }
    node.stop().await;
}

#[tokio::test]
async fn the_first_head_has_a_deadline_from_the_start_and_each_later_one_the_whole_limit() {
    let node = TestNode::start(&["--insecure", "--header-timeout", "3s"]).await;
    let (mut silent, mut late) = (connect(&node).await, connect(&node).await);
    // Only time brings a deadline closer: 1 s is left to the first two, 3 s to the new one.
    sleep(Duration::from_secs(2)).await;
    let mut new = connect(&node).await;
    for stream in [&mut silent, &mut late, &mut new] {
        stream.write_all(b"HEAD /livez HTTP/1.1\r\n").await.unwrap();
    }
    // The node is to see the part alone. If it reads late, it sees both parts at once, and the test asks for less without failing.
    sleep(Duration::from_millis(50)).await;
    let ends_before_the_new_one = async {
        tokio::select! {
            biased;
            _ = new.read_u8() => panic!("the connection that began later was closed first"),
            _ = silent.read_u8() => {}
        }
    };
    let is_heard_again = async {
        late.write_all(b"Host: a\r\n\r\n").await.unwrap();
        assert_eq!(statuses(&head_of_next(&mut late).await), ["200"]);
        // Longer than what the first head had left, and shorter than the whole limit.
        sleep(Duration::from_millis(1500)).await;
        late.write_all(head_of(100).as_bytes()).await.unwrap();
        assert_eq!(statuses(&head_of_next(&mut late).await), ["200"], "the limit is what the first head had left");
    };
    tokio::join!(soon(ends_before_the_new_one), is_heard_again);
    node.stop().await;
}
