//! Finds the Redis master, and connects to it again after a failover. Redis may be one server, a master with replicas
//! that Sentinels watch, or a Redis Cluster; the programs see one connection in each case.
//!
//! ```text
//!   --redis URL ──▶ topology ──▶ locate ──▶ connection ──▶ commands
//!                                              └─────────▶ listen ──▶ messages
//! ```
//!
//! All keys of one Muster cluster have one hash tag, so that a Redis Cluster stores them in one slot. So nothing here
//! routes commands by slot: the master of that slot is the only server that is needed.
//!
//! | Module | What it does |
//! |---|---|
//! | [`secret`] | reads a secret from a file |
//! | [`url`] | puts a password into a URL |
//! | `topology` | parses the URL of `--redis` |
//! | `locate` | finds the master |
//! | `server` | connects to one server |
//! | `encryption` | connects by TLS, and says what is wrong if that fails |
//! | `connection` | sends commands to the master, and finds it again after an error |
//! | `listen` | receives the messages of channels from the same master |
//!
//! Node and sidecar share this crate. It is not part of `protocol/`, which does no I/O.

mod connection;
mod encryption;
mod listen;
mod locate;
pub mod secret;
mod server;
mod topology;
pub mod url;

pub use muster_net::TlsFiles;

pub use self::{
    connection::Connection,
    listen::Subscription,
    locate::{not_sent, will_pass},
    topology::{BadTopology, BadUrl, Topology},
};
