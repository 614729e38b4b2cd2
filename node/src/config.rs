//! Every setting of a node, in one struct: flag, environment variable, default, and why. `--help` is the reference.

use std::{net::SocketAddr, path::PathBuf, time::Duration};

use clap::Args;
use ipnet::IpNet;
use muster_protocol::{ClusterName, NodeId, token::Secret};

use crate::placement::Placement;

/// How a node runs.
#[derive(Debug, Clone, Args)]
pub struct Config {
    /// Where to serve terminals and operators; port 0 takes a free one and says which
    #[arg(long, env = "MUSTER_LISTEN", value_name = "IP:PORT", default_value = "0.0.0.0:9000")]
    pub listen: SocketAddr,

    /// Where Nginx reaches this node, if not at --listen: needed behind NAT. One that listens on 0.0.0.0 is reached at the address
    /// from which it reaches Redis, unless that is on the same host
    #[arg(long, env = "MUSTER_ADVERTISE", value_name = "IP:PORT")]
    pub advertise: Option<SocketAddr>,

    /// The node's name in the cluster; a fresh one at each start unless given. One name is one process: another waits until the lease
    /// of the one before has run out (6 s), and does not start while that one lives
    #[arg(long, env = "MUSTER_NODE_ID", value_name = "ID")]
    pub node_id: Option<NodeId>,

    /// The Redis that joins this node to others: redis://HOST:PORT, redis+sentinel://HOST:PORT,HOST:PORT/NAME or
    /// redis+cluster://HOST:PORT,HOST:PORT; without it the node is alone and needs nothing else
    #[arg(long, env = "MUSTER_REDIS", value_name = "URL", hide_env_values = true)]
    pub redis: Option<String>,

    /// A file with the password for --redis, which no list of processes then shows
    #[arg(long, env = "MUSTER_REDIS_PASSWORD_FILE", value_name = "FILE", requires = "redis")]
    pub redis_password_file: Option<PathBuf>,

    /// The name of the cluster, the same for all its nodes and sidecars: clusters with other names can share this Redis; 1 to 64
    /// characters of a-z 0-9 -
    #[arg(long, env = "MUSTER_CLUSTER", value_name = "NAME", default_value_t)]
    pub cluster: ClusterName,

    /// Accept a command only once so many replicas of Redis have it, so that it outlives the master; with fewer, the
    /// answer is 504, which says that it is stored and may be lost
    #[arg(long, env = "MUSTER_REDIS_REPLICAS", value_name = "N", default_value_t = 0)]
    pub redis_replicas: u32,

    /// Let anyone in, terminals and operators, without a token: for trying things out
    #[arg(long, env = "MUSTER_INSECURE")]
    pub insecure: bool,

    #[command(flatten)]
    /// What tokens and keys are checked with.
    pub keys: Keys,

    /// The path of the WebSocket; a fleet in the field can't change its URL
    #[arg(long, env = "MUSTER_WS_PATH", value_name = "PATH", default_value = "/ws")]
    pub ws_path: String,

    /// Proxies whose X-Real-IP is believed; from anyone else it is ignored
    #[arg(
        long,
        env = "MUSTER_TRUSTED_PROXY",
        value_name = "CIDR",
        value_delimiter = ',',
        default_value = "127.0.0.0/8"
    )]
    pub trusted_proxy: Vec<IpNet>,

    /// How often each session is pinged; under Nginx's read timeout, so that idle sessions are not cut
    #[arg(long, env = "MUSTER_PING", value_name = "TIME", value_parser = humantime::parse_duration, default_value = "25s")]
    pub ping: Duration,

    /// How long a terminal of muster.v1 may take to say hello
    #[arg(long, env = "MUSTER_HELLO_TIMEOUT", value_name = "TIME", value_parser = humantime::parse_duration, default_value = "5s")]
    pub hello_timeout: Duration,

    /// How long a request's headers may take to arrive, and then its body: slow senders must not hold connections
    #[arg(long, env = "MUSTER_HEADER_TIMEOUT", value_name = "TIME", value_parser = humantime::parse_duration, default_value = "10s")]
    pub header_timeout: Duration,

    /// The largest message from a terminal, in bytes; over it the session is closed with 1009
    #[arg(long, env = "MUSTER_MAX_MESSAGE", value_name = "BYTES", default_value_t = 64 * 1024)]
    pub max_message: usize,

    /// Frames a second that are read from one terminal, of every kind and before its hello too; each KiB read counts as one more. What it sends beyond waits in its socket
    #[arg(long, env = "MUSTER_MAX_RATE", value_name = "N", default_value_t = 500)]
    pub max_rate: u32,

    /// The largest request body, in bytes; over it 413
    #[arg(long, env = "MUSTER_MAX_BODY", value_name = "BYTES", default_value_t = 256 * 1024)]
    pub max_body: usize,

    /// What one slow session may be owed, in bytes; over it the session is closed with 4002
    #[arg(long, env = "MUSTER_QUEUE", value_name = "BYTES", default_value_t = 512 * 1024)]
    pub queue: usize,

    /// Sessions this node takes; over it, and when it has no open files left, 429 with Retry-After
    #[arg(long, env = "MUSTER_MAX_SESSIONS", value_name = "N", default_value_t = 100_000)]
    pub max_sessions: usize,

    /// Handshakes this node takes in a second; over it 429 with a Retry-After that spreads the returns
    #[arg(long, env = "MUSTER_HANDSHAKES", value_name = "N", default_value_t = 1000)]
    pub handshakes: u32,

    /// Which node a handshake goes to: balance (clearly fewer sessions) or sticky (by the terminal's id)
    #[arg(long, env = "MUSTER_PLACEMENT", value_name = "RULE", default_value = "balance")]
    pub placement: Placement,

    /// Threads that hold sessions; the cores of the machine unless given
    #[arg(long, env = "MUSTER_SHARDS", value_name = "N")]
    pub shards: Option<usize>,

    /// Over how long the sessions are closed when the node is told to stop
    #[arg(long, env = "MUSTER_DRAIN", value_name = "TIME", value_parser = humantime::parse_duration, default_value = "20s")]
    pub drain: Duration,

    /// Within how long it has ended once it is told to stop, its turn among the others and the drain included; whoever stops it waits
    /// for longer
    #[arg(long, env = "MUSTER_STOP_WITHIN", value_name = "TIME", value_parser = humantime::parse_duration, default_value = "30s")]
    pub stop_within: Duration,

    #[command(flatten)]
    /// How much is kept.
    pub bounds: Bounds,
}

