//! All settings of a run, with their flags and defaults. `--help` is the reference. A scenario file uses the same
//! names ([`scenario`]).

mod adapter;
mod allowances;
mod arrivals;
mod check;
mod choice;
mod churn;
mod costs;
mod disturb;
mod fleet;
mod handshake;
mod outputs;
mod raw;
pub mod scenario;
mod send_by;
mod share;
mod slo;
mod target;
#[cfg(test)]
pub mod tests;
mod tls;
mod words;

use std::{path::PathBuf, time::Duration};

use clap::Args;
use hyper::Uri;

pub use self::{
    adapter::{AdapterKind, AdapterSettings},
    allowances::Allowances,
    arrivals::Arrivals,
    choice::{Acks, Connects, Replay, ServerKind, Watched},
    churn::{Churn, ChurnSettings, Leave, Leaves},
    costs::CostSettings,
    disturb::{AttackWay, DisturbanceSettings, PlannedAttack, TimedCommand},
    fleet::FleetConfig,
    handshake::{HandshakeSettings, NamedTemplate},
    outputs::OutputSettings,
    raw::{FrameAnswer, FramePing, RawSettings},
    send_by::{SendBy, SendSettings},
    share::{Share, Slow},
    slo::{Metric, Slo, Slos},
    tls::{SessionTickets, TlsSettings, asks_for_tls},
    words::without_secrets,
};

/// The settings of a run.
#[derive(Debug, Clone, Args)]
pub struct Config {
    /// The terminals and how they connect.
    #[command(flatten)]
    pub fleet: FleetConfig,

    /// The kind of server under test: a Muster cluster, or any WebSocket server that relays messages to all its
    /// clients. An --adapter of another protocol implies raw
    #[arg(long, value_enum, default_value = "muster")]
    pub target: ServerKind,

    /// The protocol that terminals speak.
    #[command(flatten)]
    pub adapter: AdapterSettings,

    /// What terminals say of themselves in the handshake.
    #[command(flatten)]
    pub handshake: HandshakeSettings,

    /// How messages reach a server that is not Muster.
    #[command(flatten)]
    pub send: SendSettings,

    /// The URLs of Muster's API, where messages are posted. Messages are spread over several URLs, and each URL is a
    /// row of the report's matrix
    #[arg(long, value_name = "HTTP_URL", value_delimiter = ',')]
    pub api: Vec<Uri>,

    /// With --target raw: the URL to which each message is posted, as --send-by 'POST URL' does. Without both, a WebSocket
    /// connection of its own sends the messages
    #[arg(long, value_name = "HTTP_URL")]
    pub post: Option<Uri>,

    /// An operator key with the scope command. Not needed if the nodes run with --insecure
    #[arg(long, env = "MUSTER_KEY", hide_env_values = true)]
    pub key: Option<String>,

    /// The period over which the terminals connect for the first time
    #[arg(long, value_name = "TIME", value_parser = humantime::parse_duration, default_value = "5s")]
    pub ramp: Duration,

    /// How the first connects are spread over the ramp
    #[arg(long, value_enum, default_value = "constant")]
    pub connects: Connects,

    /// A warm-up after the ramp. Its messages are accounted for, but are in no percentile
    #[arg(long, value_name = "TIME", value_parser = humantime::parse_duration, default_value = "0s")]
    pub warm: Duration,

    /// How long to measure
    #[arg(long = "for", value_name = "TIME", value_parser = humantime::parse_duration, default_value = "20s")]
    pub duration: Duration,

    /// Broadcasts per second: 5, poisson:5, ramp:1..50, step:1,10,50 or once:20
    #[arg(long, value_name = "SCHEDULE", default_value = "5")]
    pub broadcasts: Arrivals,

    /// Messages to one terminal each, per second. Same syntax as --broadcasts
    #[arg(long, value_name = "SCHEDULE", default_value = "0")]
    pub commands: Arrivals,

    /// The size of each message in bytes; at least 82, at most 1,000,000
    #[arg(long, value_name = "BYTES", default_value_t = 128)]
    pub payload: usize,

    /// Closed loop: ignore the schedule and use this many senders, each of which waits for a response before it
    /// sends its next message. This hides a slow server, so the result is no evidence for an SLO. 0 is off
    #[arg(long, value_name = "SENDERS", default_value_t = 0)]
    pub closed: usize,

    /// How terminals leave and come back.
    #[command(flatten)]
    pub churn: ChurnSettings,

    /// With wss: whether a terminal that comes back shows the session ticket of its last connection, which makes the TLS
    /// handshake cheaper. Most clients do
    #[arg(long, value_enum, default_value = "on")]
    pub tls_tickets: SessionTickets,

    /// Which messages terminals acknowledge: all, as the shipped client does, or only commands that target the
    /// terminal alone
    #[arg(long, value_enum, default_value = "all")]
    pub acks: Acks,

    /// The share of terminals that read and never answer
    #[arg(long, value_name = "SHARE", default_value = "0")]
    pub mute: Share,

    /// The share of terminals that read slowly, and their read rate: 1%:1KB/s
    #[arg(long, value_name = "SHARE:RATE")]
    pub slow: Option<Slow>,

    /// The time that the server has. A message that arrives later than this after it was due counts as late, and an attempt to connect
    /// counts as failed if the terminal, whose stay ended, has waited for an answer for this time
    #[arg(long, value_name = "TIME", value_parser = humantime::parse_duration, default_value = "5s")]
    pub grace: Duration,

    /// How long a terminal must have been ready before a message counts as intended for it
    #[arg(long, value_name = "TIME", value_parser = humantime::parse_duration, default_value = "250ms")]
    pub settle: Duration,

    /// Whether the server promises to replay missed messages
    #[arg(long, value_enum, default_value = "auto")]
    pub replay: Replay,

    /// How long the server retains messages for replay
    #[arg(long, value_name = "TIME", value_parser = humantime::parse_duration, default_value = "5m")]
    pub retention: Duration,

    /// The seed of the schedule: the same seed makes the same schedule. Random by default, and printed
    #[arg(long)]
    pub seed: Option<u64>,

    /// Only print the hash of the schedule and the number of intended deliveries
    #[arg(long)]
    pub dry_run: bool,

    /// Conditions that must hold, such as live.p99<50ms,lost==0,dup_app==0. If one does not hold, the exit code is
    /// 10
    #[arg(long, value_name = "CHECKS", default_value = "")]
    pub slo: Slos,

    /// The reports of three or more earlier runs of the same load, as --json wrote them. The exit code is 14 if this run is
    /// worse than all of them by more than they differ among themselves
    #[arg(long, value_name = "A.json,...", value_delimiter = ',')]
    pub baseline: Vec<PathBuf>,

    /// Conditions that do not make the run invalid.
    #[command(flatten)]
    pub allowances: Allowances,

    /// What is done to the server during the run.
    #[command(flatten)]
    pub disturb: DisturbanceSettings,

    /// A file or FIFO to read while the run lasts. Each line written to it becomes a mark on the time line
    #[arg(long, value_name = "FILE")]
    pub events: Option<PathBuf>,

    /// What of the servers and of this machine is measured besides.
    #[command(flatten)]
    pub costs: CostSettings,

    /// The title of the report
    #[arg(long, value_name = "TEXT", default_value = "")]
    pub title: String,

    /// What the run writes and shows.
    #[command(flatten)]
    pub outputs: OutputSettings,

    /// Print one line per second instead of the full-screen display, even on a terminal
    #[arg(long)]
    pub no_tui: bool,
}
