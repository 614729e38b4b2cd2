//! The sidecar as a program, with a real Nginx and a Redis in which there is no node.

mod capacity;
mod errors;
mod handshakes;
mod listen;
mod proxy;
mod reload;
mod supervised;
