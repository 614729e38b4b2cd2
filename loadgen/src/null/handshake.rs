//! The WebSocket handshake and frames of the null server, implemented directly on the TCP stream.

use std::io;

use muster_protocol::{TerminalId, frame::V1};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpStream, tcp::OwnedReadHalf},
};
use tokio_tungstenite::tungstenite::handshake::derive_accept_key;

/// The maximum size of a request head, in bytes. A longer head is an error.
const HEAD: usize = 8 << 10;

/// A terminal whose handshake was accepted.
pub struct NullTerminal {
    /// The terminal's id; empty if the request named none.
    pub id: String,
    /// True if the terminal uses `muster.v1`.
    pub v1: bool,
}

/// Waits for a complete request head and returns it without consuming it from the stream. Fails if the connection
/// ends first, the head exceeds the limit, or what comes is not HTTP.
pub async fn head(stream: &TcpStream) -> io::Result<String> {
    let mut buffer = vec![0; HEAD];
    loop {
        let read = stream.peek(&mut buffer).await?;
        let text = String::from_utf8_lossy(&buffer[..read]);
        if let Some(end) = text.find("\r\n\r\n") {
            return Ok(text[..end + 4].to_owned());
        }
        if read == 0 || read == HEAD || !buffer[0].is_ascii_alphabetic() {
            return Err(io::ErrorKind::InvalidData.into());
        }
        tokio::task::yield_now().await;
    }
}

/// Returns true if a request head asks for a WebSocket.
pub fn is_handshake(head: &str) -> bool {
    header(head, "sec-websocket-key").is_some()
}

/// Refuses a handshake with 503.
pub async fn refuse(stream: &mut TcpStream, head: &str) -> io::Result<()> {
    // The request must be read first: closing a socket with unread data sends a reset, and the response is lost.
    stream.read_exact(&mut vec![0; head.len()]).await?;
    stream.write_all(b"HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\nConnection: close\r\n\r\n").await
}

/// Answers what is no request.
pub async fn bad_request(stream: &mut TcpStream) -> io::Result<()> {
    // What is not read would reset the connection.
    let _ = stream.read(&mut vec![0; HEAD]).await?;
    stream.write_all(b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\nConnection: close\r\n\r\n").await
}

/// Leaves a handshake unanswered until the terminal closes the connection.
pub async fn ignore(stream: &mut TcpStream) -> io::Result<()> {
    while stream.read(&mut [0; 1024]).await? > 0 {}
    Ok(())
}

/// Accepts a handshake.
pub async fn accept(stream: &mut TcpStream, head: &str) -> io::Result<NullTerminal> {
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
    Ok(NullTerminal { id: terminal_id(head).unwrap_or_default(), v1 })
}

fn header<'a>(head: &'a str, name: &str) -> Option<&'a str> {
    let mut lines = head.lines().filter_map(|line| line.split_once(':'));
    lines.find(|(key, _)| key.eq_ignore_ascii_case(name)).map(|(_, value)| value.trim())
}

/// Returns the terminal id from the query of a request head. Returns `None` if there is none or it is invalid.
pub fn terminal_id(head: &str) -> Option<String> {
    let rest = head.split_once("terminal_id=")?.1;
    let id: TerminalId = rest.split([' ', '&']).next()?.parse().ok()?;
    Some(id.to_string())
}

/// A frame that a terminal sent.
pub enum TerminalFrame {
    /// A text frame.
    Text(String),
    /// A close frame.
    Close,
    /// A frame of another kind.
    Other,
}

/// Reads one frame of a terminal. The frame must be masked and unfragmented, with a payload of less than 64 KiB; a
/// longer payload is an error.
pub async fn frame(reader: &mut OwnedReadHalf) -> io::Result<TerminalFrame> {
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
        1 => TerminalFrame::Text(String::from_utf8_lossy(&payload).into_owned()),
        8 => TerminalFrame::Close,
        _ => TerminalFrame::Other,
    })
}

/// Encodes an unmasked, unfragmented frame. The payload must be shorter than 64 KiB.
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
