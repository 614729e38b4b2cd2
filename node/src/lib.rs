//! A Muster node: terminals and operators on one port, and other nodes behind a backplane.
//!
//! ```text
//!   operator ──▶ http ──▶ backplane ══▶ (every node's) hub ──▶ fanout ──▶ terminal
//!                              ▲                                              │
//!                              └── reports ◀── session ◀── wire ◀── shard ◀───┘
//! ```
//!
//! In reading order. A module uses only what stands below it, but for [`shard`] and [`session`], which are two sides of one thing:
//! [`process`] is the program's log and signals, [`serve`] starts and stops the node, and [`advertise`] says where others reach it; [`http`] answers requests and handshakes;
//! [`admission`] is how many it takes; [`turn`] is whose turn it is to go, and [`departure`] sends sessions away; [`peers`] are the
//! other nodes; [`auth`] decides who is let in; [`shard`] is a thread with its share of the [`session`]s; [`backplane`] stores
//! commands and carries them between nodes; [`hub`] is the table of sessions; [`fanout`] writes to sockets; [`fence`] says until when
//! it may, [`standing`] whether it takes new sessions; [`reports`] gathers what sessions have to say; [`card`] is a session's
//! identity, [`end`] how it ends, [`wire`] its frames; [`metrics`] counts; [`secrets`] reads what is kept in files, and [`config`]
//! holds every setting, with [`placement`] the rule among them that needs most words.

pub mod process;

pub mod serve;

pub mod advertise;

pub mod http;

pub mod admission;

pub mod turn;

pub mod departure;

pub mod peers;

pub mod auth;

pub mod shard;

pub mod session;

pub mod backplane;

pub mod hub;

pub mod fanout;

pub mod fence;

pub mod standing;

pub mod reports;

pub mod card;

pub mod end;

pub mod wire;

pub mod metrics;

pub mod secrets;

pub mod config;

pub mod placement;
