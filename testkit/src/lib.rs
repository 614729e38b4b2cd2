//! What the tests of several crates share. Nothing here is part of a program: only `dev-dependencies` may name this
//! crate.
//!
//! | item | what it is |
//! |---|---|
//! | `TestNode` | a node in the test's process, on a free port |
//! | `TestRedis` | a Redis server of the test's own, on a free port |
//! | `OnlineTerminal` | a terminal that is connected, and what it was told |
//! | `http` | requests to a node's API |
//! | `wait` | waits for a condition |
//!
//! Dropping any of them ends it, so that a test leaves nothing behind, however it ends. They panic where a test would:
//! when something does not start, or does not happen within `wait::PATIENCE`.
//!
//! The programs `agents` and `witness` are for scripts: terminals that write down what happens to them. They need no
//! node and are built without the feature `nodes`.

#[cfg(feature = "nodes")]
pub mod http;
#[cfg(feature = "nodes")]
mod node;
#[cfg(feature = "nodes")]
mod redis_server;
#[cfg(feature = "nodes")]
mod terminal;
pub mod wait;

#[cfg(feature = "nodes")]
pub use self::{node::TestNode, redis_server::TestRedis, terminal::OnlineTerminal};
