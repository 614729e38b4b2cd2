//! Opens a session: TCP connection, WebSocket handshake, hello and welcome, all under one deadline.

use std::{io, time::Duration};

use futures_util::{SinkExt, StreamExt};
use muster_net::source::socket;
use muster_protocol::{
    api::Protocol,
    frame::{FromNode, FromTerminal, Hello, V1, Welcome},
};
use tokio::{
    net::{TcpStream, lookup_host},
    time::timeout,
};
use tokio_tungstenite::{
    WebSocketStream, client_async_with_config,
    tungstenite::{
        ClientRequestBuilder, Error, Message,
        http::{Response, header::RETRY_AFTER},
        protocol::{CloseFrame, WebSocketConfig},
    },
};

use crate::{Config, ConnectionEnd, Token, endpoint::Endpoint};

/// A terminal's WebSocket.
pub(crate) type WebSocket = WebSocketStream<TcpStream>;

/// The largest message in either direction, in bytes. A larger one that a node sends ends the session.
pub(crate) const MAX_MESSAGE: usize = 1 << 20;

/// The limits of the WebSocket layer. Its defaults suit a few busy connections: a read buffer of 128 KiB, messages of
/// 64 MiB, no bound on what waits to be written. A process here can hold thousands of connections, most of them idle.
fn limits() -> WebSocketConfig {
    WebSocketConfig::default()
        .read_buffer_size(4 << 10)
        .write_buffer_size(0)
        .max_write_buffer_size(MAX_MESSAGE + (4 << 10))
        .max_message_size(Some(MAX_MESSAGE))
        .max_frame_size(Some(MAX_MESSAGE))
}

/// A session that a node has accepted.
pub(crate) struct Opened {
    pub(crate) socket: WebSocket,
    /// `None` in plain mode.
    pub(crate) welcome: Option<Box<Welcome>>,
}

/// Opens a session at this endpoint with this token, which resumes from this cursor.
pub(crate) async fn dial(
    config: &Config,
    endpoint: &Endpoint,
    token: Option<&Token>,
    cursor: Option<String>,
) -> Result<Opened, ConnectionEnd> {
    let opening = async {
        let mut socket = upgrade(config, endpoint, token).await?;
        let welcome = match config.protocol {
            Protocol::V1 => Some(Box::new(say_hello(&mut socket, hello(config, cursor)).await?)),
            Protocol::Plain => None,
        };
        Ok(Opened { socket, welcome })
    };
    timeout(config.deadline, opening).await.unwrap_or(Err(ConnectionEnd::NoWelcome))
}

async fn upgrade(config: &Config, endpoint: &Endpoint, token: Option<&Token>) -> Result<WebSocket, ConnectionEnd> {
    let stream = connect(config, endpoint).await.map_err(ConnectionEnd::lost)?;
    // Each frame is one write, so there is nothing to gather: Nagle's algorithm would only delay it.
    stream.set_nodelay(true).map_err(ConnectionEnd::lost)?;
    let (socket, _) =
        client_async_with_config(request(config, endpoint, token), stream, Some(limits())).await.map_err(refused)?;
    Ok(socket)
}

/// Connects to the first of the host's addresses that accepts.
async fn connect(config: &Config, endpoint: &Endpoint) -> io::Result<TcpStream> {
    let mut failure = io::Error::new(io::ErrorKind::NotFound, "the host has no address");
    for address in lookup_host(&endpoint.address).await? {
        match socket(address, config.source)?.connect(address).await {
            Ok(stream) => return Ok(stream),
            Err(error) => failure = error,
        }
    }
    Err(failure)
}

fn request(config: &Config, endpoint: &Endpoint, token: Option<&Token>) -> ClientRequestBuilder {
    let mut request = ClientRequestBuilder::new(endpoint.uri.clone());
    if let Some(token) = token {
        request = request.with_header("Authorization", token.authorization());
    }
    if config.protocol == Protocol::V1 {
        request = request.with_sub_protocol(V1);
    }
    request
}

pub(crate) fn hello(config: &Config, cursor: Option<String>) -> FromTerminal {
    FromTerminal::Hello(Hello {
        sdk: config.sdk.clone(),
        labels: config.labels.clone(),
        resume: cursor,
        will: config.will.clone(),
    })
}

/// Sends the hello and waits for the welcome, which is the first frame of a node unless it says goodbye.
async fn say_hello(socket: &mut WebSocket, hello: FromTerminal) -> Result<Welcome, ConnectionEnd> {
    socket.send(Message::text(hello.to_string())).await.map_err(ConnectionEnd::lost)?;
    let mut hint = None;
    loop {
        match socket.next().await {
            Some(Ok(Message::Text(text))) => match FromNode::decode(&text).map_err(ConnectionEnd::lost)? {
                FromNode::Welcome(welcome) => return Ok(welcome),
                FromNode::Goodbye(goodbye) => hint = goodbye.retry_ms.map(Duration::from_millis),
                _ => return Err(ConnectionEnd::lost("the node's first frame is not a welcome")),
            },
            Some(Ok(Message::Close(frame))) => return Err(closed(frame, hint)),
            Some(Ok(_)) => {}
            Some(Err(error)) => return Err(ConnectionEnd::lost(error)),
            None => return Err(ConnectionEnd::lost("the connection ended without a close")),
        }
    }
}

/// The end that a close frame makes; `hint` is that of the goodbye before it.
pub(crate) fn closed(frame: Option<CloseFrame>, hint: Option<Duration>) -> ConnectionEnd {
    match frame {
        Some(frame) => ConnectionEnd::closed(frame.code.into(), &frame.reason, hint),
        None => ConnectionEnd::closed(1005, "", hint),
    }
}

fn refused(error: Error) -> ConnectionEnd {
    match error {
        Error::Http(response) => {
            ConnectionEnd::Refused { status: response.status().as_u16(), hint: retry_after(&response) }
        }
        other => ConnectionEnd::lost(other),
    }
}

/// The `Retry-After` header in seconds. Its other form, a date, is ignored: it would need the node's clock.
fn retry_after<B>(response: &Response<B>) -> Option<Duration> {
    response.headers().get(RETRY_AFTER)?.to_str().ok()?.trim().parse().ok().map(Duration::from_secs)
}
