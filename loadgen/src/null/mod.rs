//! The null server: a server with the least possible cost, against which the generator itself is measured. The
//! [`server`] delivers messages and does nothing else; [`door`] implements the WebSocket handshake, [`hall`] holds
//! the connected terminals, and [`fault`] defines the faults that the server injects on request.

mod door;
mod fault;
mod hall;
pub mod server;

pub use self::fault::Fault;
