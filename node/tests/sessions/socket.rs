//! A terminal's WebSocket, without a client library that hides what comes.

use futures_util::{SinkExt, StreamExt};
use muster_testkit::{
    TestNode,
    http::get,
    wait::{soon, until},
};
use tokio::net::TcpStream;
use tokio_tungstenite::{
    MaybeTlsStream, WebSocketStream, connect_async,
    tungstenite::{Message, client::IntoClientRequest},
};

pub const V1: &str = "muster.v1";

pub type TestSocket = WebSocketStream<MaybeTlsStream<TcpStream>>;

/// Connects t1 with this subprotocol, says hello in `muster.v1`, and waits until the registry shows it as online.
pub async fn session(node: &TestNode, protocol: Option<&'static str>) -> TestSocket {
    session_with(node, protocol, r#"{"type":"hello"}"#).await
}

/// The same with this hello.
pub async fn session_with(node: &TestNode, protocol: Option<&'static str>, hello: &str) -> TestSocket {
    let mut request = format!("ws://{}/ws?terminal_id=t1", node.address).into_client_request().unwrap();
    if let Some(protocol) = protocol {
        request.headers_mut().insert("Sec-WebSocket-Protocol", protocol.parse().unwrap());
    }
    let (mut socket, _) = connect_async(request).await.unwrap();
    if protocol.is_some() {
        socket.send(Message::text(hello)).await.unwrap();
    }
    is_shown_as(node, "online").await;
    socket
}

/// Waits until the registry shows t1 with this status.
pub async fn is_shown_as(node: &TestNode, status: &str) {
    until(status, async || get(node.address, "/v1/terminals/t1").await.1["status"] == status).await;
}

/// The next message.
pub async fn next(socket: &mut TestSocket) -> Message {
    soon(socket.next()).await.unwrap().unwrap()
}

/// The code and the reason that the session is closed with.
pub async fn close_of(socket: &mut TestSocket) -> (u16, String) {
    loop {
        if let Message::Close(frame) = next(socket).await {
            let frame = frame.unwrap();
            return (frame.code.into(), frame.reason.to_string());
        }
    }
}
