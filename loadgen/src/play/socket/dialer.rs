//! Opens the connections of one terminal: picks an address, connects, encrypts, makes the WebSocket handshake, and
//! waits until the terminal is ready.

use std::{
    io,
    net::{IpAddr, SocketAddr},
    sync::Arc,
    time::Duration,
};

use muster_client::ConnectionEnd;
use muster_net::{Stream, source, tcp};
use tokio::{
    net::{TcpSocket, TcpStream},
    time::timeout,
};
use tokio_tungstenite::{
    client_async_with_config,
    tungstenite::{ClientRequestBuilder, http::Uri, protocol::WebSocketConfig},
};

use super::{
    connection_end::{lost, refused},
    terminal_socket::{FrameListener, TerminalSocket},
    tls_target::TlsTarget,
};
use crate::{
    adapter::{Adapter, Readiness, TerminalIdentity},
    journal::TlsHandshake,
    play::{
        mute::MuteStream,
        program::{ProgramLine, ProgramPipe},
    },
};

/// The time limit of a connection attempt, from the first packet until the terminal is ready. The shipped client has
/// the same limit. At the limit the attempt fails.
const DEADLINE: Duration = Duration::from_secs(10);
/// The receive buffer of a slow terminal, in bytes. It is small, so that a slow reader soon causes backpressure at
/// the server.
const SLOW_BUFFER: u32 = 4 << 10;

/// An endpoint that a terminal connects to.
#[derive(Debug, Clone)]
pub struct DialTarget {
    /// All addresses of the server's name, at least one. They are looked up once.
    pub addresses: Arc<[SocketAddr]>,
    /// How the connection is encrypted; `None` without TLS.
    pub tls: Option<TlsTarget>,
    /// The URL of the handshake, with what the protocol and the settings add to its query.
    pub uri: Uri,
}

/// The connection settings of one terminal.
#[derive(Clone)]
pub struct Dialer {
    /// The protocol.
    pub adapter: Arc<dyn Adapter>,
    /// Who the terminal is.
    pub who: TerminalIdentity,
    /// The endpoints, which the terminal tries in turn.
    pub targets: Arc<[DialTarget]>,
    /// The headers that the handshake has besides those of every handshake.
    pub headers: Vec<(String, String)>,
    /// The subprotocols to ask for, besides the protocol's own.
    pub subprotocols: Vec<String>,
    /// The program that speaks the protocol; `None` if the adapter does.
    pub program: Option<ProgramPipe>,
    /// The source address to bind to; `None` lets the kernel choose.
    pub source: Option<IpAddr>,
    /// True if the terminal reads slowly; it then gets a small receive buffer.
    pub slow: bool,
}

impl Dialer {
    /// Makes one connection attempt that resumes from `resume`. Tries the addresses of the server in turn, and begins
    /// with the number `first` modulo their count. Fails if the terminal is not ready within the time limit, or if the
    /// server refuses it. Tells `hear` what comes before the terminal is ready, and in the same frame. Returns also the
    /// TLS handshake, if there was one.
    pub async fn dial(
        &self,
        target: &DialTarget,
        first: usize,
        resume: Option<String>,
        hear: &mut FrameListener<'_>,
    ) -> (Result<(TerminalSocket, Readiness), ConnectionEnd>, Option<TlsHandshake>) {
        let mut handshake = None;
        let opening = async {
            let mut socket = self.open(target, first, resume, &mut handshake).await?;
            let readiness = socket.establish(hear).await?;
            Ok::<_, ConnectionEnd>((socket, readiness))
        };
        let late = || Err(lost(format!("the server did not make the terminal ready within {DEADLINE:?}")));
        let opened = timeout(DEADLINE, opening).await.unwrap_or_else(|_| late());
        (opened, handshake)
    }

