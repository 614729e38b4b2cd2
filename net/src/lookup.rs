//! Looks up all addresses of a name.

use std::net::SocketAddr;

use tokio::{
    net::lookup_host,
    time::{Instant, timeout_at},
};

use crate::ConnectError;

/// How many addresses of a name are used at most. Later ones are ignored.
pub const MOST: usize = 16;

/// Returns the addresses of a host in the order of the system's resolver, at least one and at most [`MOST`]. The host
/// is a name or an IP address, IPv6 without brackets. The system's resolver can't be interrupted: when the deadline has
/// passed, its thread goes on until the resolver gives up.
pub async fn lookup(host: &str, port: u16, deadline: Instant) -> Result<Vec<SocketAddr>, ConnectError> {
    let late = || ConnectError::Lookup(host.to_owned(), std::io::ErrorKind::TimedOut.into());
    let found = timeout_at(deadline, lookup_host((host, port))).await.map_err(|_| late())?;
    let found = found.map_err(|error| ConnectError::Lookup(host.to_owned(), error))?;
    let addresses: Vec<SocketAddr> = found.take(MOST).collect();
    if addresses.is_empty() { Err(ConnectError::NoAddress(host.to_owned())) } else { Ok(addresses) }
}
