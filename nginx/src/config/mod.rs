//! The settings of the sidecar: flag, environment variable and default of each. `--help` prints them.

mod listen;
mod load;
mod nodes_from;
mod secrets;
mod words;

use std::{net::SocketAddr, path::PathBuf, time::Duration};

use anyhow::Context;
use clap::{Args, ValueEnum};
use humantime::parse_duration as time;
use ipnet::IpNet;
use muster_protocol::{ClusterName, token::Secret};
use muster_redis::{TLS_FLAGS, TlsFiles, Topology, url::with_password_file};

pub use self::nodes_from::NodesFrom;
use self::words::{server_name, word};
use crate::probe::ProbeKind;

/// The default of `--allow`: loopback and the private IPv4 networks.
const PRIVATE: &str = "127.0.0.0/8,10.0.0.0/8,172.16.0.0/12,192.168.0.0/16";

/// The connections of one worker that are for other requests, and for those whose head has not arrived yet, which Nginx
/// can't count by address: hundreds that are held open must leave room for terminals. Each costs 0.43 kB in each worker.
const OTHER_CONNECTIONS: u32 = 1024;

/// The largest number that Nginx's directive `limit_conn` takes.
const LIMIT_CONN_MAX: u32 = 65_535;

/// How Nginx learns of a change of the set of nodes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum ResolveMode {
    /// By DNS if this Nginx can (1.27.3 or newer), else by reloads
    Auto,
    /// By DNS; an older Nginx than 1.27.3 is an error
    On,
    /// By reloads
    Off,
}

/// Which name in a terminal's certificate is its id.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum ClientIdSource {
    /// The common name (CN) of the subject
    Cn,
    /// The DNS name in subjectAltName
    SanDns,
    /// The URI in subjectAltName: what follows its last /
    SanUri,
}

impl ClientIdSource {
    /// The name by which nodes know it.
    pub fn label(self) -> &'static str {
        match self {
            Self::Cn => "cn",
            Self::SanDns => "san-dns",
            Self::SanUri => "san-uri",
        }
    }
}

/// The settings.
#[derive(Debug, Clone, Args)]
pub struct Config {
    /// Where to learn which nodes there are: redis (their leases), dns:NAME[:PORT] (the addresses of a name, port 9000 unless given) or
    /// file:PATH (an address on each line, # begins a comment). A file or name that can't be read, or names no node, changes nothing
    #[arg(long, env = "MUSTER_NODES_FROM", value_name = "SOURCE", default_value_t = NodesFrom::Redis)]
    pub nodes_from: NodesFrom,

    /// The nodes of --nodes-from dns: or file: are servers of another kind, which are probed so: tcp (they accept a connection) or http:PATH
    /// (they answer 200 to 399). Any path goes to the server with the fewest connections [default: they are Muster's]
    #[arg(long, env = "MUSTER_PROBE", value_name = "PROBE")]
    pub probe: Option<ProbeKind>,

    /// The Redis of the nodes: a URL that begins with redis://, redis+sentinel:// or redis+cluster://, or by TLS with
    /// rediss://, rediss+sentinel:// or rediss+cluster://
    #[arg(long, env = "MUSTER_REDIS", value_name = "URL", hide_env_values = true)]
    pub redis: Option<String>,

    /// A file with the password for --redis, so that no list of processes shows it
    #[arg(long, env = "MUSTER_REDIS_PASSWORD_FILE", value_name = "FILE", requires = "redis")]
    pub redis_password_file: Option<PathBuf>,

    /// The certificate (PEM) of the CA that signed the certificate of Redis, for a URL that begins with rediss
    /// [default: the CAs that the system trusts]
    #[arg(long, env = "MUSTER_REDIS_CA", value_name = "FILE", requires = "redis")]
    pub redis_ca: Option<PathBuf>,

    /// The certificate (PEM, with its chain) that this sidecar shows to Redis, if Redis requires one
    #[arg(long, env = "MUSTER_REDIS_CERT", value_name = "FILE", requires = "redis_key")]
    pub redis_cert: Option<PathBuf>,

    /// The key of --redis-cert (PEM, not encrypted)
    #[arg(long, env = "MUSTER_REDIS_KEY", value_name = "FILE", requires = "redis_cert")]
    pub redis_key: Option<PathBuf>,

