//! A terminal's WebSocket connection, and the protocol on it. It has less overhead than the shipped client and can misbehave
//! on purpose: stop sending, reset the connection, and read slowly.

use std::{
    io,
    net::{IpAddr, SocketAddr},
    sync::Arc,
    time::Duration,
};

use futures_util::{SinkExt, StreamExt};
use muster_client::ConnectionEnd;
use muster_net::{ConnectError, Stream, Tls, source, tcp};
use muster_protocol::close::RetryHint;
use tokio::{
    net::{TcpSocket, TcpStream},
    time::{Instant, timeout},
};
use tokio_tungstenite::{
    WebSocketStream, client_async_with_config,
    tungstenite::{
        ClientRequestBuilder, Error, Message,
        error::ProtocolError,
        http::Uri,
        protocol::{CloseFrame, WebSocketConfig, frame::coding::CloseCode},
    },
};

use super::{
    cut::cut,
    mute::MuteStream,
    program::{ProgramLine, ProgramPipe},
};
use crate::{
    adapter::{Adapter, Conversation, Heard, Publication, Readiness, TerminalIdentity},
    clock::nanos,
    journal::TlsHandshake,
};

/// Is told of each frame of a connection.
pub type FrameListener<'a> = dyn FnMut(Heard<'_>) + Send + 'a;

/// The time limit of a connection attempt, from the first packet until the terminal is ready. The shipped client has the same
/// limit. At the limit the attempt fails.
const DEADLINE: Duration = Duration::from_secs(10);
/// How long a terminal that closes its connection waits for the server's close frame; then it drops the connection.
const FAREWELL: Duration = Duration::from_secs(1);
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

/// How a connection to a server is encrypted.
#[derive(Debug, Clone)]
pub struct TlsTarget {
    /// The name for which the server's certificate must be valid.
    pub host: Arc<str>,
    /// The settings, with the terminal's own session tickets.
    pub tls: Tls,
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
    /// The subprotocols to ask for besides that of the protocol.
    pub subprotocols: Vec<String>,
    /// The program that speaks the protocol; `None` if the adapter does.
    pub program: Option<ProgramPipe>,
    /// The source address to bind to; `None` lets the kernel choose.
    pub source: Option<IpAddr>,
    /// True if the terminal reads slowly; it then gets a small receive buffer.
    pub slow: bool,
}

/// An established session.
pub struct TerminalSocket {
    stream: WebSocketStream<MuteStream>,
    conversation: Box<dyn Conversation>,
    /// The program that says what frames mean; `None` if the conversation does.
    program: Option<Box<ProgramLine>>,
    /// When a frame of any kind was last read, pings included.
    pub last_read: Instant,
}

impl Dialer {
    /// Makes one connection attempt that resumes from `resume`. The addresses of the server are tried in turn, from number
    /// `first` modulo their number on. Fails if the terminal is not ready within the time limit, or the server refuses it.
    /// `hear` is told what comes before the terminal is ready, and in the same frame. Returns the TLS handshake, too, if there
    /// was one.
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
            Some(tls) => tls.encrypt(tcp, handshake).await?,
            None => Stream::Plain(tcp),
        };
        let stream = MuteStream { stream, mute: false };
        let opening = client_async_with_config(self.request(target), stream, Some(limits()));
        let (stream, _) = opening.await.map_err(refused)?;
        let line = |pipe| Box::new(ProgramLine::open(pipe, &self.who, resume.as_deref()));
        let program = self.program.as_ref().map(line);
        let conversation = self.adapter.converse(&self.who, resume);
        Ok(TerminalSocket { stream, conversation, program, last_read: Instant::now() })
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

impl TlsTarget {
    async fn encrypt(&self, tcp: TcpStream, done: &mut Option<TlsHandshake>) -> Result<Stream, ConnectionEnd> {
        let began = Instant::now();
        let stream = self.tls.handshake(&self.host, tcp, began + DEADLINE).await.map_err(|error| match error {
            ConnectError::Tls(_, fault) if fault.will_pass() => lost(fault),
            ConnectError::Tls(_, fault) => ConnectionEnd::TlsFailed(self.tls.explain(&fault)),
            other => lost(other),
        })?;
        *done = Some(TlsHandshake { took: nanos(began.elapsed()), is_resumed: stream.is_resumed() });
        Ok(stream)
    }
}

impl TerminalSocket {
    /// Speaks with the server until the terminal is ready.
    async fn establish(&mut self, hear: &mut FrameListener<'_>) -> Result<Readiness, ConnectionEnd> {
        let mut ready = None;
        let mut answers =
            self.interpret(|conversation, heard| conversation.on_open(heard), &mut |heard| match heard {
                Heard::Ready(readiness) => ready = Some(readiness),
                other => hear(other),
            })?;
        loop {
            self.answer(answers).await?;
            if let Some(readiness) = ready.take() {
                return Ok(readiness);
            }
            let frame = self.next().await?;
            answers = self.hear(&frame, &mut |heard| match heard {
                Heard::Ready(readiness) => ready = Some(readiness),
                other => hear(other),
            })?;
        }
    }

