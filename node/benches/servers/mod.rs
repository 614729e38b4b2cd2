//! Servers, their terminals, and what both do and cost: what several benchmarks share.

#![allow(dead_code, reason = "each benchmark uses a part")]

pub mod crowd;
pub mod delivery;
pub mod dialect;
pub mod floor;
pub mod floor_process;
pub mod frames;
pub mod handshake_floor;
pub mod knock;
pub mod node;
pub mod payload;
pub mod process;
pub mod server;
pub mod usage;
