//! The addresses of a proxy, stored in a file of `--dir`. A sidecar that starts again needs them to find the Nginx that
//! it left running, and Nginx needs them to find its resolver.

use std::{
    fs, io,
    net::{IpAddr, Ipv4Addr, SocketAddr, TcpListener},
    path::{Path, PathBuf},
};

use anyhow::Context;
use serde::{Deserialize, Serialize};

/// Any free port of the loopback address.
pub const LOOPBACK: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 0);

/// The addresses at which Nginx and its sidecar listen.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ports {
    /// Where Nginx listens for terminals and operators.
    pub listen: SocketAddr,
    /// Where Nginx tells the sidecar its generation.
    pub control: SocketAddr,
    /// Where the sidecar answers Nginx's DNS queries. `None` if Nginx learns of nodes by reloads.
    pub resolver: Option<SocketAddr>,
    /// Where Nginx tells the sidecar of the errors that clients get. `None` if they are not counted.
    pub errors: Option<SocketAddr>,
}

impl Ports {
    /// Chooses the stored addresses if they still match `listen`, and free ones otherwise. Does not store them: see
    /// [`Ports::keep`].
    pub fn choose(dir: &Path, listen: SocketAddr, by_dns: bool) -> anyhow::Result<Self> {
        let fits = |ports: &Self| ports.listen.ip() == listen.ip() && (listen.port() == 0 || ports.listen == listen);
        let mut ports = match before(dir).filter(fits) {
            Some(ports) => ports,
            None => Self { listen: free(listen)?, control: free(LOOPBACK)?, resolver: None, errors: None },
        };
        ports.resolver = match (by_dns, ports.resolver) {
            (false, _) => None,
            (true, Some(resolver)) => Some(resolver),
            (true, None) => Some(free(LOOPBACK)?),
        };
        Ok(ports)
    }

    /// Chooses and stores another address for the resolver, since another process took its port while no sidecar ran.
    pub fn renew_resolver(&mut self, dir: &Path) -> anyhow::Result<SocketAddr> {
        let resolver = free(LOOPBACK)?;
        self.resolver = Some(resolver);
        self.keep(dir)?;
        Ok(resolver)
    }

    /// Stores the addresses for the next sidecar. The file is replaced in one step. It is not written if it holds them
    /// already, so that a sidecar can start again while the disk is full.
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

/// Returns the addresses that an earlier sidecar stored.
fn before(dir: &Path) -> Option<Ports> {
    fs::read(file(dir)).ok().and_then(|text| serde_json::from_slice(&text).ok())
}

fn file(dir: &Path) -> PathBuf {
    dir.join("ports.json")
}

/// Returns the address, with a free port in place of port 0.
fn free(address: SocketAddr) -> anyhow::Result<SocketAddr> {
    if address.port() != 0 {
        return Ok(address);
    }
    let found: io::Result<_> = TcpListener::bind(address).and_then(|listener| listener.local_addr());
    found.with_context(|| format!("--listen {address}: there is no free port"))
}
