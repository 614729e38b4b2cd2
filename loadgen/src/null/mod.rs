//! The other end, where there is to be none worth measuring: [`server`] delivers and does nothing else, [`door`] is where it lets in,
//! [`hall`] holds who came, and a [`fault`] is the mistake that it makes when told to.

mod door;
mod fault;
mod hall;
pub mod server;

pub use self::fault::Fault;
