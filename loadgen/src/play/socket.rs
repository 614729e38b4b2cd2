//! A terminal's connection, leaner than the shipped client's and able to misbehave: it can fall silent, reset, and read slowly.

use std::{
    io,
    net::{IpAddr, SocketAddr},
    sync::Arc,
    time::Duration,
};

use futures_util::{SinkExt, StreamExt};
use muster_client::ConnectionEnd;
use muster_protocol::{
    TerminalId,
    close::RetryHint,
    frame::{FromNode, FromTerminal, Hello, V1, Welcome},
};
use tokio::{
    net::TcpSocket,
    time::{Instant, timeout},
};
use tokio_tungstenite::{
    WebSocketStream, client_async_with_config,
    tungstenite::{
        ClientRequestBuilder, Error, Message,
        http::Uri,
        protocol::{CloseFrame, WebSocketConfig, frame::coding::CloseCode},
    },
};

use super::muzzle::Muzzled;

/// How long an attempt may take from the first packet to the welcome, as the shipped client has it.
const DEADLINE: Duration = Duration::from_secs(10);
/// How long a terminal that leaves waits for the answer to its close.
const FAREWELL: Duration = Duration::from_secs(1);
/// The receive buffer of a slow terminal: small, so that the server soon feels it.
const SLOW_BUFFER: u32 = 4 << 10;

/// Where a terminal connects to, looked up once.
#[derive(Debug, Clone)]
pub struct Door {
    /// The server's address.
    pub address: SocketAddr,
    /// With the terminal's id in its query.
    pub uri: Uri,
}

/// Who knocks.
#[derive(Debug, Clone)]
pub struct Caller {
    /// The terminal.
    pub id: TerminalId,
    /// The doors it tries in turn.
    pub doors: Arc<[Door]>,
    /// Its token.
    pub token: Option<String>,
    /// Where it calls from.
    pub source: Option<IpAddr>,
    /// Whether it speaks `muster.v1`; else it sends nothing at all.
    pub v1: bool,
    /// Whether it reads slowly.
    pub slow: bool,
}

/// A session that the server has agreed to.
pub struct Socket {
    stream: WebSocketStream<Muzzled>,
    /// `None` if it speaks no `muster.v1`.
    pub welcome: Option<Welcome>,
    /// When anything at all was last read.
    pub heard: Instant,
}

impl Caller {
    /// One attempt, going on from this cursor.
    pub async fn dial(&self, door: &Door, cursor: Option<String>) -> Result<Socket, ConnectionEnd> {
        timeout(DEADLINE, self.open(door, cursor)).await.unwrap_or(Err(ConnectionEnd::NoWelcome))
    }

    async fn open(&self, door: &Door, cursor: Option<String>) -> Result<Socket, ConnectionEnd> {
        let stream = self.socket(door.address).map_err(lost)?.connect(door.address).await.map_err(lost)?;
        stream.set_nodelay(true).map_err(lost)?;
        let stream = Muzzled { stream, mute: false };
        let opening = client_async_with_config(self.request(door), stream, Some(limits()));
        let (stream, _) = opening.await.map_err(refused)?;
        let mut socket = Socket { stream, welcome: None, heard: Instant::now() };
        if self.v1 {
            socket.greet(cursor).await?;
        }
        Ok(socket)
    }

    fn socket(&self, to: SocketAddr) -> io::Result<TcpSocket> {
        let socket = if to.is_ipv4() { TcpSocket::new_v4()? } else { TcpSocket::new_v6()? };
        if self.slow {
            socket.set_recv_buffer_size(SLOW_BUFFER)?;
        }
        if let Some(source) = self.source {
            // Or else the kernel takes a port at the bind, which no other connection from this address can share.
            #[cfg(target_os = "linux")]
            nix::sys::socket::setsockopt(&socket, nix::sys::socket::sockopt::IpBindAddressNoPort, &true)?;
            socket.bind((source, 0).into())?;
        }
        Ok(socket)
    }

    fn request(&self, door: &Door) -> ClientRequestBuilder {
        let mut request = ClientRequestBuilder::new(door.uri.clone());
        if let Some(token) = &self.token {
            request = request.with_header("Authorization", format!("Bearer {token}"));
        }
        if self.v1 { request.with_sub_protocol(V1) } else { request }
    }
}

impl Socket {
    async fn greet(&mut self, resume: Option<String>) -> Result<(), ConnectionEnd> {
        let hello = Hello { sdk: "muster-loadgen".into(), resume, ..Hello::default() };
        self.say(FromTerminal::Hello(hello).to_string()).await?;
        match FromNode::decode(&self.next().await?).map_err(lost)? {
            FromNode::Welcome(welcome) => self.welcome = Some(welcome),
            _ => return Err(lost("the node's first frame was no welcome")),
        }
        Ok(())
    }

    /// The next text.
    pub async fn next(&mut self) -> Result<tokio_tungstenite::tungstenite::Utf8Bytes, ConnectionEnd> {
        loop {
            let message = self.stream.next().await;
            self.heard = Instant::now();
            match message {
                Some(Ok(Message::Text(text))) => return Ok(text),
                Some(Ok(Message::Close(frame))) => return Err(closed(frame)),
                Some(Ok(_)) => {}
                Some(Err(error)) => return Err(lost(error)),
                None => return Err(lost("the connection ended without a close")),
            }
        }
    }

    /// Says a text.
    pub async fn say(&mut self, text: String) -> Result<(), ConnectionEnd> {
        self.stream.send(Message::text(text)).await.map_err(lost)
    }

    /// From now on nothing goes out: no ack, and no answer to a ping.
    pub fn fall_silent(&mut self) {
        self.stream.get_mut().mute = true;
    }

    /// Leaves politely.
    pub async fn close(mut self) {
        let farewell = async {
            let close = CloseFrame { code: CloseCode::Normal, reason: Default::default() };
            self.stream.close(Some(close)).await?;
            while let Some(Ok(_)) = self.stream.next().await {}
            Ok::<(), Error>(())
        };
        let _ = timeout(FAREWELL, farewell).await;
    }

    /// Leaves as a killed process does: what is on its way is thrown away, and the peer gets a reset.
    pub fn reset(self) {
        let _ = socket2::SockRef::from(&self.stream.get_ref().stream).set_linger(Some(Duration::ZERO));
    }
}

/// Every limit of the WebSocket layer: thousands of connections in one process, mostly at rest.
fn limits() -> WebSocketConfig {
    WebSocketConfig::default()
        .read_buffer_size(2 << 10)
        .write_buffer_size(0)
        // More than a message has that the connection that sends may write.
        .max_write_buffer_size(2 << 20)
        .max_message_size(Some(1 << 20))
        .max_frame_size(Some(1 << 20))
}

fn lost(cause: impl ToString) -> ConnectionEnd {
    ConnectionEnd::Lost(cause.to_string())
}

fn refused(error: Error) -> ConnectionEnd {
    match error {
        Error::Http(response) => {
            ConnectionEnd::Refused { status: response.status().as_u16(), hint: retry_after(&response) }
        }
        other => lost(other),
    }
}

fn retry_after<B>(response: &tokio_tungstenite::tungstenite::http::Response<B>) -> Option<Duration> {
    response.headers().get("retry-after")?.to_str().ok()?.trim().parse().ok().map(Duration::from_secs)
}

fn closed(frame: Option<CloseFrame>) -> ConnectionEnd {
    let (code, reason) = frame.map_or((1005, String::new()), |frame| (frame.code.into(), frame.reason.to_string()));
    ConnectionEnd::Closed { code, hint: RetryHint::in_reason(&reason), reason }
}
