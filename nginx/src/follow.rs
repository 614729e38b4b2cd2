//! The sidecar's loop: look at the leases, decide, apply. The set that is served changes only by [`membership::next`].

use std::{
    future::Future,
    net::SocketAddr,
    time::{Duration, Instant},
};

use tokio::{net::TcpStream, time};

use crate::{
    config::Config,
    leases::Leases,
    membership::{self, Members},
    proxy::Proxy,
};

/// A node that can't be connected to in this time does not answer.
const PROBE: Duration = Duration::from_millis(500);

/// What is served, and what is wanted since when.
struct Follow {
    leases: Leases,
    served: Members,
    wanted: Option<(Members, Instant)>,
    quiet: Duration,
    away: bool,
}

/// Follows the nodes until `stop` is ready. `ready` is called once Nginx serves.
pub async fn run(config: Config, ready: impl FnOnce(SocketAddr), stop: impl Future<Output = ()>) -> anyhow::Result<()> {
    let mut leases = Leases::open(&config.redis, config.allow.clone()).await?;
    let served = leases.read().await?;
    let (poll, quiet) = (config.poll, config.quiet);
    let mut proxy = Proxy::start(config, &served).await?;
    tracing::info!(nodes = ?served, "serving");
    ready(proxy.address());
    let mut follow = Follow { leases, served, wanted: None, quiet, away: false };
    let mut beat = time::interval(poll);
    tokio::pin!(stop);
    loop {
        tokio::select! {
            () = &mut stop => break,
            revived = proxy.revive() => revived?,
            _ = beat.tick() => follow.step(&mut proxy).await,
        }
    }
    proxy.stop().await;
    tracing::info!("stopped");
    Ok(())
}

impl Follow {
    async fn step(&mut self, proxy: &mut Proxy) {
        let Some(leased) = self.leased().await else { return };
        let gone: Members = self.served.difference(&leased).copied().collect();
        let next = membership::next(&self.served, &leased, &answering(&gone).await);
        if next == self.served {
            self.wanted = None;
        } else if self.stands(&next) {
            self.apply(proxy, next).await;
        }
    }

    /// The members by their leases, or none while Redis is away: then nothing changes.
    async fn leased(&mut self) -> Option<Members> {
        let read = self.leases.read().await;
        if read.is_err() != self.away {
            self.away = read.is_err();
            tracing::warn!(away = self.away, "Redis");
        }
        read.ok()
    }

    /// Whether the wanted set has stood still for long enough. From nothing to something there is nothing to wait for.
    fn stands(&mut self, next: &Members) -> bool {
        match &self.wanted {
            Some((wanted, since)) if wanted == next => since.elapsed() >= self.quiet,
            _ => {
                self.wanted = Some((next.clone(), Instant::now()));
                self.served.is_empty()
            }
        }
    }

    async fn apply(&mut self, proxy: &mut Proxy, next: Members) {
        let joined: Vec<_> = next.difference(&self.served).collect();
        let left: Vec<_> = self.served.difference(&next).collect();
        match proxy.apply(&next).await {
            Ok(()) => {
                tracing::info!(?joined, ?left, nodes = next.len(), "reloaded");
                self.served = next;
            }
            Err(error) => tracing::error!(?joined, ?left, "not applied: {error:#}"),
        }
        self.wanted = None;
    }
}

/// Those of these nodes that can be connected to, lease or not.
async fn answering(nodes: &Members) -> Members {
    let mut answering = Members::new();
    for node in nodes {
        if let Ok(Ok(_)) = time::timeout(PROBE, TcpStream::connect(node)).await {
            answering.insert(*node);
        }
    }
    answering
}
