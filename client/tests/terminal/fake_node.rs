//! A fake node on a free port, and a terminal whose reports can be awaited.

#![allow(clippy::result_large_err, reason = "tungstenite defines the error type of a handshake callback")]

use std::{net::SocketAddr, time::Duration};

use futures_util::{SinkExt, StreamExt};
use muster_client::{Config, Incoming, Policy, Terminal};
use muster_protocol::{
    CommandId, Payload,
    frame::{Command, DEFAULT_MAX_MESSAGE, FromNode, FromTerminal, Welcome},
};
use muster_testkit::wait::soon;
use tokio::{
    net::{TcpListener, TcpStream},
    sync::mpsc,
};
use tokio_tungstenite::{
    WebSocketStream, accept_hdr_async,
    tungstenite::{
        Message,
        handshake::server::{ErrorResponse, Request, Response},
        http::{HeaderValue, StatusCode},
        protocol::CloseFrame,
    },
};

/// A node that accepts one connection at a time.
pub struct FakeNode {
    listener: TcpListener,
}

impl FakeNode {
    pub async fn bind() -> Self {
        Self { listener: TcpListener::bind("127.0.0.1:0").await.unwrap() }
    }

    pub fn url(&self) -> String {
        format!("ws://{}/ws", self.address())
    }

    pub fn address(&self) -> SocketAddr {
        self.listener.local_addr().unwrap()
    }

    /// Accepts the next connection and sends nothing. Returns its handshake request too.
    pub async fn upgrade(&self) -> (FakeSession, Request) {
        let (stream, _) = soon(self.listener.accept()).await.unwrap();
        let mut received = None;
        let agree = |request: &Request, mut response: Response| {
            received = Some(request.clone());
            if let Some(protocol) = request.headers().get("Sec-WebSocket-Protocol") {
                response.headers_mut().insert("Sec-WebSocket-Protocol", protocol.clone());
            }
            Ok(response)
        };
        let socket = soon(accept_hdr_async(stream, agree)).await.unwrap();
        (FakeSession { socket }, received.unwrap())
    }

    /// Accepts the next connection and answers its hello with a welcome.
    pub async fn welcome(&self) -> FakeSession {
        let (mut peer, _) = self.upgrade().await;
        assert!(matches!(peer.receive().await, FromTerminal::Hello(_)), "the first frame is not a hello");
        peer.send(welcome()).await;
        peer
    }

    /// Answers the next handshake with an HTTP status.
    pub async fn refuse(&self, status: u16, retry_after: Option<&'static str>) {
        let (stream, _) = soon(self.listener.accept()).await.unwrap();
        let refuse = |_: &Request, _: Response| {
            let mut refusal = ErrorResponse::new(None);
            *refusal.status_mut() = StatusCode::from_u16(status).unwrap();
            if let Some(seconds) = retry_after {
                refusal.headers_mut().insert("Retry-After", HeaderValue::from_static(seconds));
            }
            Err(refusal)
        };
        assert!(soon(accept_hdr_async(stream, refuse)).await.is_err());
    }
}

/// The node's side of a session.
pub struct FakeSession {
    pub socket: WebSocketStream<TcpStream>,
}

impl FakeSession {
    pub async fn send(&mut self, frame: FromNode) {
        self.socket.send(Message::text(frame.to_string())).await.unwrap();
    }

    pub async fn receive_message(&mut self) -> Message {
        soon(self.socket.next()).await.unwrap().unwrap()
    }

    pub async fn receive(&mut self) -> FromTerminal {
        let message = self.receive_message().await;
        FromTerminal::decode(message.to_text().unwrap()).unwrap()
    }

    pub async fn close(mut self, code: u16, reason: &'static str) {
        self.socket.close(Some(CloseFrame { code: code.into(), reason: reason.into() })).await.unwrap();
        while let Some(Ok(_)) = soon(self.socket.next()).await {}
    }
}

/// Starts a terminal, and returns its reports too.
pub fn start(config: Config) -> (Terminal, mpsc::Receiver<Incoming>) {
    let (sender, reports) = mpsc::channel(16);
    (Terminal::start(config, sender).unwrap(), reports)
}

/// The configuration of a terminal that reconnects without a delay.
pub fn config(urls: impl IntoIterator<Item = String>) -> Config {
    let policy = Policy { first: Duration::ZERO, ..Policy::default() };
    Config { policy, seed: 1, ..Config::new(urls, "t1".parse().unwrap()) }
}

pub fn welcome() -> FromNode {
    FromNode::Welcome(Welcome {
        session: "0190163d-8694-739b-aea5-966c26f8ad91".parse().unwrap(),
        node: "n1".parse().unwrap(),
        time: "2030-01-01T00:00:00Z".parse().unwrap(),
        ping_ms: 0,
        max_message: DEFAULT_MAX_MESSAGE,
        resumed: false,
        cursor: None,
    })
}

pub fn id(n: u8) -> CommandId {
    format!("0190163d-8694-739b-aea5-0000000000{n:02x}").parse().unwrap()
}

pub fn command(n: u8, cursor: Option<&str>) -> Command {
    Command {
        id: id(n),
        name: "show".to_owned(),
        payload: Payload::from_text("hi"),
        expires_at: "2030-01-01T01:00:00Z".parse().unwrap(),
        cursor: cursor.map(str::to_owned),
        stagger_ms: None,
    }
}
