//! Nodes that a name in DNS lists, as a headless service of Kubernetes does. The sidecar asks the system's resolver
//! every 2 s. A resolver that keeps answers follows their TTL.

use std::time::{Duration, Instant};

use anyhow::{Context, bail};
use ipnet::IpNet;
use muster_protocol::address::{canonical, lies_in};
use tokio::{net::lookup_host, time};

use crate::membership::Members;

/// How long an answer is used.
const USED: Duration = Duration::from_secs(2);
/// How long a look-up may take.
const LOOKUP: Duration = Duration::from_secs(3);
/// The most addresses of a name that are used.
const NODES_MAX: usize = 1000;

/// Looks up one name.
pub struct NodeName {
    name: String,
    port: u16,
    /// The last answer, and until when it is used.
    answer: Option<(Members, Instant)>,
}

impl NodeName {
    /// Prepares to look up this name. Its nodes have this port.
    pub fn new(name: &str, port: u16) -> Self {
        Self { name: name.to_owned(), port, answer: None }
    }

    /// Returns the addresses of the name (A and AAAA). An error if it has no address, or one that is in no network of
    /// `allow`.
    pub async fn read(&mut self, allow: &[IpNet], now: Instant) -> anyhow::Result<Members> {
        if let Some((nodes, until)) = &self.answer
            && now < *until
        {
            return Ok(nodes.clone());
        }
        let lookup = time::timeout(LOOKUP, lookup_host((self.name.as_str(), self.port))).await;
        let found = lookup.context("DNS does not answer")?.context("can't look it up")?;
        let nodes: Members = found.take(NODES_MAX).map(canonical).collect();
        if let Some(outside) = nodes.iter().find(|node| !lies_in(node.ip(), allow)) {
            bail!("its address {} is in no network of --allow", outside.ip());
        }
        if nodes.is_empty() {
            bail!("it has no address");
        }
        Ok(self.answer.insert((nodes, now + USED)).0.clone())
    }
}

#[cfg(test)]
mod tests {
    use std::net::SocketAddr;

    use super::*;

    #[tokio::test]
    async fn a_name_has_its_addresses_with_the_port() {
        let (mut name, mut now) = (NodeName::new("localhost", 8765), Instant::now());
        let loopback = ["127.0.0.0/8".parse().unwrap(), "::1/128".parse().unwrap()];
        let nodes = name.read(&loopback, now).await.unwrap();
        assert!(nodes.contains(&SocketAddr::from(([127, 0, 0, 1], 8765))), "{nodes:?}");
        assert_eq!(name.read(&[], now).await.unwrap(), nodes, "the answer is used for a while");
        now += USED;
        let error = format!("{:#}", name.read(&[], now).await.unwrap_err());
        assert!(error.contains("--allow"), "{error}");
    }
}
