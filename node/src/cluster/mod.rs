//! The other nodes of the cluster, which of them takes a handshake, which tokens none of them takes any more, and when keys were used.
//!
//! ```text
//!   handshake ──▶ handshake_rates (of this terminal, of this address?) ──▶ admission (may this node take one more?) ──▶ placement (which node should?) ◀── peers (who is alive)
//! ```
//!
//! `keyed_budgets` has a budget for each key, such as each address. `watch` notes what the node has too little of (`memory`, and more); `revoked` ends sessions of revoked tokens.

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
