//! The terminal's side of Muster: connect, hello, reconnect by policy, acknowledge, dedupe.
//!
//! ```text
//!   program ── Terminal ──▶ ┌ life ──────────────────────────────┐
//!                  orders   │ dial ▶ session ▶ end ▶ policy ─┐    │ ──▶ node
//!   program ◀─ Listener ─── │  ▲                      delay ─┘    │ ◀──
//!                 incoming  └──┴─────────────────────────────────┘
//! ```
//!
//! A [`Terminal`] is a handle; one task behind it owns the socket and lives as long as the terminal wants to be on the line.
//! What happens is told to a [`Listener`], in order, by that same task: it reads no further before the listener is done, so
//! a program that falls behind slows its node down and nothing is queued without bound.
//!
//! In reading order: [`config`] is what a program decides, `endpoint` takes a URL apart, [`incoming`] is what a program is
//! told, [`end`] is how a connection ends, [`policy`] says when to come back, `memory` knows the last commands and the cursor,
//! `waiting` holds what waits its turn, `outgoing` is what a program sends, `limit` how large it may be and `outbox` the results that may have to be sent again; these
//! are `kept` from one session to the next. `dial` opens a session, `session` is one connection, `life` strings sessions together, and
//! [`terminal`] is the handle.
//!
//! Not here: TLS. A terminal that needs `wss` runs behind a local proxy, or uses any WebSocket library and plain mode.

pub mod config;
mod dial;
pub mod end;
mod endpoint;
pub mod incoming;
mod kept;
mod life;
mod limit;
mod memory;
mod outbox;
mod outgoing;
pub mod policy;
mod session;
pub mod terminal;
mod waiting;

pub use config::{Config, InvalidConfig, Token};
pub use end::End;
pub use incoming::{Incoming, Listener};
pub use policy::{Backoff, Policy};
pub use terminal::{SendError, Terminal};
