//! Handshakes that come in one piece, which hyper does not read, are answered as those that it reads.

use muster_testkit::{
    TestNode,
    http::{head_of_answer, raw},
    token::{NEVER, SECRET, token},
    wait::soon,
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

/// A request that is no handshake. What follows it on its connection is read by hyper.
const BEFORE: &str = "OPTIONS /ws HTTP/1.1\r\nHost: a\r\n\r\n";

/// A handshake with these lines, after which the node is to close the connection if it is refused.
fn head(target: &str, version: &str, lines: &str) -> String {
    format!(
        "GET {target} HTTP/{version}\r\n{lines}Connection: Upgrade, close\r\nUpgrade: websocket\r\n\
         Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
    )
}

/// All that the node answers to these bytes, without the date, until it closes the connection.
async fn answer(node: &TestNode, bytes: &[u8]) -> String {
    let answer = raw(node.address, bytes).await;
    answer.lines().filter(|line| !line.starts_with("date: ")).collect::<Vec<_>>().join("\n")
}

#[tokio::test]
async fn whatever_is_wrong_with_a_handshake_is_answered_alike_in_one_piece_and_later_on_a_connection() {
    let node = TestNode::start(&["--secret", SECRET, "--refusals-per-address", "1000000"]).await;
    let good = format!("Host: a\r\nAuthorization: Bearer {}\r\n", token("t1", NEVER));
    let with = |lines: &str| head("/ws?terminal_id=t1", "1.1", &format!("{good}{lines}"));
    let target = |target: &str| head(target, "1.1", &good);
    let bearer =
        |token: &str| head("/ws?terminal_id=t1", "1.1", &format!("Host: a\r\nAuthorization: Bearer {token}\r\n"));
    let many = |count: usize| (0..count).map(|number| format!("X-{number}: y\r\n")).collect::<String>();
    let heads = [
        bearer("nonsense"),
        bearer(&token("t1", 1)),
        bearer(&token("t2", NEVER)),
        head("/ws?terminal_id=t1", "1.1", "Host: a\r\n"),
        head("/ws?terminal_id=t1", "1.1", ""),
        head("/ws?terminal_id=t1", "1.0", &good),
        head("/ws?terminal_id=t1", "2.0", &good),
        target("/ws?terminal_id=t%0a1"),
        target("/ws?terminal_id=t1&token=x"),
        target("/ws/?terminal_id=t1&terminal_id=t2"),
        target("/nowhere"),
        target("http://a/ws?terminal_id=t1&key=x"),
        target("/ws?terminal_id=t2#\u{e9}"),
        target("ws"),
        target("/w s"),
        with("Host: b\r\n"),
        with("Content-Length: 5\r\n"),
        with("Content-Length: x\r\n"),
        with("Transfer-Encoding: chunked\r\n"),
        with("Transfer-Encoding: gzip\r\n"),
        with("Content-Length: 5\r\nTransfer-Encoding: chunked\r\n"),
        with("Expect: 100-continue\r\nSec-WebSocket-Version: 8\r\n"),
        with("Origin: a\r\nOrigin: b\r\n"),
        with("Sec-WebSocket-Protocol: mqtt\r\n"),
        with("Sec-WebSocket-Protocol: muster.v1, muster.bearer.x\r\n"),
        with("Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"),
        with(" folded: x\r\n"),
        with("no colon\r\n"),
        with("X-Space : y\r\n"),
        with("X-Nul: a\0b\r\n"),
        with("X-\u{e9}: y\r\n"),
        with(&format!("Sec-WebSocket-Protocol: \u{e9}\r\n{}", many(30))).replace("Version: 13", "Version: 12"),
        with(&many(60)).replace("Version: 13", "Version: 12"),
        with(&many(120)),
        with(&format!("X-Long: {}\r\n", "y".repeat(6_000))).replace("Version: 13", "Version: 12"),
        with("X-Edge: a/1/1\r\nX-Edge-Refused: 1\r\nSec-WebSocket-Protocol: mqtt\r\n"),
        with("X-Edge: a/1/1\r\n"),
        with("Sec-WebSocket-Protocol: mqtt\r\n").replace("\r\n", "\n"),
        format!("\r\n\r\n{}", with("Sec-WebSocket-Protocol: mqtt\r\n")),
        with("").replace("GET ", "get "),
        with("").replace("GET ", "POST "),
        with("").replace("Upgrade: websocket\r\n", ""),
    ];
    let before = answer(&node, BEFORE.replace("\r\n\r\n", "\r\nConnection: close\r\n\r\n").as_bytes()).await;
    let before = before.replace("connection: close\n", "");
    for head in heads {
        let first = answer(&node, head.as_bytes()).await;
        let later = answer(&node, format!("{BEFORE}{head}").as_bytes()).await;
        let later = later.strip_prefix(&before).unwrap_or_else(|| panic!("{before}\n{later}"));
        assert_eq!(first.trim(), later.trim(), "{head}");
        assert!(first.starts_with("HTTP/1."), "{head}");
    }
    node.stop().await;
}

#[tokio::test]
async fn a_handshake_is_accepted_alike_in_one_piece_and_in_several() {
    let node = TestNode::start(&["--insecure", "--plain-heartbeat", "x=x"]).await;
    let line = "GET /ws?terminal_id=t1 HTTP/1.1\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n\
                Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Protocol: muster.plain\r\n";
    let accepted = head_of_answer(node.address, line).await;
    assert!(accepted.starts_with("HTTP/1.1 101 "), "{accepted}");
    // A heartbeat, with a mask of zeros, which follows at once.
    let bytes = [line.as_bytes(), b"Host: a\r\n\r\n\x81\x81\0\0\0\0x"].concat();
    for pieces in [vec![&bytes[..]], bytes.chunks(1).collect(), bytes.chunks(100).collect()] {
        let mut stream = TcpStream::connect(node.address).await.unwrap();
        stream.set_nodelay(true).unwrap();
        for piece in &pieces {
            stream.write_all(piece).await.unwrap();
            tokio::task::yield_now().await;
        }
        let mut answer = vec![0; accepted.len() + 3];
        soon(stream.read_exact(&mut answer)).await.unwrap();
        assert_eq!(String::from_utf8_lossy(&answer), format!("{accepted}{}", "\u{fffd}\u{1}x"), "{}", pieces.len());
    }
    node.stop().await;
}

#[tokio::test]
async fn a_connection_on_which_no_whole_head_comes_is_closed_in_time() {
    let node = TestNode::start(&["--insecure", "--header-timeout", "300ms"]).await;
    for begun in ["", "G", "GET /ws?terminal_id=t1 HTTP/1.1\r\nHost: a\r\n"] {
        let mut stream = TcpStream::connect(node.address).await.unwrap();
        stream.write_all(begun.as_bytes()).await.unwrap();
        let mut rest = Vec::new();
        let _ = soon(stream.read_to_end(&mut rest)).await;
        assert!(!rest.starts_with(b"HTTP/1.1 101"), "{begun}");
    }
    node.stop().await;
}