/// How much is kept, and for how long. At each bound something is refused, or someone is told; nothing is dropped in silence.
#[derive(Debug, Clone, Args)]
pub struct Bounds {
    /// How long a command can be looked up after it has expired, if there is room
    #[arg(long, env = "MUSTER_KEEP", value_name = "TIME", value_parser = humantime::parse_duration, default_value = "10m")]
    pub keep: Duration,

    /// Targets of commands kept in all, about 120 bytes each; over it the oldest commands that have expired can't be looked up
    /// any more, and if that is not enough a new one is refused with 503
    #[arg(long, env = "MUSTER_MAX_TARGETS", value_name = "N", default_value_t = 5_000_000)]
    pub max_targets: u64,

    /// Commands in the log from which terminals get what they missed; over it the oldest make room, and a terminal that missed
    /// one of them is told of a gap
    #[arg(long, env = "MUSTER_LOG", value_name = "N", default_value_t = 10_000)]
    pub log: u64,

    /// Commands that may wait for one terminal; over it a new one for it is refused with 409
    #[arg(long, env = "MUSTER_BACKLOG", value_name = "N", default_value_t = 1_000)]
    pub backlog: u64,

    /// A terminal that was away for so long is forgotten
    #[arg(long, env = "MUSTER_FORGET", value_name = "TIME", value_parser = humantime::parse_duration, default_value = "30d")]
    pub forget: Duration,
}

/// Secrets and public keys. The first secret signs what `muster-node token` and `muster-node key` make; all of them are
/// accepted, so that one can be exchanged for another while both are in use.
#[derive(Debug, Clone, Default, Args)]
pub struct Keys {
    /// A secret that tokens (HS256) and operator keys are signed with, as `muster-node secret` prints it; several with commas
    #[arg(long, env = "MUSTER_SECRET", value_name = "KID=SECRET", value_delimiter = ',', hide_env_values = true)]
    pub secret: Vec<Secret>,

    /// A file with the secrets, one in each line, instead of --secret
    #[arg(long, env = "MUSTER_SECRET_FILE", value_name = "FILE", conflicts_with = "secret")]
    pub secret_file: Option<PathBuf>,

    /// The public key (EdDSA, PEM) of another issuer of terminal tokens; several with commas
    #[arg(long, env = "MUSTER_PUBLIC_KEY", value_name = "KID=FILE", value_delimiter = ',', value_parser = named_file)]
    pub public_key: Vec<(String, PathBuf)>,
}

fn named_file(text: &str) -> Result<(String, PathBuf), String> {
    let (kid, path) = text.split_once('=').ok_or("a public key is written KID=FILE")?;
    Ok((kid.to_owned(), path.into()))
}

/// Why a configuration can't be run.
#[derive(Debug, thiserror::Error)]
pub enum InvalidConfig {
    /// Nothing to check tokens with.
    #[error(
        "no secrets: give --secret (or MUSTER_SECRET) as `muster-node secret` prints it, or --secret-file, or --insecure to let anyone in"
    )]
    NoSecrets,
    /// Not a path.
    #[error("--ws-path must begin with / and have no ?, not {0:?}")]
    WsPath(String),
    /// Replicas of nothing.
    #[error("--redis-replicas asks for replicas of a Redis, and there is none: give --redis URL")]
    NoRedis,
    /// A number too small to run with.
    #[error("{0} must be at least {1}")]
    TooSmall(&'static str, usize),
}

impl Config {
    /// Checks what no single flag can know.
    pub fn validate(&self) -> Result<(), InvalidConfig> {
        if !self.insecure && self.keys.secret.is_empty() && self.keys.public_key.is_empty() {
            return Err(InvalidConfig::NoSecrets);
        }
        if self.redis_replicas > 0 && self.redis.is_none() {
            return Err(InvalidConfig::NoRedis);
        }
        if !self.ws_path.starts_with('/') || self.ws_path.contains('?') {
            return Err(InvalidConfig::WsPath(self.ws_path.clone()));
        }
        // A queue that could not take one joined write would close healthy sessions.
        let floors = [
            ("--queue", self.queue, 128 * 1024),
            ("--max-message", self.max_message, 128),
            ("--handshakes", self.handshakes as usize, 1),
            ("--shards", self.shards.unwrap_or(1), 1),
            ("--max-rate", self.max_rate as usize, 1),
            ("--log", self.bounds.log as usize, 2),
            ("--backlog", self.bounds.backlog as usize, 1),
            ("--ping (in seconds)", self.ping.as_secs() as usize, 1),
        ];
        match floors.into_iter().find(|(_, value, floor)| value < floor) {
            Some((flag, _, floor)) => Err(InvalidConfig::TooSmall(flag, floor)),
            None => Ok(()),
        }
    }
}
