//! Every setting of a node, in one struct: flag, environment variable, default, and reason. `muster-node --help` is
//! the reference.

use std::{net::SocketAddr, path::PathBuf, time::Duration};

use clap::Args;
use ipnet::IpNet;
use muster_protocol::{ClusterName, NodeId, partition::Partitions, token::Secret};

pub mod advertise;
mod audit;
mod browsers;
mod issuers;
mod notices;
mod placement;
mod plain_mode;
mod redis;
pub mod secrets;
mod validity;

pub use self::{
    audit::AuditFlags,
    browsers::{BrowserFlags, WebOrigin},
    issuers::Issuers,
    notices::NoticeFlags,
    placement::Placement,
    plain_mode::{PlainHeartbeat, PlainModeFlags, PlainProtocol},
    redis::RedisFlags,
    validity::InvalidConfig,
};

/// The settings of a node.
#[derive(Debug, Clone, Args)]
pub struct Config {
    /// The address to listen on, for terminals and operators; [::] takes IPv4 too. Repeat the flag for more addresses. Port 0 takes a free
    /// port, which is logged
    #[arg(long, env = "MUSTER_LISTEN", value_name = "IP:PORT", value_delimiter = ',', default_value = "0.0.0.0:9000")]
    pub listen: Vec<SocketAddr>,

    /// The address at which Nginx reaches this node, if it is not the first --listen, for example behind NAT. A node that
    /// listens on 0.0.0.0 takes the address from which it reaches Redis, unless Redis is on the same host
    #[arg(long, env = "MUSTER_ADVERTISE", value_name = "IP:PORT")]
    pub advertise: Option<SocketAddr>,

    /// The node's id in the cluster. Default: a new one at each start. Two processes can't have the same id: the
    /// second one waits until the lease of the first has run out (6 s), and does not start while the first lives
    #[arg(long, env = "MUSTER_NODE_ID", value_name = "ID")]
    pub node_id: Option<NodeId>,

    #[command(flatten)]
    /// Where Redis is.
    pub redis: RedisFlags,

    /// The name of the cluster, the same for all its nodes and sidecars. Clusters with different names can share one Redis. 1 to 64
    /// characters of a-z 0-9 -
    #[arg(long, env = "MUSTER_CLUSTER", value_name = "NAME", default_value_t)]
    pub cluster: ClusterName,

    /// Accept a command only when this many replicas of Redis have it, so that the command outlives the master. With
    /// fewer, the answer is 504: the command is stored and may be lost
    #[arg(long, env = "MUSTER_REDIS_REPLICAS", value_name = "N", default_value_t = 0)]
    pub redis_replicas: u32,

    /// Keep the store in this many partitions, 1 to 1024, the same for all nodes: at least 16 for each master of a Redis Cluster. The
    /// number is written into the store and holds for its life
    #[arg(long, env = "MUSTER_PARTITIONS", value_name = "N", value_parser = partitions, default_value = "16")]
    pub partitions: Partitions,

    /// Let everyone in, terminals and operators, without a token. For trials only
    #[arg(long, env = "MUSTER_INSECURE")]
    pub insecure: bool,

    #[command(flatten)]
    /// The secrets and public keys that tokens are checked with.
    pub keys: Keys,

    #[command(flatten)]
    /// What tokens of other issuers must say.
    pub issuers: Issuers,

    /// A file with the secret of the cluster, one on each line, as `muster-node secret` prints it: nodes seal with the
    /// first what they store and send each other, and accept all. The same for all nodes and sidecars; it signs no tokens.
    /// Default: --secret
    #[arg(long, env = "MUSTER_CLUSTER_SECRET_FILE", value_name = "FILE")]
    pub cluster_secret_file: Option<PathBuf>,

    /// The secrets of that file.
    #[arg(skip)]
    pub cluster_secrets: Vec<Secret>,

