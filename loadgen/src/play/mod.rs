//! Carries out the plan, and writes down what it sees: [`fleet`] moves the terminals, each a `terminal` with a [`socket`] and an
//! `ear`; the [`operator`] sends what is due when the `pacer` says so, over an [`api`]. Nothing here judges.

pub mod api;
mod ear;
pub mod fleet;
mod follow;
mod live;
mod muzzle;
pub mod operator;
mod pacer;
mod publisher;
pub mod socket;
mod terminal;

pub use self::{ear::Ear, live::Live, terminal::Terminal};
