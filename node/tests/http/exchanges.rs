//! Connections that are held open and left alone, by clients that do not ask or do not read.

use muster_testkit::{
    TestNode,
    http::{get, handshake, head_of_answer},
    wait::soon,
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

#[tokio::test]
async fn an_answer_that_is_not_read_is_given_up_and_its_connection_closed() {
    let node = TestNode::start(&["--insecure", "--answer-timeout", "300ms"]).await;
    let requests = "GET /metrics HTTP/1.1\r\nHost: a\r\n\r\n".repeat(100);
    let mut streams = Vec::new();
    for _ in 0..5 {
        streams.push(TcpStream::connect(node.address).await.unwrap());
    }
    for stream in &mut streams {
        // What was sent and not read comes back as an error when the node closes the connection.
        let closed = async { while stream.write_all(requests.as_bytes()).await.is_ok() {} };
        soon(closed).await;
    }
    assert_eq!(get(node.address, "/livez").await.0, 200);
    node.stop().await;
}

#[tokio::test]
async fn a_stream_of_events_that_has_nothing_to_send_is_not_cut_by_the_limit_of_answers() {
    let node = TestNode::start(&["--insecure", "--answer-timeout", "50ms"]).await;
    let mut stream = TcpStream::connect(node.address).await.unwrap();
    stream.write_all(b"GET /v1/events HTTP/1.1\r\nHost: a\r\n\r\n").await.unwrap();
    let _terminal = node.terminal("t1", muster_protocol::api::Protocol::Plain, &[]).await;
    let mut text = String::new();
    let heard = async {
        while !text.contains("terminal.online") {
            let mut buffer = [0; 4096];
            let count = stream.read(&mut buffer).await.unwrap();
            assert!(count > 0, "the stream ended: {text}");
            text.push_str(&String::from_utf8_lossy(&buffer[..count]));
        }
    };
    soon(heard).await;
    assert!(text.contains("x-accel-buffering: no") && text.contains("connection: close"), "{text}");
    node.stop().await;
}

#[tokio::test]
async fn connections_that_are_left_alone_give_way_so_that_a_handshake_is_always_heard() {
    let flags = ["--insecure", "--header-timeout", "60s", "--max-http-connections", "16"];
    let node = TestNode::start(&flags).await;
    let mut silent = Vec::new();
    for _ in 0..100 {
        silent.push(TcpStream::connect(node.address).await.unwrap());
    }
    let head = head_of_answer(node.address, &handshake("?terminal_id=t1", "")).await;
    assert!(head.starts_with("HTTP/1.1 101 "), "{head}");
    assert_eq!(get(node.address, "/v1/fleet").await.0, 200);
    for stream in &mut silent[..80] {
        let read = soon(stream.read(&mut [0; 1])).await;
        assert!(matches!(read, Ok(0) | Err(_)), "{read:?}");
    }
    node.stop().await;
}