    async fn open(
        &self,
        target: &DialTarget,
        first: usize,
        resume: Option<String>,
        handshake: &mut Option<TlsHandshake>,
    ) -> Result<TerminalSocket, ConnectionEnd> {
        let tcp = self.connect(&target.addresses, first).await.map_err(lost)?;
        let stream = match &target.tls {
            Some(tls) => tls.encrypt(tcp, DEADLINE, handshake).await?,
            None => Stream::Plain(tcp),
        };
        let stream = MuteStream { stream, mute: false };
        let opening = client_async_with_config(self.request(target), stream, Some(limits()));
        let (stream, _) = opening.await.map_err(refused)?;
        let line = |pipe| Box::new(ProgramLine::open(pipe, &self.who, resume.as_deref()));
        let program = self.program.as_ref().map(line);
        let conversation = self.adapter.converse(&self.who, resume);
        Ok(TerminalSocket::new(stream, conversation, program))
    }

    async fn connect(&self, addresses: &[SocketAddr], first: usize) -> io::Result<TcpStream> {
        let (later, sooner) = addresses.split_at(first % addresses.len());
        let mut in_turn = [sooner, later].concat();
        in_turn.retain(|to| self.source.is_none_or(|source| source.is_ipv4() == to.is_ipv4()));
        tcp::first(in_turn, |to| self.socket(to)).await
    }

    fn socket(&self, to: SocketAddr) -> io::Result<TcpSocket> {
        let socket = source::socket(to, self.source)?;
        if self.slow {
            socket.set_recv_buffer_size(SLOW_BUFFER)?;
        }
        Ok(socket)
    }

    fn request(&self, target: &DialTarget) -> ClientRequestBuilder {
        let mut request = ClientRequestBuilder::new(target.uri.clone());
        for (name, value) in &self.headers {
            request = request.with_header(name.as_str(), value.as_str());
        }
        let subprotocols = self.adapter.open(&self.who).subprotocol.into_iter();
        let subprotocols = subprotocols.chain(self.subprotocols.iter().map(String::as_str));
        subprotocols.fold(request, |request, subprotocol| request.with_sub_protocol(subprotocol))
    }
}

/// Returns the limits of the WebSocket layer. The buffers are small, because one process holds thousands of mostly
/// idle connections.
fn limits() -> WebSocketConfig {
    WebSocketConfig::default()
        .read_buffer_size(2 << 10)
        .write_buffer_size(0)
        // The publisher's connection writes whole messages, so the limit must exceed the largest message.
        .max_write_buffer_size(2 << 20)
        .max_message_size(Some(1 << 20))
        .max_frame_size(Some(1 << 20))
}

#[cfg(test)]
mod tests {
    use tokio::net::TcpListener;

    use super::*;
    use crate::{adapter, config::tests::config};

    fn dialer(source: Option<&str>) -> Dialer {
        let (adapter, source) = (adapter::of(&config("")), source.map(|source| source.parse().unwrap()));
        let (headers, subprotocols) = (Vec::new(), Vec::new());
        let who = TerminalIdentity::named("t");
        Dialer { adapter, who, targets: Arc::new([]), headers, subprotocols, program: None, source, slow: false }
    }

    async fn peer(dialer: &Dialer, addresses: &[SocketAddr], first: usize) -> SocketAddr {
        dialer.connect(addresses, first).await.unwrap().peer_addr().unwrap()
    }

    #[tokio::test]
    async fn each_terminal_begins_with_another_address_and_goes_on_to_one_that_accepts() {
        let refuses = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
        let listeners =
            [TcpListener::bind("127.0.0.1:0").await.unwrap(), TcpListener::bind("127.0.0.1:0").await.unwrap()];
        let [one, two] = listeners.each_ref().map(|listener| listener.local_addr().unwrap());
        let addresses = [refuses, one, two];
        for (number, begins) in [(0, one), (1, one), (2, two), (3, one), (4, one), (5, two)] {
            assert_eq!(peer(&dialer(None), &addresses, number).await, begins, "terminal {number}");
        }
    }

    #[tokio::test]
    async fn an_address_of_another_family_than_the_source_is_left_out() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let addresses = ["[::1]:9".parse().unwrap(), address];
        assert_eq!(peer(&dialer(Some("127.0.0.3")), &addresses, 0).await, address);
    }
}
