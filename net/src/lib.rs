//! Connections out of Muster's programs: TCP to all addresses of a name, from a source address, and TLS on top. Also
//! connections into them when no file descriptor is left.
//!
//! ```text
//!   host, port ──▶ lookup ──▶ tcp ──▶ tls ──▶ Stream ──▶ exchange: one request, one answer
//!                              ▲       ▲
//!                           source   TlsFiles: CA, certificate, key
//! ```
//!
//! | Module | What it does |
//! |---|---|
//! | [`lookup`](mod@lookup) | finds all addresses of a name |
//! | [`source`] | makes a socket that is bound to a source address |
//! | [`tcp`] | connects to the first address that accepts |
//! | [`tls`] | loads certificates, does the TLS handshake, and says what is wrong with either |
//! | `accept` | accepts a connection also when no file descriptor is left; not on Windows |
//! | [`exchange`](mod@exchange) | sends one HTTP request, and reads its answer |
//! | [`detect`] | finds out whether a port speaks TLS, for an error message that is certain |
//!
//! The caller bounds every step in time. The TLS implementation is rustls with ring: Muster signs tokens with ring too,
//! so the workspace has one library for cryptography.

// Servers run on Unix alone.
#[cfg(unix)]
pub mod accept;
pub mod detect;
pub mod exchange;
pub mod lookup;
pub mod source;
mod stream;
pub mod tcp;
pub mod tls;

#[cfg(feature = "command-line")]
pub use self::tls::TlsArgs;
pub use self::{
    stream::Stream,
    tls::{BadTlsFile, Tls, TlsFault, TlsFiles, TlsFlags},
};

/// Why no connection was made. Each text names the host or address, and contains its cause.
#[derive(Debug, thiserror::Error)]
pub enum ConnectError {
    /// The name can't be looked up.
    #[error("the name {0} can't be looked up: {1}")]
    Lookup(String, std::io::Error),
    /// The name has no address, or none of the family of the source address.
    #[error("{0} has no address that can be used")]
    NoAddress(String),
    /// Every address refused. Holds the error of the last one.
    #[error("{0}: {1}")]
    Refused(String, std::io::Error),
    /// The deadline passed.
    #[error("{0} did not answer in time")]
    Late(String),
    /// TCP was connected and TLS was not.
    #[error("{0}: {1}")]
    Tls(String, TlsFault),
}
