//! The settings that whatever plays terminals has: a run, and who only holds them.

use std::net::IpAddr;

use clap::Args;
use muster_protocol::token::Secret;

/// Which terminals, and how they connect.
#[derive(Debug, Clone, Args)]
pub struct Line {
    /// Where terminals connect; several are shared out, and tried in turn
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
