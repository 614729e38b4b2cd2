//! A node that does what a test tells it, step by step, on a port of its own; and a terminal whose news can be awaited.

#![allow(clippy::result_large_err, reason = "the type that a handshake callback refuses with is tungstenite's")]

use std::time::Duration;

use futures_util::{SinkExt, StreamExt};
use muster_client::{Config, Incoming, Policy, Terminal};
use muster_protocol::{
    CommandId, Payload,
    frame::{Command, DEFAULT_MAX_MESSAGE, FromNode, FromTerminal, Welcome},
};
use tokio::{
    net::{TcpListener, TcpStream},
    sync::mpsc,
    time::timeout,
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

/// Only a broken test reaches it.
const LONG: Duration = Duration::from_secs(20);

/// Waits for what must come.
pub async fn soon<T>(what: impl Future<Output = T>) -> T {
    timeout(LONG, what).await.expect("what was awaited never came")
}

/// A scripted node.
pub struct Node {
    listener: TcpListener,
}

impl Node {
    pub async fn bind() -> Self {
        Self { listener: TcpListener::bind("127.0.0.1:0").await.unwrap() }
    }

    pub fn url(&self) -> String {
        format!("ws://{}/ws", self.listener.local_addr().unwrap())
    }

    /// Lets the next connection in, without a word; hands out its request too.
    pub async fn upgrade(&self) -> (Peer, Request) {
        let (stream, _) = soon(self.listener.accept()).await.unwrap();
        let mut seen = None;
        let agree = |request: &Request, mut response: Response| {
            seen = Some(request.clone());
            if let Some(protocol) = request.headers().get("Sec-WebSocket-Protocol") {
                response.headers_mut().insert("Sec-WebSocket-Protocol", protocol.clone());
            }
            Ok(response)
        };
        let socket = soon(accept_hdr_async(stream, agree)).await.unwrap();
        (Peer { socket }, seen.unwrap())
    }

    /// Lets the next connection in and says welcome to its hello.
    pub async fn welcome(&self) -> Peer {
        let (mut peer, _) = self.upgrade().await;
        assert!(matches!(peer.hear().await, FromTerminal::Hello(_)), "hello comes first");
        peer.say(welcome()).await;
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
pub struct Peer {
    pub socket: WebSocketStream<TcpStream>,
}

impl Peer {
    pub async fn say(&mut self, frame: FromNode) {
        self.socket.send(Message::text(frame.to_string())).await.unwrap();
    }

    pub async fn hear_message(&mut self) -> Message {
        soon(self.socket.next()).await.unwrap().unwrap()
    }

    pub async fn hear(&mut self) -> FromTerminal {
        let message = self.hear_message().await;
        FromTerminal::decode(message.to_text().unwrap()).unwrap()
    }

    pub async fn close(mut self, code: u16, reason: &'static str) {
        self.socket.close(Some(CloseFrame { code: code.into(), reason: reason.into() })).await.unwrap();
        while let Some(Ok(_)) = soon(self.socket.next()).await {}
    }
}

/// A terminal that connects at once and comes back at once, and its news.
pub fn start(config: Config) -> (Terminal, mpsc::Receiver<Incoming>) {
    let (told, news) = mpsc::channel(16);
    (Terminal::start(config, told).unwrap(), news)
}

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