    /// The name of the cluster, the same for all its nodes and sidecars: clusters with other names can share this
    /// Redis; 1 to 64 characters of a-z 0-9 -
    #[arg(long, env = "MUSTER_CLUSTER", value_name = "NAME", default_value_t)]
    pub cluster: ClusterName,

    /// A file with the secret of the cluster, one on each line, the same as the nodes' --cluster-secret-file: a node whose
    /// lease was made with another secret gets no terminals. Without it and --secret-file, only nodes with --insecure do
    #[arg(long, env = "MUSTER_CLUSTER_SECRET_FILE", value_name = "FILE")]
    pub cluster_secret_file: Option<PathBuf>,

    /// The nodes' --secret-file, if they have no --cluster-secret-file. It can sign tokens, so a proxy better has the other
    #[arg(long, env = "MUSTER_SECRET_FILE", value_name = "FILE")]
    pub secret_file: Option<PathBuf>,

    /// The secrets of the first of these files that is given.
    #[arg(skip)]
    pub secrets: Vec<Secret>,

    /// Where Nginx listens for terminals and operators, by both IPv4 and IPv6 at [::]. Repeat the flag for more addresses,
    /// up to 16. Port 0, for the first one alone, chooses a free port and prints it
    #[arg(
        long,
        env = "MUSTER_PROXY_LISTEN",
        value_name = "IP:PORT",
        value_delimiter = ',',
        default_value = "0.0.0.0:8080"
    )]
    pub listen: Vec<SocketAddr>,

    /// Expect a PROXY header (version 1 or 2) at the beginning of each connection, with the address of the client, from a
    /// load balancer in a network of --real-ip-from. X-Forwarded-For does not count then
    #[arg(long, env = "MUSTER_PROXY_PROTOCOL", requires = "real_ip_from")]
    pub proxy_protocol: bool,

    /// The host names of the proxy, for an Nginx of the system that has other servers at the same address; *.DOMAIN is each
    /// name in a domain. Repeat the flag for more names, up to 64 [default: any name that no other server has]
    #[arg(long, env = "MUSTER_SERVER_NAME", value_name = "NAME", value_delimiter = ',', value_parser = server_name)]
    pub server_name: Vec<String>,

    /// The path of the WebSocket endpoint, the same as the nodes' --ws-path
    #[arg(long, env = "MUSTER_WS_PATH", value_name = "PATH", default_value = "/ws", value_parser = word)]
    pub ws_path: String,

    /// Serve wss and https with this certificate (PEM, with its chain). A new certificate is used within 10 s after its
    /// file and the key's were replaced. The sidecar must be able to read both
    #[arg(long, env = "MUSTER_TLS_CERT", value_name = "FILE", value_parser = word, requires = "tls_key")]
    pub tls_cert: Option<String>,

    /// The key of the certificate (PEM)
    #[arg(long, env = "MUSTER_TLS_KEY", value_name = "FILE", value_parser = word, requires = "tls_cert")]
    pub tls_key: Option<String>,

    /// The certificates (PEM) of the CAs that sign terminals' certificates. A terminal may then show a certificate in place
    /// of a token, if the nodes have --mtls-terminals
    #[arg(long, env = "MUSTER_CLIENT_CA", value_name = "FILE", value_parser = word, requires = "tls_cert")]
    pub client_ca: Option<String>,

    /// Which name in a terminal's certificate is its id; there must be exactly one of the kind
    #[arg(long, env = "MUSTER_CLIENT_ID_FROM", value_name = "NAME", value_enum, default_value_t = ClientIdSource::Cn)]
    pub client_id_from: ClientIdSource,

    /// Networks of the proxies in front of this one. X-Forwarded-For, or with --proxy-protocol the PROXY header, is used from
    /// these only
    #[arg(long, env = "MUSTER_REAL_IP_FROM", value_name = "CIDR", value_delimiter = ',')]
    pub real_ip_from: Vec<IpNet>,

    /// The largest body of a request, the same as the nodes' --max-body; Nginx answers 413 to a larger one
    #[arg(long, env = "MUSTER_MAX_BODY", value_name = "BYTES", default_value_t = 256 * 1024, value_parser = clap::value_parser!(u64).range(1..))]
    pub max_body: u64,

    /// API calls that one address may make in a second, and as many again at once; Nginx answers 429 to more. IPv6
    /// addresses count by their first 64 bits, and all behind a proxy that --real-ip-from does not name as one
    #[arg(long, env = "MUSTER_CALLS_PER_ADDRESS", value_name = "N", default_value_t = 1000, value_parser = clap::value_parser!(u32).range(1..))]
    pub calls_per_address: u32,

    /// Sessions that one address may have; Nginx answers 429 to further handshakes. Thousands of terminals may share an
    /// address [default: no limit]
    #[arg(long, env = "MUSTER_SESSIONS_PER_ADDRESS", value_name = "N", value_parser = clap::value_parser!(u32).range(1..=65535))]
    pub sessions_per_address: Option<u32>,

    /// The name of this proxy, with which nodes note the worker that a session came through [default: the host name]
    #[arg(long, env = "MUSTER_EDGE", value_name = "NAME", value_parser = word)]
    pub edge: Option<String>,

    /// The Nginx program
    #[arg(long, env = "MUSTER_NGINX", value_name = "PROGRAM", default_value = "nginx")]
    pub nginx: PathBuf,

    /// How Nginx learns of a change of the set of nodes
    #[arg(long, env = "MUSTER_RESOLVE", value_name = "HOW", value_enum, default_value_t = ResolveMode::Auto)]
    pub resolve: ResolveMode,

    /// Do not start Nginx, but signal the one with this pid file: a system service that has `include
    /// DIR/current/http*.conf;` in its http block
    #[arg(long, env = "MUSTER_SIGNAL", value_name = "PIDFILE")]
    pub signal: Option<PathBuf>,

    /// The folder for the configuration with its generations, the pid file and the access log
    #[arg(long, env = "MUSTER_PROXY_DIR", value_name = "DIR", default_value = "/var/lib/muster-sidecar")]
    pub dir: PathBuf,

    /// The access log of Nginx, such as /dev/stdout in a container [default: DIR/access.log]
    #[arg(long, env = "MUSTER_ACCESS_LOG", value_name = "FILE", value_parser = word)]
    pub access_log: Option<String>,

    /// A folder with directives of your own for Nginx, in http/*.conf and server/*.conf. They are copied and applied
    /// when they change; if Nginx refuses them, it goes on with the last ones that it ran [default: DIR/snippets]
    #[arg(long, env = "MUSTER_SNIPPETS", value_name = "DIR", value_parser = word)]
    pub snippets: Option<String>,

    /// Where to serve /metrics and /state [default: nowhere]
    #[arg(long, env = "MUSTER_STATUS", value_name = "IP:PORT")]
    pub status: Option<SocketAddr>,

    /// Write the id of this process into this file, for as long as the process runs
    #[arg(long, env = "MUSTER_PID_FILE", value_name = "FILE")]
    pub pid_file: Option<PathBuf>,

    /// The networks of the nodes; a lease with an address in no other network is refused
    #[arg(long, env = "MUSTER_ALLOW", value_name = "CIDR", value_delimiter = ',', default_value = PRIVATE)]
    pub allow: Vec<IpNet>,

    /// How often the leases are read
    #[arg(long, env = "MUSTER_POLL", value_name = "TIME", value_parser = time, default_value = "500ms")]
    pub poll: Duration,

    /// How long the set of nodes must stay the same before a reload; a set that keeps changing is applied after six
    /// times this
    #[arg(long, env = "MUSTER_QUIET", value_name = "TIME", value_parser = time, default_value = "5s")]
    pub quiet: Duration,

    /// The same when a node died or Nginx knows too few nodes; a set that keeps changing is applied after twice this
    #[arg(long, env = "MUSTER_QUIET_URGENT", value_name = "TIME", value_parser = time, default_value = "500ms")]
    pub quiet_urgent: Duration,

    /// One reload in this time, or two at once, since each leaves old workers behind; a node's death may use two more
    #[arg(long, env = "MUSTER_RELOAD_EVERY", value_name = "TIME", value_parser = time, default_value = "30s")]
    pub reload_every: Duration,

    /// With this many old workers, only a node's death causes a reload; with half as many, the oldest are retired
    #[arg(long, env = "MUSTER_LINGERING", value_name = "N", default_value_t = 12)]
    pub lingering: usize,

    /// An old worker is retired at this age
    #[arg(long, env = "MUSTER_RETIRE_AFTER", value_name = "TIME", value_parser = time, default_value = "6h")]
    pub retire_after: Duration,

    /// The time over which the sessions of a retired worker are moved
    #[arg(long, env = "MUSTER_RETIRE_OVER", value_name = "TIME", value_parser = time, default_value = "30s")]
    pub retire_over: Duration,

    /// How long the sessions may take to move elsewhere after a SIGTERM; the rest is cut then. A second SIGTERM cuts at
    /// once. Docker kills after 10 s
    #[arg(long, env = "MUSTER_GRACE", value_name = "TIME", value_parser = time, default_value = "5s")]
    pub grace: Duration,

    /// The number of Nginx's worker processes
    #[arg(long, env = "MUSTER_WORKERS", value_name = "N", default_value_t = 2)]
    pub workers: u32,

    /// The number of sessions that this proxy can hold, and half as many again if they spread evenly over the workers; an Nginx of
    /// its own answers 429 to more. Connections and open files follow from it. Each worker reserves 0.9 kB for each session, also an old
    /// worker. If there is too little memory for so many, the log says so at the start
    #[arg(long, env = "MUSTER_PROXY_SESSIONS", value_name = "N", default_value_t = 6000, value_parser = clap::value_parser!(u32).range(1..=10_000_000))]
    pub sessions: u32,

    /// Whether Nginx can tell how many connections it has dropped; see [`crate::capacity`].
    #[arg(skip)]
    pub counts_connections: bool,
}

