//! The measurements, one file for what belongs together.

pub mod blast;
pub mod bursts;
pub mod delivery;
pub mod growth;
pub mod handshakes;
pub mod last;
pub mod memory;
pub mod single;
pub mod user_cpu;
