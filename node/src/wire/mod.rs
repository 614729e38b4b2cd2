//! WebSocket frames as bytes (RFC 6455, the server's side), without I/O. Header parsing and formatting are
//! tungstenite's. Its `WebSocket` type is not used: it keeps a read buffer for each connection, and a shard lends
//! one buffer to all of its sockets instead.
//!
//! ```text
//!   bytes ──▶ decode ──▶ Message              EncodedCommand, close, ping, pong, text, binary ──▶ bytes
//! ```

mod decode;
mod encode;
mod encoded;
mod fragments;
mod message;

pub use decode::{Decoder, Partial};
pub use encode::{binary, close, ping, pong, text};
pub use encoded::EncodedCommand;
pub use message::{Message, ReceivedClose, WireError};
