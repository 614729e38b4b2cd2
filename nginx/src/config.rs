//! Every setting of the sidecar: flag, environment variable, default, and why. `--help` is the reference.

use std::{net::SocketAddr, path::PathBuf, time::Duration};

use anyhow::{Context, bail};
use clap::{Args, ValueEnum};
use humantime::parse_duration as time;
use ipnet::IpNet;
use muster_protocol::ClusterName;
use muster_redis::url::with_password_file;

/// Networks that nodes live in: loopback and the private ranges.
const PRIVATE: &str = "127.0.0.0/8,10.0.0.0/8,172.16.0.0/12,192.168.0.0/16";

/// How changes of the set of nodes reach Nginx.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum ResolveMode {
    /// By DNS if this Nginx can, or else by reloads
    Auto,
    /// By DNS, or not at all: needs Nginx 1.27.3
    On,
    /// By reloads
    Off,
}

/// How the sidecar runs.
#[derive(Debug, Clone, Args)]
pub struct Config {
    /// The Redis in which the nodes hold their leases, as they have it: redis://, redis+sentinel:// or redis+cluster://
    #[arg(long, env = "MUSTER_REDIS", value_name = "URL", hide_env_values = true)]
    pub redis: Option<String>,

    /// A file with the password for --redis, which no list of processes then shows
    #[arg(long, env = "MUSTER_REDIS_PASSWORD_FILE", value_name = "FILE", requires = "redis")]
    pub redis_password_file: Option<PathBuf>,

    /// The name of the cluster, the same for all its nodes and sidecars: clusters with other names can share this Redis; 1 to 64
    /// characters of a-z 0-9 -
    #[arg(long, env = "MUSTER_CLUSTER", value_name = "NAME", default_value_t)]
    pub cluster: ClusterName,

    /// Where Nginx listens for terminals and operators; port 0 takes a free one and says which
    #[arg(long, env = "MUSTER_PROXY_LISTEN", value_name = "IP:PORT", default_value = "0.0.0.0:8080")]
    pub listen: SocketAddr,

    /// The path of the WebSocket, as the nodes have it
    #[arg(long, env = "MUSTER_WS_PATH", value_name = "PATH", default_value = "/ws", value_parser = word)]
    pub ws_path: String,

    /// Serve wss and https with this certificate (PEM, with its chain)
    #[arg(long, env = "MUSTER_TLS_CERT", value_name = "FILE", value_parser = word, requires = "tls_key")]
    pub tls_cert: Option<String>,

    /// The certificate's key (PEM)
    #[arg(long, env = "MUSTER_TLS_KEY", value_name = "FILE", value_parser = word, requires = "tls_cert")]
    pub tls_key: Option<String>,

    /// Proxies before this one, whose X-Forwarded-For is believed; from anyone else it is ignored
    #[arg(long, env = "MUSTER_REAL_IP_FROM", value_name = "CIDR", value_delimiter = ',')]
    pub real_ip_from: Vec<IpNet>,

    /// The largest body of a request, as the nodes have it (their --max-body); Nginx answers 413 to a larger one
    #[arg(long, env = "MUSTER_MAX_BODY", value_name = "BYTES", default_value_t = 256 * 1024, value_parser = clap::value_parser!(u64).range(1..))]
    pub max_body: u64,

    /// The name of this proxy, by which nodes remember the worker that a session came through; the host's unless given
    #[arg(long, env = "MUSTER_EDGE", value_name = "NAME", value_parser = word)]
    pub edge: Option<String>,

    /// The Nginx to run
    #[arg(long, env = "MUSTER_NGINX", value_name = "PROGRAM", default_value = "nginx")]
    pub nginx: PathBuf,

    /// How changes of the set of nodes reach Nginx
    #[arg(long, env = "MUSTER_RESOLVE", value_name = "HOW", value_enum, default_value_t = ResolveMode::Auto)]
    pub resolve: ResolveMode,

    /// Do not run Nginx but signal the one with this pid file, a system service with `include DIR/current/http*.conf;` in its http block
    #[arg(long, env = "MUSTER_SIGNAL", value_name = "PIDFILE")]
    pub signal: Option<PathBuf>,

    /// Where the configuration, its generations, the pid file and the access log are kept
    #[arg(long, env = "MUSTER_PROXY_DIR", value_name = "DIR", default_value = "/var/lib/muster-sidecar")]
    pub dir: PathBuf,

    /// Where Nginx writes its access log instead, such as /dev/stdout in a container; DIR/access.log unless given
    #[arg(long, env = "MUSTER_ACCESS_LOG", value_name = "FILE", value_parser = word)]
    pub access_log: Option<String>,

    /// Where own directives are included from: http/*.conf and server/*.conf; DIR/snippets unless given
    #[arg(long, env = "MUSTER_SNIPPETS", value_name = "DIR", value_parser = word)]
    pub snippets: Option<String>,

    /// Where to answer /metrics and /state; nowhere unless given
    #[arg(long, env = "MUSTER_STATUS", value_name = "IP:PORT")]
    pub status: Option<SocketAddr>,

