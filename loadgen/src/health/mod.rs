//! Measures the health of the generator and the costs of generator and servers: a thread that measures scheduling
//! delays ([`canary`]), what the kernel reports about a process ([`usage`]), and what the servers report about
//! themselves ([`servers`]). Nothing here decides; [`crate::verdict`] does.

pub mod canary;
pub mod environment;
pub mod servers;
pub mod stall;
pub mod usage;

pub use self::{canary::Canary, environment::Environment, servers::ServerSnapshot, stall::StallWatch, usage::Usage};
