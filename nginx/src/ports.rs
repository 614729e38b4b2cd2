//! The addresses of a proxy, kept in a file: a sidecar that comes back must find the Nginx that it left, and be found by it.

use std::{
    fs, io,
    net::{IpAddr, Ipv4Addr, SocketAddr, TcpListener},
    path::{Path, PathBuf},
};

use anyhow::Context;
use serde::{Deserialize, Serialize};

/// Any free port of this machine's own.
const LOOPBACK: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 0);

/// Where Nginx and its sidecar listen.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ports {
    /// For terminals and operators.
    pub listen: SocketAddr,
    /// For the sidecar alone.
    pub control: SocketAddr,
    /// Where the sidecar tells Nginx of the nodes by DNS; none if it does so in files.
    pub resolver: Option<SocketAddr>,
}

impl Ports {
    /// Those of before, as far as they still fit to `listen`; free ones otherwise, which are not kept yet.
    pub fn settle(dir: &Path, listen: SocketAddr, by_dns: bool) -> anyhow::Result<Self> {
        let fits = |ports: &Self| ports.listen.ip() == listen.ip() && (listen.port() == 0 || ports.listen == listen);
        let mut ports = match before(dir).filter(fits) {
            Some(ports) => ports,
            None => Self { listen: free(listen)?, control: free(LOOPBACK)?, resolver: None },
        };
        ports.resolver = match (by_dns, ports.resolver) {
            (false, _) => None,
            (true, Some(resolver)) => Some(resolver),
            (true, None) => Some(free(LOOPBACK)?),
        };
        Ok(ports)
    }

    /// Another resolver: somebody took the port of the one before while no sidecar was there.
    pub fn renew_resolver(&mut self, dir: &Path) -> anyhow::Result<SocketAddr> {
        let resolver = free(LOOPBACK)?;
        self.resolver = Some(resolver);
        self.keep(dir)?;
        Ok(resolver)
    }

    /// Keeps them for the next sidecar, whole or not at all. Nothing is written if they are there already, so that a sidecar can start
    /// again while the disk is full.
    pub fn keep(&self, dir: &Path) -> anyhow::Result<()> {
        if before(dir) == Some(*self) {
            return Ok(());
        }
        let (file, next) = (file(dir), dir.join("ports.next"));
        let text = serde_json::to_vec(self)?;
        let written = fs::write(&next, text).and_then(|()| fs::rename(&next, &file));
        written.with_context(|| format!("--dir: can't write {}", file.display()))
    }
}

/// Those that an earlier sidecar kept.
fn before(dir: &Path) -> Option<Ports> {
    fs::read(file(dir)).ok().and_then(|text| serde_json::from_slice(&text).ok())
}

fn file(dir: &Path) -> PathBuf {
    dir.join("ports.json")
}

/// The address with a port that is free, if it asks for any.
fn free(address: SocketAddr) -> anyhow::Result<SocketAddr> {
    if address.port() != 0 {
        return Ok(address);
    }
    let found: io::Result<_> = TcpListener::bind(address).and_then(|listener| listener.local_addr());
    found.with_context(|| format!("--listen {address}: no free port there"))
}
