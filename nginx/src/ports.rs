//! The two addresses that Nginx listens on, kept in a file: a sidecar that comes back must find the Nginx that it left.

use std::{
    fs, io,
    net::{SocketAddr, TcpListener},
    path::Path,
};

use anyhow::Context;
use serde::{Deserialize, Serialize};

/// Where Nginx listens.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ports {
    /// For terminals and operators.
    pub listen: SocketAddr,
    /// For the sidecar alone.
    pub control: SocketAddr,
}

impl Ports {
    /// Those of before, as far as they still fit to `listen`; free ones otherwise.
    pub fn settle(dir: &Path, listen: SocketAddr) -> anyhow::Result<Self> {
        let file = dir.join("ports.json");
        let before = fs::read(&file).ok().and_then(|text| serde_json::from_slice::<Self>(&text).ok());
        let fits = |ports: &Self| ports.listen.ip() == listen.ip() && (listen.port() == 0 || ports.listen == listen);
        let ports = match before.filter(fits) {
            Some(ports) => return Ok(ports),
            None => Self { listen: free(listen)?, control: free(([127, 0, 0, 1], 0).into())? },
        };
        fs::write(&file, serde_json::to_vec(&ports)?)
            .with_context(|| format!("--dir: can't write {}", file.display()))?;
        Ok(ports)
    }
}

/// The address with a port that is free, if it asks for any.
fn free(address: SocketAddr) -> anyhow::Result<SocketAddr> {
    if address.port() != 0 {
        return Ok(address);
    }
    let found: io::Result<_> = TcpListener::bind(address).and_then(|listener| listener.local_addr());
    found.with_context(|| format!("--listen {address}: no free port there"))
}
