//! What two Muster programs must agree on: ids, frames, close codes, tokens, the types of the API. No I/O, no runtime,
//! no clock.
//!
//! ```text
//!   terminal ──── frame, close ────▶ node ──── selector, api ────▶ operator
//!       └────────────── id ───────────┴──────────── id ───────────────┘
//! ```
//!
//! | module | what it has |
//! |---|---|
//! | [`id`] | ids of terminals, nodes, commands and sessions |
//! | [`payload`] | JSON or bytes that are carried and never rewritten |
//! | [`frame`] | the frames of `muster.v1`, between a terminal and its node |
//! | [`close`] | close codes, and what a terminal does after each |
//! | [`selector`] | labels, and which terminals a command is for |
//! | [`api`] | what operators send and receive |
//! | [`token`] | tokens of terminals and operators |
//! | [`inbox`] | messages to a node from a program that is not a node |
//! | [`address`] | the form in which IP addresses are compared |
//! | [`redis_keys`] | names of keys and channels in Redis |
//! | `command_line` | what the command lines of programs have in common; with the feature `command-line` |
//! | `json_schema` | what the types of the API look like in JSON, where it is not derived; with the feature `json-schema` |
//! | [`partition`] | which part of the store a terminal or a command belongs to |
//! | [`schema`] | which schemas of the store a program of this version runs on |
//! | [`seal`] | by what a node knows that another node of its cluster wrote what it reads |
//!
//! The files in `protocol/vectors` hold examples of frames, closes, ids and tokens, which this crate is tested with;
//! other clients can be tested with them too.

pub mod address;
pub mod api;
pub mod close;
#[cfg(feature = "command-line")]
pub mod command_line;

pub mod frame;
pub mod id;
pub mod inbox;
#[cfg(feature = "json-schema")]
pub mod json_schema;
pub mod partition;
pub mod payload;
pub mod redis_keys;
pub mod schema;
pub mod seal;
pub mod selector;
pub mod token;

pub use close::CloseCode;
pub use id::{ClusterName, CommandId, NodeId, NoticeName, RolloutId, SelectorName, SessionId, TerminalId};
pub use payload::Payload;
pub use selector::Selector;