    /// Networks that nodes may be in: an address outside never reaches the file
    #[arg(long, env = "MUSTER_ALLOW", value_name = "CIDR", value_delimiter = ',', default_value = PRIVATE)]
    pub allow: Vec<IpNet>,

    /// How often the leases are read
    #[arg(long, env = "MUSTER_POLL", value_name = "TIME", value_parser = time, default_value = "500ms")]
    pub poll: Duration,

    /// How long the set of nodes must stand still before a reload; after six times as long it need not
    #[arg(long, env = "MUSTER_QUIET", value_name = "TIME", value_parser = time, default_value = "5s")]
    pub quiet: Duration,

    /// The same when a node died or too few are known: after twice as long it need not stand still
    #[arg(long, env = "MUSTER_QUIET_URGENT", value_name = "TIME", value_parser = time, default_value = "500ms")]
    pub quiet_urgent: Duration,

    /// One reload in this time, and two at once at most: each leaves workers behind; a death may take two more
    #[arg(long, env = "MUSTER_RELOAD_EVERY", value_name = "TIME", value_parser = time, default_value = "30s")]
    pub reload_every: Duration,

    /// While so many old workers linger for their sessions, only a death is worth a reload; from half of it the oldest are retired
    #[arg(long, env = "MUSTER_LINGERING", value_name = "N", default_value_t = 12)]
    pub lingering: usize,

    /// An old worker is retired after this time anyway
    #[arg(long, env = "MUSTER_RETIRE_AFTER", value_name = "TIME", value_parser = time, default_value = "6h")]
    pub retire_after: Duration,

    /// Over how long the sessions of a retired worker are moved
    #[arg(long, env = "MUSTER_RETIRE_OVER", value_name = "TIME", value_parser = time, default_value = "30s")]
    pub retire_over: Duration,

    /// How long, on SIGTERM, the sessions may take to move elsewhere before Nginx is ended with what is left; a second one ends it
    /// at once. Docker kills after 10 s
    #[arg(long, env = "MUSTER_GRACE", value_name = "TIME", value_parser = time, default_value = "5s")]
    pub grace: Duration,

    /// Nginx's worker processes
    #[arg(long, env = "MUSTER_WORKERS", value_name = "N", default_value_t = 2)]
    pub workers: u32,

    /// Sessions that this proxy is to hold; what is reserved for them a worker keeps while it lingers, 0.9 kB each
    #[arg(long, env = "MUSTER_PROXY_SESSIONS", value_name = "N", default_value_t = 6000)]
    pub sessions: u32,
}

impl Config {
    /// The Redis, which nothing works without.
    pub fn redis(&self) -> anyhow::Result<&str> {
        self.redis.as_deref().context("no Redis: give --redis URL (or MUSTER_REDIS), the one that the nodes have")
    }

    /// Connections of one worker: two for each session, and half again since the kernel does not deal evenly to workers.
    pub fn connections(&self) -> u32 {
        self.sessions * 3 / self.workers.max(1) + 64
    }

    /// Makes the folders, takes the defaults that depend on others, and checks what no single flag can know.
    pub fn load_files(mut self) -> anyhow::Result<Self> {
        if self.workers == 0 || self.sessions == 0 {
            bail!("--workers and --sessions must be at least 1");
        }
        if let (Some(url), Some(file)) = (&self.redis, &self.redis_password_file) {
            self.redis = Some(with_password_file(url, file)?);
        }
        let make = |dir: PathBuf| std::fs::create_dir_all(&dir).map(|()| dir);
        make(self.dir.clone()).with_context(|| format!("--dir: can't make {}", self.dir.display()))?;
        self.dir = self.dir.canonicalize()?;
        word(&self.dir.display().to_string()).map_err(|error| anyhow::anyhow!("--dir: {error}"))?;
        make(self.dir.join("temp"))?;
        let snippets = self.snippets.get_or_insert_with(|| self.dir.join("snippets").display().to_string());
        let snippets = PathBuf::from(&*snippets);
        for part in ["http", "server"] {
            make(snippets.join(part))
                .with_context(|| format!("--snippets: can't make {}/{part}", snippets.display()))?;
        }
        if self.edge.is_none() {
            self.edge = Some(hostname());
        }
        Ok(self)
    }
}

/// The host's name, of what can stand in a configuration.
fn hostname() -> String {
    let name = rustix::system::uname();
    let kept: String =
        name.nodename().to_string_lossy().chars().filter(|c| c.is_ascii_alphanumeric() || *c == '-').collect();
    if kept.is_empty() { "proxy".into() } else { kept }
}

/// A path or a name that can stand in Nginx's configuration as it is.
fn word(text: &str) -> Result<String, String> {
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"/-_.".contains(&byte);
    if !text.is_empty() && text.bytes().all(allowed) {
        Ok(text.to_owned())
    } else {
        Err("only A-Z a-z 0-9 / - _ . can stand in Nginx's configuration".into())
    }
}

#[cfg(test)]
pub mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Parser)]
    struct ConfigFlags {
        #[command(flatten)]
        config: Config,
    }

    /// From these flags and nothing else that is not a default.
    pub fn config(flags: &[&str]) -> Config {
        ConfigFlags::parse_from([&["muster-sidecar"], flags].concat()).config
    }
}