    /// The path of the WebSocket. Change it for a fleet whose URL can't be changed
    #[arg(long, env = "MUSTER_WS_PATH", value_name = "PATH", default_value = "/ws")]
    pub ws_path: String,

    #[command(flatten)]
    /// What terminals of other systems expect.
    pub plain_mode: PlainModeFlags,

    #[command(flatten)]
    /// Which web pages may call the node.
    pub browsers: BrowserFlags,

    /// Networks of the proxies whose X-Real-IP is believed. From every other peer the header is ignored
    #[arg(
        long,
        env = "MUSTER_TRUSTED_PROXY",
        value_name = "CIDR",
        value_delimiter = ',',
        default_value = "127.0.0.0/8"
    )]
    pub trusted_proxy: Vec<IpNet>,

    /// Networks of the other nodes: one whose lease has an address in no other network is not used, and shown so in GET /v1/nodes. The same
    /// list as the sidecar's --allow, and this node's own address must be in it
    #[arg(long, env = "MUSTER_ALLOW", value_name = "CIDR", value_delimiter = ',', default_value = "0.0.0.0/0,::/0")]
    pub allow: Vec<IpNet>,

    /// Let terminals in by the certificate that a trusted proxy says it has verified, in place of a token. Every proxy in
    /// --trusted-proxy must overwrite the headers X-Client-Cert and X-Client-Id-From, as the sidecar's does
    #[arg(long, env = "MUSTER_MTLS_TERMINALS")]
    pub mtls_terminals: bool,

    /// The interval at which each session is pinged. It must be below Nginx's read timeout, so that idle sessions
    /// are not cut off
    #[arg(long, env = "MUSTER_PING", value_name = "TIME", value_parser = humantime::parse_duration, default_value = "25s")]
    pub ping: Duration,

    /// How long a terminal of muster.v1 may take to send its hello
    #[arg(long, env = "MUSTER_HELLO_TIMEOUT", value_name = "TIME", value_parser = humantime::parse_duration, default_value = "5s")]
    pub hello_timeout: Duration,

    /// How long the headers of a request may take to arrive, and then its body. A slow sender must not hold a
    /// connection
    #[arg(long, env = "MUSTER_HEADER_TIMEOUT", value_name = "TIME", value_parser = humantime::parse_duration, default_value = "10s")]
    pub header_timeout: Duration,

    /// The largest message from a terminal, in bytes. A larger one closes the session with 1009
    #[arg(long, env = "MUSTER_MAX_MESSAGE", value_name = "BYTES", default_value_t = 64 * 1024)]
    pub max_message: usize,

    /// Frames a second that are read from one terminal, of every kind and before its hello too; each KiB read counts as one more. What it sends beyond waits in its socket
    #[arg(long, env = "MUSTER_MAX_RATE", value_name = "N", default_value_t = 500)]
    pub max_rate: u32,

    /// The largest request body, in bytes. A larger one is answered with 413. A command has to fit into the queue of its terminal, so it is
    /// at most --queue less 2 KiB
    #[arg(long, env = "MUSTER_MAX_BODY", value_name = "BYTES", default_value_t = 256 * 1024)]
    pub max_body: usize,

    /// The bytes that may wait for one slow session. Beyond it the session is closed with 4002
    #[arg(long, env = "MUSTER_QUEUE", value_name = "BYTES", default_value_t = 512 * 1024)]
    pub queue: usize,

    /// The number of sessions that this node takes. Beyond it, and when no file descriptor is left, the answer is
    /// 429 with Retry-After
    #[arg(long, env = "MUSTER_MAX_SESSIONS", value_name = "N", default_value_t = 100_000)]
    pub max_sessions: usize,

    /// The bytes of memory that this node may use, from 1 MiB. From 90 % on it takes no new sessions (503, so that a proxy tries another
    /// node) and is not ready, until it uses less than 85 %. Default: what its control group (cgroup v2) allows
    #[arg(long, env = "MUSTER_MAX_MEMORY", value_name = "BYTES", value_parser = clap::value_parser!(u64).range(1 << 20..))]
    pub max_memory: Option<u64>,

    /// The number of handshakes per second that this node takes. Beyond it the answer is 429 with a Retry-After that
    /// spreads the returns
    #[arg(long, env = "MUSTER_HANDSHAKES", value_name = "N", default_value_t = 1000)]
    pub handshakes: u32,

    /// The number of handshakes per second that this node takes of one terminal, of those of --handshakes; 20 times as many at once.
    /// Beyond it the answer is 429 with Retry-After
    #[arg(long, env = "MUSTER_HANDSHAKES_PER_TERMINAL", value_name = "N", default_value_t = 2)]
    pub handshakes_per_terminal: u32,

    /// The number of handshakes per second whose token is refused that one address (of IPv6 a /64) may make; 20 times as many at once.
    /// Beyond it the answer to a refused one is 429 with Retry-After, and a good token is let in
    #[arg(long, env = "MUSTER_REFUSALS_PER_ADDRESS", value_name = "N", default_value_t = 10)]
    pub refusals_per_address: u32,

    /// How long a client may take to read an answer that is not a stream of events. After that its connection is closed
    #[arg(long, env = "MUSTER_ANSWER_TIMEOUT", value_name = "TIME", value_parser = humantime::parse_duration, default_value = "30s")]
    pub answer_timeout: Duration,

    /// The number of connections that are neither sessions nor event streams, at most a quarter of the open files that the process may
    /// have. When another comes, the one that has been idle longest is closed. A handshake is one of them until it is answered: in a storm
    /// of them there must be room for those whose request is still on its way
    #[arg(long, env = "MUSTER_MAX_HTTP_CONNECTIONS", value_name = "N", default_value_t = 4000)]
    pub max_http_connections: usize,

    /// The number of event streams (GET /v1/events) that this node has open. Beyond it the answer is 429 with Retry-After
    #[arg(long, env = "MUSTER_MAX_EVENT_STREAMS", value_name = "N", default_value_t = 1000)]
    pub max_event_streams: usize,

    /// The number of event streams that this node has open for one operator, by the name in the key; without keys for all operators
    /// together. Beyond it the answer is 429 with Retry-After
    #[arg(long, env = "MUSTER_MAX_EVENT_STREAMS_PER_KEY", value_name = "N", default_value_t = 100)]
    pub max_event_streams_per_key: usize,

    /// The rule that places handshakes on nodes: balance (the node with clearly fewer sessions) or sticky (the node
    /// that owns the terminal's id)
    #[arg(long, env = "MUSTER_PLACEMENT", value_name = "RULE", default_value = "balance")]
    pub placement: Placement,

    /// The number of threads that run sessions. Default: the number of cores
    #[arg(long, env = "MUSTER_SHARDS", value_name = "N")]
    pub shards: Option<usize>,

    /// The time over which sessions are closed when the node is told to stop
    #[arg(long, env = "MUSTER_DRAIN", value_name = "TIME", value_parser = humantime::parse_duration, default_value = "20s")]
    pub drain: Duration,

    /// The time within which the node ends when it is told to stop. It includes the wait for its turn among the
    /// other nodes, and the drain. Whatever stops the node must wait for longer
    #[arg(long, env = "MUSTER_STOP_WITHIN", value_name = "TIME", value_parser = humantime::parse_duration, default_value = "30s")]
    pub stop_within: Duration,

    /// Write the id of this process into this file, for as long as the process runs
    #[arg(long, env = "MUSTER_PID_FILE", value_name = "FILE")]
    pub pid_file: Option<PathBuf>,

    #[command(flatten)]
    /// How much is stored.
    pub bounds: Bounds,

    #[command(flatten)]
    /// What the audit has.
    pub audit: AuditFlags,

    #[command(flatten)]
    /// Where notices may be posted to.
    pub notices: NoticeFlags,
}

