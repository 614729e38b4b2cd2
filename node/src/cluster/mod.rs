//! What a node shares with the other nodes: which nodes there are, which of them takes a handshake, which tokens are
//! revoked, and when keys were used.
//!
//! ```text
//!   handshake ──▶ handshake_rates (too many from this terminal or address?)
//!             ──▶ admission (may this node take one more?)
//!             ──▶ placement (which node should take it?) ◀── peers (which nodes answer)
//! ```
//!
//! `keyed_budgets` has a budget for each key, such as each address. `watch` notes what the node has too little of, such
//! as `memory`. `revoked` ends the sessions of revoked tokens. `key_uses` tells the store when keys were used.

pub mod admission;
mod handshake_rates;
pub mod key_uses;
pub mod keyed_budgets;
mod memory;
pub mod peers;
pub mod placement;
pub mod revoked;
pub mod watch;

pub use self::{
    admission::Admission, handshake_rates::HandshakeRates, keyed_budgets::KeyedBudgets, peers::Peers,
    placement::Candidate,
};