impl Config {
    /// Returns whether the nodes are servers of another kind, which have no leases and take any path.
    pub fn serves_others(&self) -> bool {
        self.probe.is_some()
    }

    /// Returns the URL of Redis, with the password of its file. An error if no URL is given or the file can't be read.
    fn redis(&self) -> anyhow::Result<String> {
        let missing = "--redis is missing: give the URL of the nodes' Redis, also as MUSTER_REDIS";
        let url = self.redis.as_deref().context(missing)?;
        self.redis_password_file.as_ref().map_or_else(|| Ok(url.to_owned()), |file| Ok(with_password_file(url, file)?))
    }

    /// Parses the URL of Redis, and reads the files with its password and for TLS. The error names the flag.
    pub fn topology(&self) -> anyhow::Result<Topology> {
        let files = TlsFiles {
            flags: TLS_FLAGS,
            ca: self.redis_ca.clone(),
            cert: self.redis_cert.clone(),
            key: self.redis_key.clone(),
            insecure: false,
        };
        Ok(Topology::new(&self.redis()?, &files)?)
    }

    /// Returns the connections of one worker: two for each session, and half as many again, since the kernel does not
    /// distribute connections evenly to workers; and [`OTHER_CONNECTIONS`].
    pub fn connections(&self) -> u32 {
        self.sessions * 3 / self.workers.max(1) + OTHER_CONNECTIONS
    }

