//! How the terminals of a server speak.

/// What a terminal does after its request, before it counts as connected.
#[derive(Clone, Copy)]
pub enum Turn {
    /// It sends this text.
    Say(&'static str),
    /// It waits for a frame.
    Hear,
}

/// How the terminals of a server speak.
#[derive(Clone, Copy)]
pub struct Dialect {
    /// The request of number n; empty if the server wants none.
    pub request: fn(usize) -> String,
    /// What follows, in this order.
    pub begin: &'static [Turn],
    /// What a terminal answers to a frame.
    pub answer: fn(&[u8]) -> Option<String>,
}

/// Plain terminals.
pub const PLAIN: Dialect = Dialect { request: handshake, begin: &[], answer: nothing };

/// The request of a plain terminal. All ids have 16 bytes.
pub fn handshake(number: usize) -> String {
    request(&format!("/ws?terminal_id=bench-{number:010}"), "")
}

/// A WebSocket handshake with this path and these further headers, each of which ends in `\r\n`.
pub fn request(path: &str, headers: &str) -> String {
    format!(
        "GET {path} HTTP/1.1\r\nHost: bench\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
         Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n{headers}\r\n"
    )
}

/// No answer.
pub fn nothing(_frame: &[u8]) -> Option<String> {
    None
}