/// How much is stored, and for how long. At each bound something is refused, or someone is told; nothing is dropped
/// in silence.
#[derive(Debug, Clone, Args)]
pub struct Bounds {
    /// How long a command can be looked up after it has expired, if there is room
    #[arg(long, env = "MUSTER_KEEP", value_name = "TIME", value_parser = humantime::parse_duration, default_value = "10m")]
    pub keep: Duration,

    /// The bytes that may be stored of commands, replies, idempotency keys, backlogs and events together, from 16 MiB; each partition of
    /// a store has an equal part of them, at least 1 MiB. Beyond it expired commands are removed. If that is not enough, a new
    /// command is refused with 503
    #[arg(long, env = "MUSTER_MAX_STORED", value_name = "BYTES", default_value_t = 2 << 30, value_parser = clap::value_parser!(u64).range(16 << 20..))]
    pub max_stored: u64,

    /// The number of commands in the log from which terminals get what they missed. Beyond it the oldest are
    /// removed, and a terminal that missed one of them is told of a gap
    #[arg(long, env = "MUSTER_LOG", value_name = "N", default_value_t = 10_000)]
    pub log: u64,

    /// The number of commands that may wait for one terminal. Beyond it a new command for the terminal is refused
    /// with 409
    #[arg(long, env = "MUSTER_BACKLOG", value_name = "N", default_value_t = 1_000)]
    pub backlog: u64,