    /// Returns the sessions that one worker has connections for: at least 1. `None` if Nginx can't count so many.
    pub fn sessions_of_worker(&self) -> Option<u32> {
        let sessions = ((self.connections() - OTHER_CONNECTIONS) / 2).max(1);
        Some(sessions).filter(|sessions| *sessions <= LIMIT_CONN_MAX)
    }

    /// Returns the open files that one worker needs: its connections, its logs and its listeners.
    pub fn open_files(&self) -> u32 {
        self.connections() + 64
    }

    /// Returns whether files say how Redis is reached.
    pub fn has_redis_files(&self) -> bool {
        [&self.redis_password_file, &self.redis_ca, &self.redis_cert, &self.redis_key].iter().any(|file| file.is_some())
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

    /// Parses these flags; all other settings have their defaults.
    pub fn config(flags: &[&str]) -> Config {
        ConfigFlags::parse_from([&["muster-sidecar"], flags].concat()).config
    }

    #[test]
    fn a_worker_takes_the_sessions_that_it_has_connections_for() {
        let of_worker =
            |sessions, workers| config(&["--sessions", sessions, "--workers", workers]).sessions_of_worker();
        assert_eq!(of_worker("6000", "2"), Some(4500));
        assert_eq!([of_worker("1", "1"), of_worker("1", "8")], [Some(1), Some(1)]);
        assert_eq!([of_worker("43690", "1"), of_worker("70000", "1")], [Some(65_535), None]);
    }
}
