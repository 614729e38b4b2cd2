//! Whether Nginx learns of the nodes by DNS and is never reloaded for them, or from its file: what is asked for by `--resolve`, and
//! what the Nginx that is there can do.

use std::{path::PathBuf, process::Stdio, sync::Arc};

use anyhow::{Context, bail};
use tokio::process::Command;

use crate::{
    config::{Config, ResolveMode},
    dns::DnsServer,
    nginx::{missing, running},
    ports::Ports,
    status::StatusServer,
};

/// A version's three numbers.
type NginxVersion = [u32; 3];

/// The first whose open source has `resolve` and a `resolver` for an upstream.
const SINCE: NginxVersion = [1, 27, 3];

/// Whether by DNS.
pub async fn by_dns(config: &Config) -> anyhow::Result<bool> {
    match config.resolve {
        ResolveMode::Off => Ok(false),
        // One that does not say which it is can still be reloaded.
        ResolveMode::Auto => Ok(version(config).await.is_ok_and(|found| found >= SINCE)),
        ResolveMode::On => require(version(config).await?).map(|()| true),
    }
}

/// Where Nginx asks, if it does. The port may have been taken while no sidecar was there.
pub async fn serve(
    ports: &mut Ports,
    config: &Config,
    status: &Arc<StatusServer>,
) -> anyhow::Result<Option<Arc<DnsServer>>> {
    let Some(address) = ports.resolver else { return Ok(None) };
    let dns = match DnsServer::serve(address, status.clone()).await {
        Ok(dns) => dns,
        Err(_) => {
            DnsServer::serve(ports.renew_resolver(&config.dir)?, status.clone()).await.context("no port for DNS")?
        }
    };
    Ok(Some(Arc::new(dns)))
}

fn require(found: NginxVersion) -> anyhow::Result<()> {
    if found < SINCE {
        let [since, found] = [SINCE, found].map(|version| version.map(|part| part.to_string()).join("."));
        bail!(
            "--resolve on: needs Nginx {since} or newer, and this one is {found}; say where a newer one is by --nginx, or leave it to reloads by --resolve auto"
        );
    }
    Ok(())
}

/// Which Nginx this is: the one that runs already, though a newer one may be installed by now, or else the one that would be run.
async fn version(config: &Config) -> anyhow::Result<NginxVersion> {
    let running = running(config).map(|master| PathBuf::from(format!("/proc/{master}/exe")));
    for program in running.iter().chain([&config.nginx]) {
        // Another user's process does not show its program.
        if let Ok(said) = Command::new(program).arg("-v").stdin(Stdio::null()).output().await {
            let said = String::from_utf8_lossy(&said.stderr).trim().to_owned();
            return parse_version(&said)
                .with_context(|| format!("--nginx {}: -v does not say which Nginx it is: {said}", program.display()));
        }
    }
    bail!(missing(config))
}

fn parse_version(said: &str) -> Option<NginxVersion> {
    let numbers = said.strip_prefix("nginx version: ")?.split_once('/')?.1.split_whitespace().next()?;
    let mut numbers = numbers.split('.').map(str::parse);
    let mut next = || numbers.next()?.ok();
    Some([next()?, next()?, next()?])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_version_is_read_from_what_nginx_says() {
        assert_eq!(parse_version("nginx version: nginx/1.22.1"), Some([1, 22, 1]));
        assert_eq!(parse_version("nginx version: nginx/1.27.3 (Ubuntu)"), Some([1, 27, 3]));
        assert_eq!(parse_version("nginx version: openresty/1.27.1.2"), Some([1, 27, 1]));
        assert_eq!(parse_version("sh: nginx: not found"), None);
    }

    #[test]
    fn an_older_one_is_refused_by_flag_and_version() {
        for (found, can) in [([1, 22, 1], false), ([1, 27, 2], false), ([1, 27, 3], true), ([2, 0, 0], true)] {
            assert_eq!(require(found).is_ok(), can, "{found:?}");
        }
        let error = require([1, 22, 1]).unwrap_err().to_string();
        assert!(error.contains("--resolve on") && error.contains("1.22.1") && error.contains("1.27.3"), "{error}");
    }
}
