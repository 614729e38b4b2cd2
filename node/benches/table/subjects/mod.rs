//! The servers of the table, one file for those that are started alike.

pub mod chain;
pub mod floor;
pub mod node;
pub mod peer;
pub mod proxy;
pub mod socket_io;
pub mod two_nodes;

/// The column of a node alone, with plain terminals.
pub const NODE: &str = "node";
/// The same with terminals of `muster.v1`, whose broadcasts are not tracked.
pub const NODE_V1: &str = "node muster.v1";
/// The same with acknowledgements.
pub const NODE_TRACKED: &str = "node tracked";
/// A node with Redis, and plain terminals.
pub const NODE_REDIS: &str = "node + Redis";
/// The same with terminals of `muster.v1` that acknowledge.
pub const NODE_REDIS_V1: &str = "node + Redis tracked";
/// A node with Redis behind the Nginx of the sidecar, all of them together.
pub const CHAIN: &str = "Nginx + node + Redis";
/// A server that only stores who comes, behind a tuned Nginx.
pub const BARE: &str = "bare prototype";
/// uWebSockets.
pub const UWEBSOCKETS: &str = "uwebsockets";
