//! Where the Redis master is now, and connections that follow it there. A Redis may be one server, a master with replicas that
//! Sentinels watch, or a Redis Cluster; the programs see one connection in each case.
//!
//! ```text
//!   --redis URL ──▶ topology ──▶ locate ──▶ connection ──▶ commands
//!                                              └─────────▶ listen ──▶ messages
//! ```
//!
//! All names of one Muster cluster share one hash tag, so that a Redis Cluster keeps them in one slot. So nothing here routes by slots:
//! whoever is the master of that one slot is *the* master, and after a failover another is.
//!
//! In reading order: [`secret`] reads a password from its file, and [`url`] puts it into a URL; [`topology`] reads that; [`locate`]
//! asks who is the master; [`connection`] leads there, and looks again when it ends or is told that it is wrong; [`listen`] hears
//! the channels of that same master. Node and sidecar have this in common, and `protocol/` does no I/O: so it is a crate.

mod connection;
mod listen;
mod locate;
pub mod secret;
mod topology;
pub mod url;

pub use self::{
    connection::Connection,
    listen::Subscription,
    locate::{not_sent, will_pass},
    topology::{BadUrl, Topology},
};
