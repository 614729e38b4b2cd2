//! Every setting of a run: flag, default, and why.

use std::{net::IpAddr, path::PathBuf, str::FromStr, time::Duration};

use anyhow::bail;
use clap::Args;
use muster_protocol::token::Secret;
use rustix::process::{Resource, getrlimit, setrlimit};

/// Ports that one source address has for outgoing connections by default, rounded down.
const PORTS: usize = 28_000;
/// Descriptors beside the terminals' own.
const RESERVE: u64 = 64;

/// Which terminals, and how they connect.
#[derive(Debug, Clone, Args)]
pub struct Line {
    /// Where terminals connect; several are tried in turn
    #[arg(long, value_name = "WS_URL", required = true, value_delimiter = ',')]
    pub url: Vec<String>,

    /// The secret that the terminals' tokens are signed with, unless the nodes are --insecure
    #[arg(long, env = "MUSTER_SECRET", value_name = "KID=SECRET", hide_env_values = true)]
    pub secret: Option<Secret>,

    /// How many terminals
    #[arg(long, value_name = "N", default_value_t = 2000)]
    pub terminals: usize,

    /// Source addresses, taken in turn: one has about 28,000 ports
    #[arg(long, value_name = "IP", value_delimiter = ',')]
    pub source: Vec<IpAddr>,

    /// Plain terminals, which confirm nothing
    #[arg(long)]
    pub plain: bool,
}

/// What to run.
#[derive(Debug, Clone, Args)]
pub struct Config {
    /// The terminals.
    #[command(flatten)]
    pub line: Line,

    /// Where broadcasts are posted
    #[arg(long, value_name = "HTTP_URL")]
    pub api: hyper::Uri,

    /// An operator key with the scope command, unless the nodes are --insecure
    #[arg(long, env = "MUSTER_KEY", hide_env_values = true)]
    pub key: Option<String>,

    /// Over how long they connect: all at once is another test
    #[arg(long, value_name = "TIME", value_parser = humantime::parse_duration, default_value = "5s")]
    pub ramp: Duration,

    /// For how long broadcasts are sent, after the ramp
    #[arg(long = "for", value_name = "TIME", value_parser = humantime::parse_duration, default_value = "20s")]
    pub duration: Duration,

    /// Broadcasts per second
    #[arg(long, value_name = "RATE", default_value_t = 5.0)]
    pub broadcasts: f64,

    /// Bytes of each payload
    #[arg(long, value_name = "BYTES", default_value_t = 128)]
    pub payload: usize,

    /// The share of the terminals that leaves each second, and comes back: 5%/s, 5% or 0.05
    #[arg(long, value_name = "SHARE", default_value = "0")]
    pub churn: Share,

    /// How long those that left stay away, on average; never under 200 ms
    #[arg(long, value_name = "TIME", value_parser = humantime::parse_duration, default_value = "1s")]
    pub away: Duration,

    /// What is not there so long after it was due is late
    #[arg(long, value_name = "TIME", value_parser = humantime::parse_duration, default_value = "5s")]
    pub grace: Duration,

    /// How long a terminal must have been ready before a broadcast counts as meant for it
    #[arg(long, value_name = "TIME", value_parser = humantime::parse_duration, default_value = "250ms")]
    pub settle: Duration,

    /// The same seed makes the same schedule; a fresh one is printed
    #[arg(long)]
    pub seed: Option<u64>,

    /// Also write the report as JSON
    #[arg(long, value_name = "FILE")]
    pub json: Option<PathBuf>,
}

/// A share between 0 and 1.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Share(pub f64);

impl FromStr for Share {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let number = text.trim_end_matches("/s");
        let (number, unit) = number.strip_suffix('%').map_or((number, 1.0), |number| (number, 100.0));
        let share = number.parse::<f64>().ok().map(|number| number / unit);
        share.filter(|share| (0.0..=1.0).contains(share)).map(Self).ok_or_else(|| "a share is 5%/s, 5% or 0.05".into())
    }
}

impl Config {
    /// Checks what no single flag can know.
    pub fn validate(&self) -> anyhow::Result<()> {
        if !(self.broadcasts > 0.0 && self.broadcasts <= 10_000.0) {
            bail!("--broadcasts must be a rate above 0, at most 10000 a second");
        }
        if self.api.authority().is_none() || self.api.scheme_str() != Some("http") {
            bail!("--api must be http://HOST:PORT, not {}", self.api);
        }
        self.line.validate()
    }
}

impl Line {
    /// Checks what no single flag can know, and takes as many descriptors as it needs and may have.
    pub fn validate(&self) -> anyhow::Result<()> {
        if let Some(url) = self.url.iter().find(|url| !url.starts_with("ws://")) {
            bail!("--url must be ws://HOST:PORT/PATH, not {url}");
        }
        let sources = self.source.len().max(1);
        if self.terminals == 0 || self.terminals.div_ceil(sources) > PORTS {
            bail!(
                "--terminals must be 1 to {} with {sources} source address(es); give more by --source",
                PORTS * sources
            );
        }
        let limit = getrlimit(Resource::Nofile);
        let need = self.terminals as u64 + RESERVE;
        if limit.maximum.is_some_and(|most| most < need) {
            bail!(
                "--terminals {} needs {need} open files, this process may have {}; lower it or raise `ulimit -Hn`",
                self.terminals,
                limit.maximum.unwrap_or_default()
            );
        }
        setrlimit(Resource::Nofile, rustix::process::Rlimit { current: limit.maximum, ..limit })?;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_share_is_written_in_three_ways() {
        for text in ["5%/s", "5%", "0.05"] {
            assert_eq!(text.parse(), Ok(Share(0.05)), "{text}");
        }
        for bad in ["", "5", "-1%", "x%"] {
            assert!(bad.parse::<Share>().is_err(), "{bad}");
        }
    }
}
