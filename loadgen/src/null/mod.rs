//! The null server: a server with the least possible cost, against which the generator itself is measured. The
//! [`server`] delivers messages and does nothing else; `handshake` implements the WebSocket handshake, `sessions` holds
//! the connected terminals, and `fault` defines the faults that the server injects on request.

mod fault;
mod handshake;
pub mod server;
mod sessions;

pub use self::fault::NullFault;
