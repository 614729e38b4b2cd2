//! The other nodes of the cluster, which of them takes a handshake, and which tokens none of them takes any more.
//!
//! ```text
//!   handshake ──▶ handshake_rates (of this terminal, of this address?) ──▶ admission (may this node take one more?) ──▶ placement (which node should?) ◀── peers (who is alive)
//! ```

pub mod admission;
mod handshake_rates;
pub mod peers;
pub mod placement;
pub mod revoked;

pub use self::{admission::Admission, handshake_rates::HandshakeRates, peers::Peers, placement::Candidate};
