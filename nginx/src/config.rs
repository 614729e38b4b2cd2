//! Every setting of the sidecar: flag, environment variable, default, and why. `--help` is the reference.

use std::{net::SocketAddr, path::PathBuf, time::Duration};

use clap::Parser;
use ipnet::IpNet;

/// Networks that nodes live in: loopback and the private ranges.
const PRIVATE: &str = "127.0.0.0/8,10.0.0.0/8,172.16.0.0/12,192.168.0.0/16";

/// Keeps Nginx's upstream file in step with the live nodes
#[derive(Debug, Clone, Parser)]
#[command(name = "muster-sidecar", version)]
pub struct Config {
    /// The Redis in which the nodes hold their leases
    #[arg(long, env = "MUSTER_REDIS", value_name = "URL", hide_env_values = true)]
    pub redis: String,

    /// Where Nginx listens for terminals and operators; port 0 takes a free one and says which
    #[arg(long, env = "MUSTER_PROXY_LISTEN", value_name = "IP:PORT", default_value = "0.0.0.0:8080")]
    pub listen: SocketAddr,

    /// The path of the WebSocket, as the nodes have it
    #[arg(long, env = "MUSTER_WS_PATH", value_name = "PATH", default_value = "/ws", value_parser = path)]
    pub ws_path: String,

    /// The Nginx to run
    #[arg(long, env = "MUSTER_NGINX", value_name = "PROGRAM", default_value = "nginx")]
    pub nginx: PathBuf,

    /// Where the configuration, the pid file and the access log are kept
    #[arg(long, env = "MUSTER_PROXY_DIR", value_name = "DIR", default_value = "/var/lib/muster-sidecar")]
    pub dir: PathBuf,

    /// Networks that nodes may be in: an address outside never reaches the file
    #[arg(long, env = "MUSTER_ALLOW", value_name = "CIDR", value_delimiter = ',', default_value = PRIVATE)]
    pub allow: Vec<IpNet>,

    /// How often the leases are read
    #[arg(long, env = "MUSTER_POLL", value_name = "TIME", value_parser = humantime::parse_duration, default_value = "500ms")]
    pub poll: Duration,

    /// How long the set of nodes must stand still before a reload: each reload leaves workers behind
    #[arg(long, env = "MUSTER_QUIET", value_name = "TIME", value_parser = humantime::parse_duration, default_value = "1s")]
    pub quiet: Duration,

    /// Nginx's worker processes
    #[arg(long, env = "MUSTER_WORKERS", value_name = "N", default_value_t = 2)]
    pub workers: u16,

    /// Connections of one worker, two for each session; a worker that lingers after a reload costs 0.43 kB for each
    #[arg(long, env = "MUSTER_CONNECTIONS", value_name = "N", default_value_t = 8192)]
    pub connections: u32,
}

/// A path that can stand in Nginx's configuration as it is.
fn path(text: &str) -> Result<String, String> {
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"/-_.".contains(&byte);
    if text.starts_with('/') && text.bytes().all(allowed) {
        Ok(text.to_owned())
    } else {
        Err("a path begins with / and has only A-Z a-z 0-9 / - _ .".into())
    }
}
