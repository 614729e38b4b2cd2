//! What a run writes and shows.

use std::{net::SocketAddr, path::PathBuf};

use clap::Args;

/// What a run writes and shows besides the report on stdout. Nothing by default.
#[derive(Debug, Clone, Default, Args)]
pub struct OutputSettings {
    /// Write the report as JSON to this file, too
    #[arg(long, value_name = "FILE")]
    pub json: Option<PathBuf>,

    /// Write the report as a single HTML page to this file, too
    #[arg(long, value_name = "FILE")]
    pub html: Option<PathBuf>,

    /// Write the checked conditions as JUnit XML to this file, too
    #[arg(long, value_name = "FILE")]
    pub junit: Option<PathBuf>,

    /// Write each histogram as NAME.hgrm and all of them as an interval log to this directory, too
    #[arg(long, value_name = "DIR")]
    pub hgrm: Option<PathBuf>,

    /// Write the plan and everything that was recorded as JSON lines to this directory, too. scripts/e2e/muster/ledger.py
    /// computes the same figures from them
    #[arg(long, value_name = "DIR")]
    pub logs: Option<PathBuf>,

    /// While the run lasts, serve its metrics for Prometheus at http://IP:PORT/metrics. Without an IP only this machine can ask
    #[arg(long, value_name = "[IP:]PORT", value_parser = address)]
    pub live_metrics: Option<SocketAddr>,
}

/// Parses an address; a port alone is one of loopback.
fn address(text: &str) -> Result<SocketAddr, String> {
    let loopback = text.parse().map(|port: u16| SocketAddr::from(([127, 0, 0, 1], port)));
    loopback.or_else(|_| text.parse()).map_err(|_| "it is PORT or IP:PORT".into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_port_alone_is_one_of_loopback() {
        assert_eq!(address("9200").unwrap().to_string(), "127.0.0.1:9200");
        assert_eq!(address("10.0.0.1:9200").unwrap().to_string(), "10.0.0.1:9200");
        assert!(address("localhost:9200").is_err() && address("70000").is_err());
    }
}
