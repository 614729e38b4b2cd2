//! Where the server that does nothing lets in: a WebSocket handshake by hand, and what its terminals say.

use std::io;

use muster_protocol::{TerminalId, frame::V1};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpStream, tcp::OwnedReadHalf},
};
use tokio_tungstenite::tungstenite::handshake::derive_accept_key;

/// A request's head fits in this.
const HEAD: usize = 8 << 10;

/// A terminal that asked to be let in.
pub struct Guest {
    /// Its id; empty if it gave none.
    pub id: String,
    /// Whether it speaks `muster.v1`.
    pub v1: bool,
}

/// A request's head, which stays unread in the stream.
pub async fn head(stream: &TcpStream) -> io::Result<String> {
    let mut buffer = vec![0; HEAD];
    loop {
        let read = stream.peek(&mut buffer).await?;
        let text = String::from_utf8_lossy(&buffer[..read]);
        if let Some(end) = text.find("\r\n\r\n") {
            return Ok(text[..end + 4].to_owned());
        }
        if read == 0 || read == HEAD {
            return Err(io::ErrorKind::InvalidData.into());
        }
        tokio::task::yield_now().await;
    }
}

/// Whether a head asks for a WebSocket.
pub fn is_handshake(head: &str) -> bool {
    header(head, "sec-websocket-key").is_some()
}

/// Refuses a handshake with 503.
pub async fn refuse(stream: &mut TcpStream, head: &str) -> io::Result<()> {
    // A socket that is closed before it was read sends a reset, and the answer is lost.
    stream.read_exact(&mut vec![0; head.len()]).await?;
    stream.write_all(b"HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\nConnection: close\r\n\r\n").await
}

/// Leaves a handshake unanswered until the terminal gives up.
pub async fn ignore(stream: &mut TcpStream) -> io::Result<()> {
    while stream.read(&mut [0; 1024]).await? > 0 {}
    Ok(())
}

/// Agrees to a handshake.
pub async fn agree(stream: &mut TcpStream, head: &str) -> io::Result<Guest> {
    let mut read = vec![0; head.len()];
    stream.read_exact(&mut read).await?;
    let key = header(head, "sec-websocket-key").unwrap_or_default();
    let v1 = header(head, "sec-websocket-protocol").is_some_and(|asked| asked.contains(V1));
    let protocol = if v1 { format!("Sec-WebSocket-Protocol: {V1}\r\n") } else { String::new() };
    let answer = format!(
        "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
         Sec-WebSocket-Accept: {}\r\n{protocol}\r\n",
        derive_accept_key(key.as_bytes())
    );
    stream.write_all(answer.as_bytes()).await?;
    Ok(Guest { id: terminal_id(head).unwrap_or_default(), v1 })
}

fn header<'a>(head: &'a str, name: &str) -> Option<&'a str> {
    let mut lines = head.lines().filter_map(|line| line.split_once(':'));
    lines.find(|(key, _)| key.eq_ignore_ascii_case(name)).map(|(_, value)| value.trim())
}

/// The id of the terminal that asks, if it gave one.
pub fn terminal_id(head: &str) -> Option<String> {
    let rest = head.split_once("terminal_id=")?.1;
    let id: TerminalId = rest.split([' ', '&']).next()?.parse().ok()?;
    Some(id.to_string())
}

/// What a terminal said.
pub enum Said {
    /// A text.
    Text(String),
    /// That it leaves.
    Close,
    /// Anything else.
    Other,
}

/// Reads one frame of a terminal: small, masked, in one piece.
pub async fn frame(reader: &mut OwnedReadHalf) -> io::Result<Said> {
    let (first, second) = (reader.read_u8().await?, reader.read_u8().await?);
    let length = match second & 0x7f {
        126 => usize::from(reader.read_u16().await?),
        127 => return Err(io::ErrorKind::InvalidData.into()),
        short => usize::from(short),
    };
    let mut mask = [0; 4];
    reader.read_exact(&mut mask).await?;
    let mut payload = vec![0; length];
    reader.read_exact(&mut payload).await?;
    payload.iter_mut().zip(mask.iter().cycle()).for_each(|(byte, mask)| *byte ^= mask);
    Ok(match first & 0x0f {
        1 => Said::Text(String::from_utf8_lossy(&payload).into_owned()),
        8 => Said::Close,
        _ => Said::Other,
    })
}

/// A frame to a terminal, in one piece.
pub fn encode(opcode: u8, payload: &[u8]) -> Vec<u8> {
    let mut frame = vec![0x80 | opcode];
    match payload.len() {
        short @ 0..126 => frame.push(short as u8),
        long => {
            frame.push(126);
            frame.extend((long as u16).to_be_bytes());
        }
    }
    frame.extend(payload);
    frame
}