    /// Tells `hear` what a frame means, and returns the frames to answer with. Fails if the server refused the terminal.
    pub fn hear(&mut self, frame: &Message, hear: &mut dyn FnMut(Heard<'_>)) -> Result<Vec<Message>, ConnectionEnd> {
        self.interpret(|conversation, heard| conversation.on_frame(frame, heard), hear)
    }

    fn interpret(
        &mut self,
        tell: impl FnOnce(&mut dyn Conversation, &mut dyn FnMut(Heard<'_>)),
        hear: &mut dyn FnMut(Heard<'_>),
    ) -> Result<Vec<Message>, ConnectionEnd> {
        let (mut answers, mut refused) = (Vec::new(), None);
        tell(&mut *self.conversation, &mut |heard| match heard {
            Heard::Reply(frame) => answers.push(frame),
            Heard::Refused(why) => refused = Some(why),
            other => hear(other),
        });
        refused.map_or(Ok(answers), |why| Err(lost(why)))
    }

    /// Sends frames.
    pub async fn answer(&mut self, frames: Vec<Message>) -> Result<(), ConnectionEnd> {
        for frame in frames {
            self.send(frame).await?;
        }
        Ok(())
    }

    /// Makes the frame that publishes a message. Fails if a program is to make it, and does not.
    pub async fn publication(&mut self, message: &str, number: u32) -> Result<Publication, ConnectionEnd> {
        match &self.program {
            None => Ok(self.conversation.publish(message, number)),
            Some(program) => program.publication(message, number).await,
        }
    }

    /// From where the next connection can resume; `None` if it can't.
    pub fn resume_state(&mut self) -> Option<String> {
        self.conversation.resume_state()
    }

    /// Waits for the next text or binary frame, or for what a program answered to it. Pings and pongs only update `last_read`.
    /// Fails when the connection ends, or the program does.
    pub async fn next(&mut self) -> Result<Message, ConnectionEnd> {
        loop {
            if let Some(program) = &mut self.program
                && let Some(answer) = program.answer().await?
            {
                return Ok(answer);
            }
            let message = self.stream.next().await;
            self.last_read = Instant::now();
            match message {
                Some(Ok(message @ (Message::Text(_) | Message::Binary(_)))) => match &mut self.program {
                    None => return Ok(message),
                    Some(program) => program.ask(&message),
                },
                Some(Ok(Message::Close(frame))) => return Err(closed(frame)),
                Some(Ok(_)) => {}
                Some(Err(error)) => return Err(lost(error)),
                None => return Err(lost("the connection ended without a close")),
            }
        }
    }

    /// Sends a frame.
    pub async fn send(&mut self, frame: Message) -> Result<(), ConnectionEnd> {
        self.stream.send(frame).await.map_err(lost)
    }

    /// Discards everything that is written from now on, acks and pong frames included.
    pub fn mute(&mut self) {
        self.stream.get_mut().mute = true;
    }

    /// Sends a close frame and waits briefly for the server's close frame.
    pub async fn close(mut self) {
        let farewell = async {
            let close = CloseFrame { code: CloseCode::Normal, reason: Default::default() };
            self.stream.close(Some(close)).await?;
            while let Some(Ok(_)) = self.stream.next().await {}
            Ok::<(), Error>(())
        };
        let _ = timeout(FAREWELL, farewell).await;
    }

    /// Takes no packet of the server any more, as behind a cut cable: the kernel drops each one before it could confirm it. Fails
    /// if the kernel refuses the filter.
    pub fn cut(&self) -> io::Result<()> {
        cut(self.stream.get_ref().stream.tcp())
    }

    /// Resets the connection as the kernel does for a killed process: unsent data is discarded, and the peer
    /// receives a RST.
    pub fn reset(self) {
        let _ = socket2::SockRef::from(self.stream.get_ref().stream.tcp()).set_linger(Some(Duration::ZERO));
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

fn lost(cause: impl ToString) -> ConnectionEnd {
    ConnectionEnd::Lost(cause.to_string())
}

fn refused(error: Error) -> ConnectionEnd {
    match error {
        Error::Http(response) => {
            ConnectionEnd::Refused { status: response.status().as_u16(), hint: retry_after(&response) }
        }
        Error::Protocol(ProtocolError::HttparseError(_)) => {
            lost("the server's answer is not HTTP; if it speaks TLS, write wss:// in --url")
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
