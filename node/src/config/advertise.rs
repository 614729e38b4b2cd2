//! The address at which other nodes and Nginx reach this node: `--advertise`, or else `--listen`, or else, if the
//! node listens on all addresses, the address from which it reaches Redis. Nginx's sidecar uses the same Redis, so
//! Nginx is in the same network as the node, as the containers of one service are.

use std::{
    io,
    net::{Ipv4Addr, Ipv6Addr, SocketAddr},
    time::Duration,
};

use anyhow::{Context, bail};
use futures_util::future::{FutureExt, select_ok};
use muster_protocol::address::{canonical, lies_in};
use muster_redis::url;
use tokio::{
    net::{UdpSocket, lookup_host},
    time,
};

use crate::config::Config;

/// How long to wait for the name of a Redis that starts beside the node to resolve.
const START: Duration = Duration::from_secs(10);
const RETRY: Duration = Duration::from_millis(200);

/// The address that a node bound to `bound` publishes to the cluster. Fails if there is none that Nginx could reach.
pub async fn address(config: &Config, bound: SocketAddr) -> anyhow::Result<SocketAddr> {
    let bound = canonical(bound);
    let given = config.advertise.map(canonical).or(Some(bound).filter(|bound| !bound.ip().is_unspecified()));
    let (None, Some(redis)) = (given, &config.redis.url) else { return Ok(given.unwrap_or(bound)) };
    let nowhere = || format!("--listen {bound} is no address that Nginx can reach: give --advertise IP:PORT");
    let hosts = url::hosts(redis);
    if hosts.is_empty() {
        bail!(nowhere());
    }
    let found = time::timeout(START, towards(&hosts)).await;
    let unknown = || {
        format!("--redis: no address was found for {} within {} s; check the name", hosts.join(" or "), START.as_secs())
    };
    let ip = found.with_context(unknown).with_context(nowhere)?.ip();
    if ip.is_loopback() {
        // Nginx could be on any network.
        bail!(nowhere());
    }
    tracing::info!(%ip, "reached at the address from which Redis is");
    Ok(canonical(SocketAddr::new(ip, bound.port())))
}

/// Checks that other nodes with the same `--allow` would use this node. A node alone has none.
///
/// # Errors
/// If `address` is in no network of the list.
pub fn check_allowed(config: &Config, address: SocketAddr) -> anyhow::Result<()> {
    if config.redis.url.is_some() && !lies_in(address.ip(), &config.allow) {
        bail!(
            "--allow has no network with {address}, at which this node is reached, so no other node would use it: add the network, or \
             give --advertise IP:PORT"
        );
    }
    Ok(())
}

/// This host's address on the route to any of `hosts`, as soon as one is known. All hosts are tried at once: one of
/// several may not resolve, or may take long.
async fn towards(hosts: &[String]) -> SocketAddr {
    loop {
        match select_ok(hosts.iter().map(|host| route(host).boxed())).await {
            Ok((address, _)) => return address,
            Err(_) => time::sleep(RETRY).await,
        }
    }
}

/// A connected UDP socket has a local address, and nothing was sent.
async fn route(host: &str) -> io::Result<SocketAddr> {
    let to = lookup_host(host).await?.next().ok_or(io::ErrorKind::NotFound)?;
    let any = if to.is_ipv4() { Ipv4Addr::UNSPECIFIED.into() } else { Ipv6Addr::UNSPECIFIED.into() };
    let socket = UdpSocket::bind(SocketAddr::new(any, 0)).await?;
    socket.connect(to).await?;
    socket.local_addr()
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Parser)]
    struct Cli {
        #[command(flatten)]
        config: Config,
    }

    async fn told(bound: &str, flags: &[&str]) -> Result<String, String> {
        let config = Cli::parse_from(["node"].iter().chain(flags)).config;
        let address = address(&config, bound.parse().unwrap()).await;
        address.map(|address| address.to_string()).map_err(|error| format!("{error:#}"))
    }

    #[tokio::test]
    async fn what_is_known_is_told_as_it_is() {
        let redis = ["--redis", "redis://127.0.0.1:1"];
        assert_eq!(told("127.0.0.1:9000", &redis).await.unwrap(), "127.0.0.1:9000");
        assert_eq!(told("0.0.0.0:9000", &[]).await.unwrap(), "0.0.0.0:9000");
        let given = ["--redis", "redis://127.0.0.1:1", "--advertise", "10.0.0.1:9"];
        assert_eq!(told("0.0.0.0:9000", &given).await.unwrap(), "10.0.0.1:9");
        let mapped = ["--redis", "redis://127.0.0.1:1", "--advertise", "[::ffff:10.0.0.1]:9"];
        assert_eq!(told("[::]:9000", &mapped).await.unwrap(), "10.0.0.1:9");
    }

    #[test]
    fn a_node_that_the_others_would_not_use_does_not_start() {
        let check = |flags: &[&str]| {
            let config = Cli::parse_from(["node"].iter().chain(flags)).config;
            check_allowed(&config, "10.0.0.1:9000".parse().unwrap()).map_err(|error| error.to_string())
        };
        let redis = ["--redis", "redis://127.0.0.1:1", "--allow"];
        let error = check(&[&redis[..], &["192.168.0.0/16"]].concat()).unwrap_err();
        assert!(error.starts_with("--allow has no network with 10.0.0.1:9000"), "{error}");
        assert_eq!(check(&redis[..2]), Ok(()));
        assert_eq!(check(&[&redis[..], &["::ffff:10.0.0.0/104"]].concat()), Ok(()));
        assert_eq!(
            check(&redis[2..].iter().copied().chain(["192.168.0.0/16"]).collect::<Vec<_>>()),
            Ok(()),
            "it is alone"
        );
    }

    #[tokio::test]
    async fn loopback_is_no_place_for_others_to_look() {
        for redis in ["redis://127.0.0.1:1", "redis+unix:///run/redis.sock"] {
            let error = told("0.0.0.0:9000", &["--redis", redis]).await.unwrap_err();
            assert!(error.contains("give --advertise"), "{redis}: {error}");
        }
    }

    #[tokio::test]
    async fn the_way_to_a_host_shows_the_own_address() {
        assert_eq!(route("127.0.0.1:1").await.unwrap().ip().to_string(), "127.0.0.1");
        assert!(route("no.such.host.invalid:1").await.is_err());
        let hosts = ["no.such.host.invalid:1".to_owned(), "127.0.0.1:1".to_owned()];
        assert_eq!(towards(&hosts).await.ip().to_string(), "127.0.0.1");
    }
}
