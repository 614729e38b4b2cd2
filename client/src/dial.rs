//! Opens a session: TCP, WebSocket handshake, hello, welcome, all under one deadline. Called by the life. What comes out is
//! ready for commands; nothing else ever is.

use std::{io, net::SocketAddr, time::Duration};

use futures_util::{SinkExt, StreamExt};
use muster_protocol::{
    api::Protocol,
    frame::{FromNode, FromTerminal, Hello, V1, Welcome},
};
use tokio::{
    net::{TcpSocket, TcpStream, lookup_host},
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

use crate::{Config, End, endpoint::Endpoint};

/// A terminal's WebSocket.
pub(crate) type Socket = WebSocketStream<TcpStream>;

/// The largest message in either direction, in bytes. A larger one that a node sends ends the session.
pub(crate) const MAX_MESSAGE: usize = 1 << 20;

/// Every limit of the WebSocket layer. Its defaults are made for a few busy connections (128 KiB to read into, 64 MiB
/// messages, no bound on what waits to be written); here are thousands in one process, mostly at rest.
fn limits() -> WebSocketConfig {
    WebSocketConfig::default()
        .read_buffer_size(4 << 10)
        .write_buffer_size(0)
        .max_write_buffer_size(MAX_MESSAGE + (4 << 10))
        .max_message_size(Some(MAX_MESSAGE))
        .max_frame_size(Some(MAX_MESSAGE))
}

/// A session that a node has agreed to.
pub(crate) struct Opened {
    pub(crate) socket: Socket,
    /// `None` in plain mode.
    pub(crate) welcome: Option<Box<Welcome>>,
}

/// Opens a session at this endpoint, going on from this cursor.
pub(crate) async fn dial(config: &Config, endpoint: &Endpoint, cursor: Option<String>) -> Result<Opened, End> {
    let opening = async {
        let mut socket = upgrade(config, endpoint).await?;
        let welcome = match config.protocol {
            Protocol::V1 => Some(Box::new(greet(&mut socket, hello(config, cursor)).await?)),
            Protocol::Plain => None,
        };
        Ok(Opened { socket, welcome })
    };
    timeout(config.deadline, opening).await.unwrap_or(Err(End::NoWelcome))
}

async fn upgrade(config: &Config, endpoint: &Endpoint) -> Result<Socket, End> {
    let stream = connect(config, endpoint).await.map_err(End::lost)?;
    // A frame is one write: holding a small one back would only delay it.
    stream.set_nodelay(true).map_err(End::lost)?;
    let (socket, _) =
        client_async_with_config(request(config, endpoint), stream, Some(limits())).await.map_err(refused)?;
    Ok(socket)
}

/// The first of the host's addresses that answers.
async fn connect(config: &Config, endpoint: &Endpoint) -> io::Result<TcpStream> {
    let mut failure = io::Error::new(io::ErrorKind::NotFound, "the host has no address");
    for address in lookup_host(&endpoint.address).await? {
        match unconnected(config, address)?.connect(address).await {
            Ok(stream) => return Ok(stream),
            Err(error) => failure = error,
        }
    }
    Err(failure)
}

fn unconnected(config: &Config, address: SocketAddr) -> io::Result<TcpSocket> {
    let socket = if address.is_ipv4() { TcpSocket::new_v4()? } else { TcpSocket::new_v6()? };
    if let Some(source) = config.source {
        // Or else the kernel takes a port at the bind, which no other connection from this address can share.
        #[cfg(target_os = "linux")]
        nix::sys::socket::setsockopt(&socket, nix::sys::socket::sockopt::IpBindAddressNoPort, &true)?;
        socket.bind((source, 0).into())?;
    }
    Ok(socket)
}

fn request(config: &Config, endpoint: &Endpoint) -> ClientRequestBuilder {
    let mut request = ClientRequestBuilder::new(endpoint.uri.clone());
    if let Some(token) = &config.token {
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

/// Says hello and waits for the welcome, which a node says before anything else.
async fn greet(socket: &mut Socket, hello: FromTerminal) -> Result<Welcome, End> {
    socket.send(Message::text(hello.to_string())).await.map_err(End::lost)?;
    let mut hint = None;
    loop {
        match socket.next().await {
            Some(Ok(Message::Text(text))) => match FromNode::decode(&text).map_err(End::lost)? {
                FromNode::Welcome(welcome) => return Ok(welcome),
                FromNode::Goodbye(goodbye) => hint = goodbye.retry_ms.map(Duration::from_millis),
                _ => return Err(End::lost("the node's first frame was no welcome")),
            },
            Some(Ok(Message::Close(frame))) => return Err(closed(frame, hint)),
            Some(Ok(_)) => {}
            Some(Err(error)) => return Err(End::lost(error)),
            None => return Err(End::lost("the connection ended without a close")),
        }
    }
}

/// The end that a close frame makes, after a goodbye with this hint.
pub(crate) fn closed(frame: Option<CloseFrame>, hint: Option<Duration>) -> End {
    match frame {
        Some(frame) => End::closed(frame.code.into(), &frame.reason, hint),
        None => End::closed(1005, "", hint),
    }
}

fn refused(error: Error) -> End {
    match error {
        Error::Http(response) => End::Refused { status: response.status().as_u16(), hint: retry_after(&response) },
        other => End::lost(other),
    }
}

/// `Retry-After` in seconds. Its other form, a date, would need the node's clock.
fn retry_after<B>(response: &Response<B>) -> Option<Duration> {
    response.headers().get(RETRY_AFTER)?.to_str().ok()?.trim().parse().ok().map(Duration::from_secs)
}
