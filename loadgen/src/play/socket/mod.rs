//! A terminal's WebSocket connection, and the protocol on it. It has less overhead than the shipped client and can
//! misbehave on purpose: stop sending, reset the connection, and read slowly.
//!
//! A [`Dialer`] opens a connection, with TLS if the target has a [`TlsTarget`]. The [`TerminalSocket`] is the open
//! connection. All of them describe by `connection_end` why a connection failed or ended.

mod connection_end;
mod dialer;
mod terminal_socket;
mod tls_target;

pub use self::{
    dialer::{DialTarget, Dialer},
    terminal_socket::TerminalSocket,
    tls_target::TlsTarget,
};
