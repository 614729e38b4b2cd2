//! Opens a session: TCP connection, WebSocket handshake, hello and welcome, all under one deadline.

use std::{net::SocketAddr, time::Duration};

use futures_util::{SinkExt, StreamExt};
use muster_net::{Stream, Tls, TlsFault, detect::speaks_tls};
use muster_protocol::{
    api::Protocol,
    frame::{FromNode, FromTerminal, Hello, V1, Welcome},
};
use tokio::time::{Instant, timeout_at};
use tokio_tungstenite::{
    WebSocketStream, client_async_with_config,
    tungstenite::{
        ClientRequestBuilder, Error, Message,
        error::ProtocolError,
        http::{Response, StatusCode, header::RETRY_AFTER},
        protocol::{CloseFrame, WebSocketConfig},
    },
};

use crate::{Config, ConnectionEnd, Token, endpoint::Endpoint};

/// A terminal's WebSocket.
pub(crate) type WebSocket = WebSocketStream<Stream>;

/// The largest message in either direction, in bytes. A larger message from a node ends the session.
pub(crate) const MAX_MESSAGE: usize = 1 << 20;

/// The longest [`Config::deadline`]: a longer one counts as this.
const LONGEST: Duration = Duration::from_secs(24 * 3600);

/// How long a server may take to show that it speaks TLS.
const ASKING: Duration = Duration::from_secs(2);

/// Returns the limits of the WebSocket layer. The defaults of that layer suit a few busy connections: a read buffer of
/// 128 KiB, messages of 64 MiB, no bound on what waits to be written. A process here can hold thousands of connections,
/// most of them idle.
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

/// Opens a session at this endpoint with this token, and asks the node to resume from this cursor.
pub(crate) async fn dial(
    config: &Config,
    endpoint: &Endpoint,
    token: Option<&Token>,
    cursor: Option<String>,
) -> Result<Opened, ConnectionEnd> {
    let deadline = Instant::now() + config.deadline.min(LONGEST);
    // This step keeps the deadline by itself, so that its error says what the terminal waited for.
    let (stream, tls) = endpoint.server.connect(config.source, deadline).await?;
    let opening = async {
        let peer = stream.tcp().peer_addr().ok();
        let upgraded = client_async_with_config(request(config, endpoint, token), stream, Some(limits())).await;
        let mut socket = match upgraded {
            Ok((socket, _)) => socket,
            Err(error) => return Err(unopened(error, tls, peer).await),
        };
        let welcome = match config.protocol {
            Protocol::V1 => Some(Box::new(say_hello(&mut socket, hello(config, cursor)).await?)),
            Protocol::Plain => None,
        };
        Ok(Opened { socket, welcome })
    };
    timeout_at(deadline, opening).await.unwrap_or(Err(ConnectionEnd::NoWelcome))
}

/// Returns the end that a failed WebSocket handshake makes. If the URL asks for no TLS and the server speaks TLS on
/// this port, the end says so.
async fn unopened(error: Error, tls: Option<Tls>, peer: Option<SocketAddr>) -> ConnectionEnd {
    match (tls, peer) {
        (Some(tls), _) => refused_by_tls(&error, &tls).unwrap_or_else(|| refused(error)),
        (None, Some(peer)) if is_maybe_tls(&error) && speaks_tls(peer, Instant::now() + ASKING).await => {
            ConnectionEnd::TlsFailed(format!("{peer} speaks TLS; write wss:// instead of ws://"))
        }
        _ => refused(error),
    }
}

/// Returns the end that a server makes which refuses the terminal's certificate: the error comes after the TLS
/// handshake. `None` for any other error.
fn refused_by_tls(error: &Error, tls: &Tls) -> Option<ConnectionEnd> {
    let Error::Io(error) = error else { return None };
    let fault: &TlsFault = error.get_ref()?.downcast_ref()?;
    Some(ConnectionEnd::TlsFailed(tls.explain(fault)))
}

/// Returns whether the server may speak TLS: it answered an HTTP request by something that is not HTTP, or by status
/// 400 and a text that names HTTPS or TLS. Only such a server is asked, since that takes a connection.
fn is_maybe_tls(error: &Error) -> bool {
    match error {
        Error::Protocol(ProtocolError::HttparseError(_)) => true,
        Error::Http(response) if response.status() == StatusCode::BAD_REQUEST => {
            let text = response.body().as_deref().unwrap_or_default().to_ascii_lowercase();
            [&b"https"[..], b"tls"].iter().any(|word| text.windows(word.len()).any(|part| part == *word))
        }
        _ => false,
    }
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

/// Sends the hello and waits for the welcome. The first frame of a node is the welcome or, if the node closes at once,
/// a goodbye.
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

/// Returns the end that a close frame makes. `hint` comes from the goodbye before the close.
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

/// Returns the `Retry-After` header, if it holds a number of seconds. A date, the other form, is ignored: it would need
/// the node's clock.
fn retry_after<B>(response: &Response<B>) -> Option<Duration> {
    response.headers().get(RETRY_AFTER)?.to_str().ok()?.trim().parse().ok().map(Duration::from_secs)
}
