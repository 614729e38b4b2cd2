//! Whether the generator, and what it costs and the servers cost, can be told: a thread that ticks ([`canary`]), what the kernel says of
//! a process ([`usage`]), and what the servers say of themselves ([`servers`]). Nothing here decides; [`crate::verdict`] does.

pub mod canary;
pub mod environment;
pub mod servers;
pub mod usage;

pub use self::{canary::Canary, environment::Environment, servers::Servers, usage::Usage};
