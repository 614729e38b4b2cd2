//! Decides whether Nginx learns of nodes by DNS, without reloads, or from its configuration. That depends on
//! `--resolve` and on the version of Nginx.

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

/// The three numbers of a version.
type NginxVersion = [u32; 3];

/// The first open-source version with `resolve` and `resolver` in an upstream.
const SINCE: NginxVersion = [1, 27, 3];

/// Returns whether Nginx is to learn of nodes by DNS. An error if `--resolve on` asks for what this Nginx can't do.
pub async fn by_dns(config: &Config) -> anyhow::Result<bool> {
    match config.resolve {
        ResolveMode::Off => Ok(false),
        // An Nginx whose version can't be read can still be reloaded.
        ResolveMode::Auto => Ok(version(config).await.is_ok_and(|found| found >= SINCE)),
        ResolveMode::On => require(version(config).await?).map(|()| true),
    }
}

/// Starts the DNS server if Nginx is to use it. If another process took its port while no sidecar ran, it gets another
/// port, which is stored.
pub async fn serve(
    ports: &mut Ports,
    config: &Config,
    status: &Arc<StatusServer>,
) -> anyhow::Result<Option<Arc<DnsServer>>> {
    let Some(address) = ports.resolver else { return Ok(None) };
    let dns = match DnsServer::serve(address, status.clone()).await {
        Ok(dns) => dns,
        Err(_) => DnsServer::serve(ports.renew_resolver(&config.dir)?, status.clone())
            .await
            .context("--resolve: there is no free port on 127.0.0.1 for DNS")?,
    };
    Ok(Some(Arc::new(dns)))
}

fn require(found: NginxVersion) -> anyhow::Result<()> {
    if found < SINCE {
        let [since, found] = [SINCE, found].map(|version| version.map(|part| part.to_string()).join("."));
        bail!(
            "--resolve on: this needs Nginx {since} or newer, and --nginx is {found}; install a newer one, or use --resolve auto"
        );
    }
    Ok(())
}

async fn version(config: &Config) -> anyhow::Result<NginxVersion> {
    let printed = describe(config, "-v").await?;
    parse_version(&printed).with_context(|| {
        format!("--nginx {}: can't read its version from the output of -v: {printed}", config.nginx.display())
    })
}

/// Returns what the Nginx that runs prints of itself with `-v` or `-V`, since a newer one may have been installed after
/// its start, or else `--nginx`.
pub async fn describe(config: &Config, flag: &str) -> anyhow::Result<String> {
    let running = running(config).map(|master| PathBuf::from(format!("/proc/{master}/exe")));
    for program in running.iter().chain([&config.nginx]) {
        // The program of another user's process can't be read.
        if let Ok(output) = Command::new(program).arg(flag).stdin(Stdio::null()).output().await {
            return Ok(String::from_utf8_lossy(&output.stderr).trim().to_owned());
        }
    }
    bail!(missing(config))
}

fn parse_version(printed: &str) -> Option<NginxVersion> {
    let numbers = printed.strip_prefix("nginx version: ")?.split_once('/')?.1.split_whitespace().next()?;
    let mut numbers = numbers.split('.').map(str::parse);
    let mut next = || numbers.next()?.ok();
    Some([next()?, next()?, next()?])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_version_is_read_from_the_output_of_nginx() {
        assert_eq!(parse_version("nginx version: nginx/1.22.1"), Some([1, 22, 1]));
        assert_eq!(parse_version("nginx version: nginx/1.27.3 (Ubuntu)"), Some([1, 27, 3]));
        assert_eq!(parse_version("nginx version: openresty/1.27.1.2"), Some([1, 27, 1]));
        assert_eq!(parse_version("sh: nginx: not found"), None);
    }

    #[test]
    fn an_older_nginx_is_refused_with_the_flag_and_both_versions() {
        for (found, can) in [([1, 22, 1], false), ([1, 27, 2], false), ([1, 27, 3], true), ([2, 0, 0], true)] {
            assert_eq!(require(found).is_ok(), can, "{found:?}");
        }
        let error = require([1, 22, 1]).unwrap_err().to_string();
        assert!(error.contains("--resolve on") && error.contains("1.22.1") && error.contains("1.27.3"), "{error}");
    }
}