    /// A terminal that was offline for so long is forgotten
    #[arg(long, env = "MUSTER_FORGET", value_name = "TIME", value_parser = humantime::parse_duration, default_value = "30d")]
    pub forget: Duration,

    /// Record no changes of single terminals, which GET /v1/terminals/ID/history shows: without them a terminal takes up to 280 bytes
    /// less. The same for all nodes
    #[arg(long, env = "MUSTER_NO_TERMINAL_HISTORY")]
    pub no_terminal_history: bool,
}

/// Secrets and public keys. The first secret signs what `muster-node token` and `muster-node key` make. All of them
/// are accepted, so one secret can replace another while both are in use.
#[derive(Debug, Clone, Default, Args)]
pub struct Keys {
    /// A secret that signs tokens (HS256) and operators' keys, as `muster-node secret` prints it. Several are
    /// separated by commas
    #[arg(long, env = "MUSTER_SECRET", value_name = "KID=SECRET", value_delimiter = ',', hide_env_values = true)]
    pub secret: Vec<Secret>,

    /// A file with the secrets, one on each line, instead of --secret
    #[arg(long, env = "MUSTER_SECRET_FILE", value_name = "FILE", conflicts_with = "secret")]
    pub secret_file: Option<PathBuf>,

    /// The public key (EdDSA, PEM) of another issuer of terminal tokens. Several are separated by commas
    #[arg(long, env = "MUSTER_PUBLIC_KEY", value_name = "KID=FILE", value_delimiter = ',', value_parser = named_file)]
    pub public_key: Vec<(String, PathBuf)>,
}

/// Parses a number of partitions.
pub fn partitions(text: &str) -> Result<Partitions, String> {
    text.parse()
        .ok()
        .and_then(Partitions::new)
        .ok_or_else(|| format!("a store has 1 to {} partitions", Partitions::MAX))
}

fn named_file(text: &str) -> Result<(String, PathBuf), String> {
    let (kid, path) = text.split_once('=').ok_or("a public key is written KID=FILE")?;
    Ok((kid.to_owned(), path.into()))
}

impl Config {
    /// Returns the secrets from which the keys of seals are derived. None with `--insecure`: such nodes have a key that everyone
    /// knows.
    pub fn sealing_secrets(&self) -> &[Secret] {
        match (self.insecure, &self.cluster_secrets[..]) {
            (true, _) => &[],
            (false, []) => &self.keys.secret,
            (false, secrets) => secrets,
        }
    }
}
