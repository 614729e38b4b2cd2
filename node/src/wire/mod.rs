//! WebSocket frames as bytes (RFC 6455, the server's side), with no I/O: the shard reads and writes, this says what it means.
//! Header parsing and formatting are tungstenite's. Its `WebSocket` is not used: it keeps a read buffer for each connection,
//! and a shard lends one buffer to all of its sockets instead.

mod decode;
mod encode;
mod fragments;
mod message;

pub use decode::{Decoder, Partial};
pub use encode::{close, ping, pong, text};
pub use message::{Message, WireError};
