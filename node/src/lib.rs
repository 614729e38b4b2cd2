//! A Muster node: terminals and operators on one port, and other nodes behind a backplane.
//!
//! ```text
//!   operator ──▶ http ──▶ backplane ══▶ (every node's) shard ──▶ fanout ──▶ terminal
//!                              ▲                                               │
//!                              └── reports ◀── session ◀── wire ◀── shard ◀────┘
//! ```
//!
//! The modules are floors. A module imports only from its own floor and from the floors below it; `tests/floors.rs` checks
//! this. From top to bottom:
//!
//! | floor | what it does |
//! |---|---|
//! | `fuzzing` | for tests alone: what fuzzing runs |
//! | [`process`] | sets up the program: its log, its runtime and the signals that stop it |
//! | [`store`] | exports the store of a cluster into a file, and imports such a file |
//! | [`operator_keys`] | lists and revokes operators' keys by the API of a node |
//! | [`serve`] | starts the node and stops it in an ordered list with a deadline |
//! | [`supervision`] | tells the service manager how the node does, and reads files again when it is asked to |
//! | [`http`] | answers requests and WebSocket handshakes |
//! | [`drain`] | sends sessions away: when the node stops, when it holds too many, when a proxy worker retires |
//! | [`cluster`] | knows the other nodes, places handshakes on them, and limits how many handshakes this node admits |
//! | [`notices`] | posts what operators must hear to URLs that they have set |
//! | [`rollout`] | sends commands in waves, each once the wave before has succeeded |
//! | [`session`], [`shard`] | run the sessions of terminals; a shard is one thread that owns the sockets of its sessions |
//! | [`backplane`] | stores commands and the registry, and carries commands between nodes |
//! | [`hub`] | the table of this node's sessions, and the lifecycle of the node |
//! | [`reports`] | gathers what sessions report, until the backplane takes it |
//! | [`auth`] | checks tokens of terminals and keys of operators |
//! | [`fence`] | says until when this node may act as the owner of its sessions |
//! | [`end`] | lists the ways in which a session ends |
//! | [`wire`] | encodes and decodes WebSocket frames |
//! | [`sleep`] | waits until a moment that may be absent |
//! | [`metrics`] | counts, for Prometheus |
//! | `sync` | the locks, atomics and channels through which threads share state |
//! | [`config`] | holds every setting and reads secret files |

pub mod auth;
pub mod backplane;
pub mod cluster;
pub mod config;
pub mod drain;
pub mod end;
pub mod fence;
#[cfg(any(test, fuzzing))]
pub mod fuzzing;
pub mod http;
pub mod hub;
pub mod metrics;
pub mod notices;
pub mod operator_keys;
pub mod process;
pub mod reports;
pub mod rollout;
pub mod serve;
pub mod session;
pub mod shard;
pub mod sleep;
pub mod store;
pub mod supervision;
mod sync;
pub mod wire;
