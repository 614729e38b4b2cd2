//! The URLs of a run with their addresses.

use std::{net::SocketAddr, sync::Arc, time::Duration};

use anyhow::{Context, bail};
use muster_net::{Tls, lookup::lookup};
use tokio::time::Instant;
use tokio_tungstenite::tungstenite::http::Uri;

use crate::config::FleetConfig;

/// How long the look-up of a name may take.
const LOOKUP: Duration = Duration::from_secs(10);

/// A URL with what all terminals share.
pub(super) struct ResolvedUrl {
    pub uri: Uri,
    pub host: Arc<str>,
    pub addresses: Arc<[SocketAddr]>,
    /// `None` without TLS.
    pub tls: Option<Tls>,
}

/// Looks up all addresses of each URL's host, once for all terminals.
pub(super) async fn resolve(fleet: &FleetConfig) -> anyhow::Result<Vec<ResolvedUrl>> {
    let mut resolved = Vec::new();
    for url in &fleet.url {
        let uri: Uri = url.parse().with_context(|| format!("--url {url}"))?;
        let host =
            uri.host().with_context(|| format!("--url {url} names no host"))?.trim_matches(['[', ']']).to_owned();
        let tls = fleet.tls.of(&uri)?;
        let port = uri.port_u16().unwrap_or(if tls.is_some() { 443 } else { 80 });
        let found = lookup(&host, port, Instant::now() + LOOKUP).await.with_context(|| format!("--url {url}"))?;
        if let Some(source) = fleet.source.iter().find(|source| found.iter().all(|to| to.is_ipv4() != source.is_ipv4()))
        {
            bail!("--source {source}: no address of --url {url} can be reached from it");
        }
        resolved.push(ResolvedUrl { uri, host: host.into(), addresses: found.into(), tls });
    }
    Ok(resolved)
}
