//! HTTP requests to a node, one connection each, as text: with a library a test could not send what is wrong.

use std::{net::SocketAddr, time::Duration};

use serde_json::Value;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    time,
};

use crate::wait::soon;

/// The stream of events is taken to be at its end when nothing came for this long. A node looks for new events every
/// 200 ms.
const QUIET: Duration = Duration::from_millis(500);

/// `GET path`: the status, and the body as JSON, which is null if the body is not JSON.
pub async fn get(address: SocketAddr, path: &str) -> (u16, Value) {
    let (status, _, body) = request(address, &format!("GET {path} HTTP/1.1\r\n")).await;
    (status, serde_json::from_str(&body).unwrap_or(Value::Null))
}

/// `POST path` with this body: the status, and the answer's body as JSON, which is null if it is not JSON.
pub async fn post(address: SocketAddr, path: &str, body: &str) -> (u16, Value) {
    let head = format!("POST {path} HTTP/1.1\r\nContent-Length: {}\r\n", body.len());
    let (status, _, body) = exchange(address, &head, body).await;
    (status, serde_json::from_str(&body).unwrap_or(Value::Null))
}

/// A request without a body: the status, head and body of the answer. See [`exchange`].
pub async fn request(address: SocketAddr, head: &str) -> (u16, String, String) {
    exchange(address, head, "").await
}

/// A request whose head is the request line and headers, each ending in `\r\n`: the status, head and body of the
/// answer. `Host` is added, and `Connection: close` unless the head has a `Connection` header.
///
/// # Panics
/// If no complete answer arrives within [`PATIENCE`](crate::wait::PATIENCE).
pub async fn exchange(address: SocketAddr, head: &str, body: &str) -> (u16, String, String) {
    let mut stream = TcpStream::connect(address).await.unwrap();
    let close = if head.to_ascii_lowercase().contains("connection:") { "" } else { "Connection: close\r\n" };
    stream.write_all(format!("{head}Host: test\r\n{close}\r\n{body}").as_bytes()).await.unwrap();
    let mut bytes = Vec::new();
    let _ = soon(stream.read_to_end(&mut bytes)).await;
    let text = String::from_utf8_lossy(&bytes).into_owned();
    let (head, body) = text.split_once("\r\n\r\n").expect("an HTTP answer");
    let status = head.split(' ').nth(1).and_then(|status| status.parse().ok()).expect("a status line");
    (status, head.to_owned(), body.to_owned())
}

/// The head of the answer to such a request, for an answer after which the connection stays open, as after an upgrade.
///
/// # Panics
/// If no complete head arrives within [`PATIENCE`](crate::wait::PATIENCE).
pub async fn head_of_answer(address: SocketAddr, head: &str) -> String {
    let mut stream = TcpStream::connect(address).await.unwrap();
    stream.write_all(format!("{head}Host: test\r\n\r\n").as_bytes()).await.unwrap();
    let mut bytes = Vec::new();
    let read = async {
        while !bytes.ends_with(b"\r\n\r\n") {
            bytes.push(stream.read_u8().await.expect("the node answers"));
        }
    };
    soon(read).await;
    String::from_utf8(bytes).expect("a head is text")
}

/// The request line and headers of a WebSocket handshake with this query and these further headers, each ending in
/// `\r\n`. A node that refuses it closes the connection.
pub fn handshake(query: &str, headers: &str) -> String {
    format!(
        "GET /ws{query} HTTP/1.1\r\nUpgrade: websocket\r\nConnection: Upgrade, close\r\nSec-WebSocket-Version: 13\r\n\
         Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n{headers}"
    )
}

/// The node to which a proxy is told to send such a handshake.
///
/// # Panics
/// If the answer is not a redirect to a node.
pub async fn placement(address: SocketAddr, query: &str, headers: &str) -> String {
    let (status, head, _) = request(address, &handshake(query, &format!("X-Edge: host/7/1\r\n{headers}"))).await;
    assert_eq!(status, 200, "{head}");
    let to = head.lines().find_map(|line| line.strip_prefix("x-accel-redirect: /_node/"));
    to.expect("a redirect").to_owned()
}

/// The stream of all events, from the first that is stored to the newest.
pub async fn events(address: SocketAddr) -> String {
    events_at(address, "/v1/events").await
}

/// The same of those events that the stream at this path has.
pub async fn events_at(address: SocketAddr, path: &str) -> String {
    let mut stream = TcpStream::connect(address).await.unwrap();
    let head = format!("GET {path} HTTP/1.1\r\nHost: test\r\nLast-Event-ID: 0-0\r\n\r\n");
    stream.write_all(head.as_bytes()).await.unwrap();
    let (mut text, mut buffer) = (Vec::new(), [0; 4096]);
    while let Ok(Ok(count @ 1..)) = time::timeout(QUIET, stream.read(&mut buffer)).await {
        text.extend_from_slice(&buffer[..count]);
    }
    String::from_utf8_lossy(&text).into_owned()
}

/// Sends these bytes as they are, and returns all that the node answers until it closes the connection.
///
/// # Panics
/// If the connection is not closed within [`PATIENCE`](crate::wait::PATIENCE).
pub async fn raw(address: SocketAddr, bytes: &[u8]) -> String {
    let stream = TcpStream::connect(address).await.unwrap();
    let (mut reader, mut writer) = stream.into_split();
    let mut answer = Vec::new();
    // The node may stop reading before it has all, so both go on together.
    let (_, _) = tokio::join!(writer.write_all(bytes), soon(reader.read_to_end(&mut answer)));
    String::from_utf8_lossy(&answer).into_owned()
}
