//! The server under attack: how attackers connect to it, and with what credentials.

use std::{
    fmt::Display,
    io,
    net::{IpAddr, SocketAddr},
    time::{Duration, SystemTime},
};

use anyhow::Context;
use muster_protocol::{
    TerminalId,
    token::{Secret, TerminalClaims, sign},
};
use tokio::{
    io::AsyncWriteExt,
    net::{
        TcpSocket, TcpStream,
        tcp::{OwnedReadHalf, OwnedWriteHalf},
    },
};
use tungstenite::protocol::frame::coding::{Data, OpCode};

use super::{answers::Answers, frame, tally::AttackEnd};

/// What the kernel may hold for an attacker, in bytes: so a write waits soon if the server does not read.
const SOCKET_BUFFER: u32 = 16 * 1024;
/// For how long tokens are valid.
const VALID: Duration = Duration::from_secs(24 * 3600);

/// The server under attack.
pub struct Victim {
    address: SocketAddr,
    path: String,
    from: Vec<IpAddr>,
    prefix: String,
    secret: Option<Secret>,
    key: Option<String>,
}

/// An attacker's connection after the answer 101.
pub type AttackSession = (Answers<OwnedReadHalf>, OwnedWriteHalf);

impl Victim {
    /// The server at `url`. The error says what is wrong with the URL.
    pub fn new(
        url: &str,
        from: Vec<IpAddr>,
        prefix: String,
        secret: Option<Secret>,
        key: Option<String>,
    ) -> anyhow::Result<Self> {
        let rest = url.strip_prefix("ws://").context("--url: a URL that begins with ws://")?;
        let (address, path) = rest.split_once('/').unwrap_or((rest, ""));
        let address = address.parse::<SocketAddr>().context("--url: names an address, as ws://127.0.0.1:9000/ws")?;
        Ok(Self { address, path: format!("/{path}"), from, prefix, secret, key })
    }

    /// Connects attacker `number`.
    pub async fn connect(&self, number: usize) -> Result<TcpStream, AttackEnd> {
        self.try_connect(number).await.map_err(|_| AttackEnd::Unreachable)
    }

    async fn try_connect(&self, number: usize) -> io::Result<TcpStream> {
        let socket = if self.address.is_ipv4() { TcpSocket::new_v4()? } else { TcpSocket::new_v6()? };
        socket.set_send_buffer_size(SOCKET_BUFFER)?;
        socket.set_recv_buffer_size(SOCKET_BUFFER)?;
        if !self.from.is_empty() {
            socket.bind(SocketAddr::new(self.from[number % self.from.len()], 0))?;
        }
        socket.connect(self.address).await
    }

    /// The head of a handshake of this terminal with this token, none if it is empty.
    pub fn handshake(&self, terminal: &str, token: &str) -> String {
        let bearer = if token.is_empty() { String::new() } else { format!("Authorization: Bearer {token}\r\n") };
        format!(
            "GET {}?terminal_id={terminal} HTTP/1.1\r\nHost: attacked\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
             Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\
             Sec-WebSocket-Protocol: muster.v1\r\n{bearer}\r\n",
            self.path
        )
    }

    /// Makes a handshake with a good token, up to the answer 101.
    pub async fn upgrade(&self, number: usize, terminal: &str) -> Result<AttackSession, AttackEnd> {
        let head = self.handshake(terminal, &self.token(terminal));
        let (reader, mut writer) = self.connect(number).await?.into_split();
        writer.write_all(head.as_bytes()).await.map_err(|_| AttackEnd::Reset)?;
        let mut answers = Answers::new(reader);
        match answers.status().await? {
            101 => Ok((answers, writer)),
            status => Err(AttackEnd::Status(status)),
        }
    }

    /// Makes the same handshake, and says hello.
    pub async fn greet(&self, number: usize, terminal: &str) -> Result<AttackSession, AttackEnd> {
        let (answers, mut writer) = self.upgrade(number, terminal).await?;
        let hello = frame::client_frame(OpCode::Data(Data::Text), true, br#"{"type":"hello"}"#);
        writer.write_all(&hello).await.map_err(|_| AttackEnd::Reset)?;
        Ok((answers, writer))
    }

    /// The id of an attacker as a terminal, which ends with this name.
    pub fn terminal(&self, name: impl Display) -> String {
        format!("{}{name}", self.prefix)
    }

    /// The operator's key, or one that nobody signed if there is none.
    pub fn key(&self) -> &str {
        self.key.as_deref().unwrap_or("no.k.ey")
    }

    fn token(&self, terminal: &str) -> String {
        let (Some(secret), Ok(id)) = (&self.secret, terminal.parse::<TerminalId>()) else { return String::new() };
        let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
        sign(secret, &TerminalClaims::new(id, (now + VALID).as_secs()))
    }
}
