//! What the tests of several crates share. Nothing here is part of a program: only `dev-dependencies` may name this
//! crate.
//!
//! | item | what it is | feature |
//! |---|---|---|
//! | `TestNode` | a node in the test's process, on a free port | `nodes` |
//! | `OnlineTerminal` | a terminal that is connected, and what it was told | `nodes` |
//! | `TestRedis` | a Redis server of the test's own, on a free port | `redis` |
//! | `TestServer`, `TestCluster` | a Redis server with settings of its own; a Redis Cluster of three masters with a replica each | `redis` |
//! | `FalseClock` | the clock of a program that the test runs, set by the test | |
//! | `FrozenThread` | a thread of such a program that stands still | |
//! | `TestProcess`, `LoggedProcess` | a program that the test runs | |
//! | `TestManager` | the service manager of such a program | |
//! | `Certificates` | a CA and what it signed, made by openssl | |
//! | `TlsFront` | a server of TLS in front of another server | `tls` |
//! | `corpus` | the inputs that fuzzing has found | |
//! | `free_port` | a port on which nothing listens | |
//! | `floors` | checks which modules of a crate import which | |
//! | `http` | requests to a node | |
//! | `token` | tokens of terminals and keys of operators | |
//! | `wait` | waits for a condition | |
//!
//! Dropping a node, a terminal, a Redis server or a process ends it, so that a test leaves nothing behind, however it
//! ends. All of them panic where a test would: when something does not start, or does not happen within
//! `wait::PATIENCE`.
//!
//! The programs `agents` and `witness` are for scripts: terminals that write down what happens to them. They need no
//! node and are built without a feature. The program `conformance` is both ends of a WebSocket, which send back what they receive.

mod certificates;
#[cfg(feature = "redis")]
mod channel;
pub mod corpus;
mod false_clock;
pub mod floors;
pub mod follower;
#[cfg(target_os = "linux")]
mod frozen_thread;
pub mod http;
mod manager;
#[cfg(feature = "nodes")]
mod node;
mod port;
mod process;
#[cfg(feature = "redis")]
mod redis_cluster;
#[cfg(feature = "redis")]
mod redis_server;
#[cfg(feature = "redis")]
mod redis_settings;
#[cfg(feature = "nodes")]
mod terminal;
#[cfg(feature = "tls")]
mod tls_front;
pub mod token;
pub mod wait;

#[cfg(target_os = "linux")]
pub use self::frozen_thread::FrozenThread;
#[cfg(feature = "tls")]
pub use self::tls_front::TlsFront;
pub use self::{
    certificates::Certificates,
    false_clock::FalseClock,
    manager::TestManager,
    port::free_port,
    process::{LoggedProcess, TestProcess},
};
#[cfg(feature = "redis")]
pub use self::{
    channel::ChannelListener, redis_cluster::TestCluster, redis_server::TestRedis, redis_settings::TestServer,
};
#[cfg(feature = "nodes")]
pub use self::{node::TestNode, terminal::OnlineTerminal};
