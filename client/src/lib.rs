//! The terminal's side of Muster: connects to a node, reconnects by a policy, acknowledges commands and drops repeated
//! ones.
//!
//! ```text
//!   program ── Terminal ──▶ ┌ connector ─────────────────────────┐
//!                 outgoing  │ dial ▶ session ▶ end ▶ policy ─┐    │ ──▶ node
//!   program ◀─ Listener ─── │  ▲                      delay ─┘    │ ◀──
//!                 incoming  └──┴─────────────────────────────────┘
//! ```
//!
//! A [`Terminal`] is a handle. One task behind it owns the socket and runs until the terminal is closed or told to stay
//! away. The same task reports what happens to a [`Listener`], in order, and reads no further until the listener
//! returns. So a program that falls behind slows its node down, and no queue grows without bound.
//!
//! | module | what it has |
//! |---|---|
//! | [`config`] | the configuration |
//! | [`terminal`] | the handle |
//! | [`incoming`] | what is reported to the program |
//! | [`end`] | how a connection ends |
//! | [`policy`] | how long to wait before reconnecting |
//! | `connector` | the task: connects, serves, waits, connects again |
//! | `dial`, `endpoint` | opens a session; the URLs |
//! | `server` | a node or a proxy, and the connection to it |
//! | [`tls`] | which servers are trusted, and the terminal's certificate |
//! | `session` | one connection |
//! | `state` | what outlives a session: |
//! | [`token`] | a token and where it comes from |
//! | `renewal` | when the token's source is asked |
//! | `renewed_file` | a token that a node renews, and the file that keeps it |
//! | `seen` | the last commands and the cursor |
//! | `stagger` | commands that wait for their share of a stagger |
//! | `outgoing`, `limit` | a message to the node, and how large it may be |
//! | `outbox` | the last results, which are sent again |
//! | `platform` | what files have on Unix alone |
//!
//! # Example
//!
//! ```no_run
//! use muster_client::{Config, Incoming, Terminal, TokenSource};
//!
//! # async fn example() -> Result<(), Box<dyn std::error::Error>> {
//! let (reports, mut incoming) = tokio::sync::mpsc::channel(16);
//! let mut config = Config::new(["ws://127.0.0.1:9000/ws"], "kiosk-7".parse()?);
//! config.token = Some(TokenSource::file("/etc/kiosk/token"));
//! let terminal = Terminal::start(config, reports)?;
//! while let Some(report) = incoming.recv().await {
//!     if let Incoming::Command { command, .. } = report {
//!         println!("{}: {}", command.name, command.payload.as_json());
//!         terminal.result(command.id, true, command.payload).await?;
//!     }
//! }
//! # Ok(())
//! # }
//! ```
//!
//! # TLS
//!
//! A URL that begins with `wss://` asks for TLS 1.2 or 1.3. By default the terminal trusts the CAs that the system
//! trusts. A [`TlsSource`] names other CAs, and a certificate for the terminal:
//!
//! ```no_run
//! # use muster_client::{Config, TlsFiles, TlsSource};
//! # fn example(config: &mut Config) {
//! let files = TlsFiles { ca: Some("/etc/kiosk/ca.pem".into()), ..TlsFiles::default() };
//! config.tls = TlsSource::files(files);
//! # }
//! ```

pub mod config;
mod connector;
mod dial;
pub mod end;
mod endpoint;
#[cfg(test)]
mod fuzzing;
pub mod incoming;
mod limit;
mod outbox;
mod outgoing;
mod platform;
pub mod policy;
mod renewal;
mod renewed_file;
mod seen;
mod server;
mod session;
mod sleep;
mod stagger;
mod state;
pub mod terminal;
pub mod tls;
pub mod token;
mod token_file;
mod token_source;

pub use config::{Config, ConfigError};
pub use end::ConnectionEnd;
pub use incoming::{Incoming, Listener};
pub use muster_net::{BadTlsFile, TlsFiles, TlsFlags};
pub use policy::{Backoff, Policy};
pub use terminal::{SendError, Terminal};
pub use tls::TlsSource;
pub use token::{Token, TokenUnavailable};
pub use token_source::TokenSource;
