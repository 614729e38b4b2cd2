//! The other nodes of the cluster, and which of them takes a handshake.
//!
//! ```text
//!   handshake ──▶ admission (may this node take one more?) ──▶ placement (which node should?) ◀── peers (who is alive)
//! ```

pub mod admission;
pub mod peers;
pub mod placement;

pub use self::{admission::Admission, peers::Peers, placement::Candidate};
