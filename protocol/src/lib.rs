//! What two Muster programs must agree on, and nothing else: no I/O, no runtime, no clock.
//!
//! ```text
//!   terminal ──── frame, close ────▶ node ──── selector, api ────▶ operator
//!       └────────────── id ───────────┴──────────── id ───────────────┘
//! ```
//!
//! In reading order: [`id`] names things, [`payload`] is what they carry, [`frame`] is what a terminal and its node say,
//! [`close`] is how they part, [`selector`] says which terminals an operator means, [`api`] is what operators send
//! and get, and [`token`] is how both show who they are.

pub mod api;
pub mod close;

pub mod frame;
pub mod id;
pub mod inbox;
pub mod payload;
pub mod selector;
pub mod token;

pub use close::CloseCode;
pub use id::{CommandId, NodeId, SessionId, TerminalId};
pub use payload::Payload;
pub use selector::Selector;
