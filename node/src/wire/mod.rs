//! WebSocket frames as bytes (RFC 6455, the server's side), without I/O. The crate `tungstenite` parses and formats the
//! headers. Its type `WebSocket` is not used, because that type keeps a read buffer for each connection, while a shard
//! has one buffer for all of its sockets.
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
