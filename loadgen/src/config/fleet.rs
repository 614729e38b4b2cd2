//! The settings of terminals and their connections, which `run` and `hold` share.

use std::{
    net::IpAddr,
    time::{Duration, SystemTime},
};

use clap::Args;
use muster_protocol::{
    TerminalId,
    token::{Secret, TerminalClaims, sign},
};

use super::TlsSettings;

/// The validity of the tokens that a run signs: 30 days. Sessions end with their tokens, and a run does not renew them.
const VALIDITY: Duration = Duration::from_secs(30 * 24 * 3600);

/// The terminals and how they connect.
#[derive(Debug, Clone, Args)]
pub struct FleetConfig {
    /// The WebSocket URLs that terminals connect to, ws:// or wss://. Terminals are spread over several URLs and over all
    /// addresses of their hosts, and each terminal tries them in turn
    #[arg(long, value_name = "WS_URL", required = true, value_delimiter = ',')]
    pub url: Vec<String>,

    /// How servers are trusted whose URLs begin with wss or https.
    #[command(flatten)]
    pub tls: TlsSettings,

    /// The secret that signs the terminals' tokens. Not needed if the nodes run with --insecure
    #[arg(long, env = "MUSTER_SECRET", value_name = "KID=SECRET", hide_env_values = true)]
    pub secret: Option<Secret>,

    /// The number of terminals
    #[arg(long, value_name = "N", default_value_t = 2000)]
    pub terminals: usize,

    /// The source addresses of connections, used in turn. One address has about 28,000 ports
    #[arg(long, value_name = "IP", value_delimiter = ',')]
    pub source: Vec<IpAddr>,

    /// Use plain terminals, which confirm nothing
    #[arg(long)]
    pub plain: bool,
}

impl FleetConfig {
    /// Signs a token for a terminal. Returns `None` if no secret is set.
    pub fn signed_token(&self, id: &TerminalId) -> anyhow::Result<Option<String>> {
        let Some(secret) = &self.secret else { return Ok(None) };
        let exp = (SystemTime::now().duration_since(SystemTime::UNIX_EPOCH)? + VALIDITY).as_secs();
        Ok(Some(sign(secret, &TerminalClaims::new(id.clone(), exp))))
    }
}
