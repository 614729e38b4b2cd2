//! Checks before a run that both sides agree on TLS. Otherwise each terminal would fail, and only the end of the run
//! would say so.

use std::{net::SocketAddr, time::Duration};

use anyhow::{Context, bail};
use hyper::{StatusCode, Uri};
use muster_net::{ConnectError, Tls, detect::speaks_tls, lookup::lookup, source, tcp};
use tokio::time::{Instant, timeout};

use super::{
    api::Api,
    resolved_url::{ResolvedUrl, resolve},
};
use crate::config::{Config, ServerKind, asks_for_tls};

/// How long a server may take for one check.
const PATIENCE: Duration = Duration::from_secs(3);

/// Does a TLS handshake with the server of each `--url` that begins with `wss://`, and of an encrypted `--post`. Asks a
/// node of Muster behind `ws://` whether it speaks HTTP. Fails if the settings or the URL are wrong. Passes over a
/// `--url` whose server can't be reached; `operator::ask` checks `--api`.
pub async fn check(config: &Config) -> anyhow::Result<()> {
    for url in resolve(&config.fleet).await? {
        match &url.tls {
            Some(tls) => encrypted(&url, tls, config).await?,
            None if config.server() == ServerKind::Muster => plain(&url).await?,
            None => {}
        }
    }
    for post in config.posts_to().into_iter().filter(|post| asks_for_tls(post)) {
        Api::new(post, config)?.try_connect().await.with_context(|| format!("--post {post}"))?;
    }
    Ok(())
}

async fn encrypted(url: &ResolvedUrl, tls: &Tls, config: &Config) -> anyhow::Result<()> {
    let from = config.fleet.source.first().copied();
    let connecting = tcp::first(url.addresses.to_vec(), |to| source::socket(to, from));
    let Ok(Ok(tcp)) = timeout(PATIENCE, connecting).await else { return Ok(()) };
    match tls.handshake(&url.host, tcp, Instant::now() + PATIENCE).await {
        Err(ConnectError::Tls(peer, fault)) => bail!("--url {}: {peer}: {}", url.uri, tls.explain(&fault)),
        _ => Ok(()),
    }
}

async fn plain(url: &ResolvedUrl) -> anyhow::Result<()> {
    let authority = url.uri.authority().map_or("", |authority| authority.as_str());
    let server = Api::without_key(format!("http://{authority}").parse()?);
    let is_suspect = match timeout(PATIENCE, server.get("/livez")).await {
        Ok(Ok((status, _))) => status == StatusCode::BAD_REQUEST,
        Ok(Err(_)) => true,
        Err(_) => false,
    };
    if is_suspect && any_speaks_tls(&url.addresses).await {
        bail!("--url {}: the server speaks TLS; write wss:// instead of ws://", url.uri);
    }
    Ok(())
}

/// Fails if the server of a URL that begins with `http://` speaks TLS. Call this after the server did not answer as it
/// should.
pub async fn not_tls(flag: &str, uri: &Uri) -> anyhow::Result<()> {
    let host = uri.host().unwrap_or_default().trim_matches(['[', ']']);
    let found = lookup(host, uri.port_u16().unwrap_or(80), Instant::now() + PATIENCE).await.unwrap_or_default();
    if uri.scheme_str() == Some("http") && any_speaks_tls(&found).await {
        bail!("{flag} {uri}: the server speaks TLS; write https:// instead of http://");
    }
    Ok(())
}

async fn any_speaks_tls(addresses: &[SocketAddr]) -> bool {
    for address in addresses {
        if speaks_tls(*address, Instant::now() + PATIENCE).await {
            return true;
        }
    }
    false
}
