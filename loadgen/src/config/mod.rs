//! All settings of a run, with their flags and defaults. `--help` is the reference. A scenario file uses the same
//! names ([`scenario`]).

mod adapter;
mod allowances;
mod arrivals;
mod choice;
mod churn;
mod disturb;
mod fleet;
mod handshake;
pub mod scenario;
mod send_by;
mod share;
mod slo;
mod tls;
mod words;

use std::{path::PathBuf, time::Duration};

use anyhow::{bail, ensure};
use clap::Args;
use hyper::Uri;

pub use self::{
    adapter::{AdapterKind, AdapterSettings, FramePing},
    allowances::Allowances,
    arrivals::Arrivals,
    choice::{Acks, Connects, Replay, ServerKind, Watched},
    churn::{Churn, Leave, Leaves},
    disturb::{AttackWay, DisturbanceSettings, PlannedAttack, TimedCommand},
    fleet::FleetConfig,
    handshake::{HandshakeSettings, NamedTemplate},
    send_by::{SendBy, SendSettings},
    share::{Share, Slow},
    slo::{Metric, Slo, Slos},
    tls::{SessionTickets, TlsSettings, asks_for_tls},
    words::without_secrets,
};

/// The largest message in bytes. Terminals read frames of 1 MiB; the rest is for what a server puts around a message.
const MAX_PAYLOAD: usize = 1_000_000;

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

    /// How terminals leave and come back: 5%/s of them at random, every:15s for each of them, or together:30%:15s
    #[arg(long, value_name = "CHURN", default_value = "0")]
    pub churn: Churn,

    /// How terminals leave: close, reset, blackhole or twin (a second connection takes over), or a weighted mix:
    /// close:8,reset:2
    #[arg(long, value_name = "WAYS", default_value = "close")]
    pub leave: Leaves,

    /// How long a terminal that left stays away, on average
    #[arg(long, value_name = "TIME", value_parser = humantime::parse_duration, default_value = "1s")]
    pub away: Duration,

    /// The minimum time that a terminal stays away. Systems that are compared need the same value
    #[arg(long, value_name = "TIME", value_parser = humantime::parse_duration, default_value = "200ms")]
    pub away_min: Duration,

    /// The upper limit of the first random delay after a lost connection. The limit doubles with each further
    /// attempt, up to 30 s or this value if it is greater
    #[arg(long, value_name = "TIME", value_parser = humantime::parse_duration, default_value = "5s")]
    pub backoff: Duration,

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

    /// The URLs of the nodes' metrics, which are read before and after the run
    #[arg(long, value_name = "HTTP_URL", value_delimiter = ',')]
    pub metrics: Vec<Uri>,

    /// The processes whose CPU and memory are measured, child processes included: node1=4711,nginx=4712
    #[arg(long, value_name = "NAME=PID", value_delimiter = ',')]
    pub watch: Vec<Watched>,

    /// The Redis server whose INFO is read before and after the run, without TLS
    #[arg(long, value_name = "HOST:PORT")]
    pub redis: Option<String>,

    /// Before the run, measure this machine and this program alone, against a server that does nothing but deliver
    #[arg(long)]
    pub floor: bool,

    /// The title of the report
    #[arg(long, value_name = "TEXT", default_value = "")]
    pub title: String,

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

    /// Print one line per second instead of the full-screen display, even on a terminal
    #[arg(long)]
    pub no_tui: bool,
}

impl Config {
    /// The protocol that terminals speak.
    pub fn adapter_kind(&self) -> AdapterKind {
        match (self.adapter.adapter, self.target) {
            (Some(kind), _) => kind,
            (None, ServerKind::Muster) if self.fleet.plain => AdapterKind::MusterPlain,
            (None, ServerKind::Muster) => AdapterKind::MusterV1,
            (None, ServerKind::Raw) => AdapterKind::Raw,
        }
    }

    /// The kind of server under test.
    pub fn server(&self) -> ServerKind {
        if self.adapter_kind().is_muster() { ServerKind::Muster } else { ServerKind::Raw }
    }

    /// The URL to which messages of a server that is not Muster are posted.
    pub fn posts_to(&self) -> Option<&Uri> {
        match &self.send.send_by {
            Some(SendBy::Post(uri, _)) => Some(uri),
            _ => self.post.as_ref(),
        }
    }

    /// Checks conditions that involve several flags or that their parsers do not check. Errors name the flag and
    /// what it needs.
    pub fn validate(&self) -> anyhow::Result<()> {
        self.check_ways()?;
        self.check_urls()?;
        self.fleet.tls.check(self.asks_for_tls())?;
        let kind = self.adapter_kind();
        self.adapter.check(kind)?;
        self.handshake.check(kind)?;
        let mut templates = self.adapter.templates().chain(self.handshake.templates());
        if self.handshake.credentials.is_none() && templates.any(|template| template.names("credential")) {
            bail!("{{credential}} needs --credentials: a file with a credential in each line");
        }
        if !kind.takes_over() && self.leave.0.iter().any(|(leave, _)| *leave == Leave::Twin) {
            bail!(
                "--leave twin needs a protocol in which a newer connection takes over; with this --adapter none does"
            );
        }
        ensure!(
            self.payload <= MAX_PAYLOAD,
            "--payload {} is more than the generator reads in one message: at most {MAX_PAYLOAD} bytes",
            self.payload
        );
        ensure!(self.fleet.terminals > 0, "--terminals must be at least 1");
        ensure!(!self.duration.is_zero(), "--for must be longer than 0s");
        Ok(())
    }

    /// Checks that the ways by which messages are sent suit the server.
    fn check_ways(&self) -> anyhow::Result<()> {
        match self.server() {
            ServerKind::Muster => {
                ensure!(!self.api.is_empty(), "--api is needed: http://HOST:PORT of a node or of Nginx");
                ensure!(self.send.send_by.is_none(), "--send-by is for other servers: Muster's messages go to --api");
            }
            ServerKind::Raw => {
                ensure!(
                    self.api.is_empty(),
                    "--api works only with --target muster; with --target raw give --post, --send-by, or neither"
                );
                if self.commands != Arrivals::Constant(0.0) {
                    bail!("--commands needs a server that can send to one terminal; --target raw can't");
                }
            }
        }
        ensure!(self.post.is_none() || self.send.send_by.is_none(), "give --post or --send-by, not both");
        let posts = matches!(self.send.send_by, Some(SendBy::Post(..)));
        ensure!(posts || self.send.send_header.is_empty(), "--send-header needs --send-by 'POST URL BODY'");
        Ok(())
    }

    fn check_urls(&self) -> anyhow::Result<()> {
        for (flag, uris) in
            [("--api", &self.api), ("--post", &self.post.iter().cloned().collect()), ("--metrics", &self.metrics)]
        {
            let is_http = |uri: &&Uri| matches!(uri.scheme_str(), Some("http" | "https")) && uri.authority().is_some();
            if let Some(uri) = uris.iter().find(|uri| !is_http(uri)) {
                bail!("{flag} must be http://HOST:PORT or https://HOST:PORT, not {uri}");
            }
        }
        if let Some(url) = self.fleet.url.iter().find(|url| !url.starts_with("ws://") && !url.starts_with("wss://")) {
            bail!("--url must be ws://HOST:PORT/PATH or wss://HOST:PORT/PATH, not {url}");
        }
        let has_user = |url: &String| {
            url.parse::<Uri>().is_ok_and(|uri| uri.authority().is_some_and(|at| at.as_str().contains('@')))
        };
        ensure!(
            !self.fleet.url.iter().any(has_user),
            "--url has a user in it, which no server would see: give it by --login USER:PASSWORD"
        );
        Ok(())
    }

    fn asks_for_tls(&self) -> bool {
        let sockets = self.fleet.url.iter().filter_map(|url| url.parse().ok());
        let calls = self.api.iter().chain(self.posts_to()).chain(&self.metrics).cloned();
        sockets.chain(calls).any(|uri: Uri| asks_for_tls(&uri))
    }
}

#[cfg(test)]
pub mod tests {
    //! Tests of the checks on flags.

    use clap::Parser;

    use super::*;

    #[derive(Parser)]
    #[command(args_override_self = true)]
    struct Cli {
        #[command(flatten)]
        config: Config,
    }

    /// Parses flags into a configuration with a default `--url` and `--api`.
    pub fn config(flags: &str) -> Config {
        let target = "x --url ws://h/ws --api http://h ".to_owned() + flags;
        Cli::parse_from(target.split_whitespace()).config
    }

    #[test]
    fn each_target_accepts_only_its_own_flags_for_sending() {
        assert!(config("").validate().is_ok());
        assert!(config("--target raw").validate().unwrap_err().to_string().contains("--post"));
        assert!(config("--metrics ftp://h/metrics").validate().unwrap_err().to_string().contains("http://"));
        assert!(config("--payload 1000001").validate().unwrap_err().to_string().contains("--payload"));
    }

    /// Checks flags of a run against a server that is not Muster.
    fn foreign(flags: &str) -> Result<(), String> {
        let line = format!("x --url ws://h/ws {flags}");
        let config = Cli::try_parse_from(line.split_whitespace()).map_err(|error| error.to_string())?.config;
        config.validate().map_err(|error| error.to_string())
    }

    #[test]
    fn each_adapter_accepts_only_its_own_flags() {
        for right in [
            "--adapter socket.io --channel news --publish-ack --token {credential} --credentials /dev/null",
            "--adapter mqtt --qos 1 --login u{n}:p --leave twin",
            "--adapter stomp --unconfirmed --send-by socket",
            "--target raw --first-message a --first-message b --ping 1s --answer a=b --header A=1 --header B={n}",
            "--adapter centrifugo --send-by socket",
        ] {
            assert_eq!(foreign(right), Ok(()), "{right}");
        }
        for (wrong, named) in [
            ("--target raw --channel x", "--channel"),
            ("--adapter stomp --qos 1", "--qos"),
            ("--adapter mqtt --qos 2", "--qos"),
            ("--adapter mqtt --first-message x", "--first-message"),
            ("--adapter pusher --leave twin", "--leave twin"),
            ("--target raw --header {credential}", "NAME=TEMPLATE"),
            ("--target raw --header Sec-WebSocket-Key=x", "--subprotocol"),
            ("--target raw --header A={credential}", "--credentials"),
            ("--target raw --cookie a={x}", "{x}"),
            ("--target raw --login user", "USER:PASSWORD"),
            ("--target raw --ping-message x", "--ping"),
            ("--target raw --ping 0s", "--ping"),
            ("--target raw --post http://h/ --send-by socket", "--send-by"),
            ("--target raw --send-header a=b", "--send-by"),
            ("--adapter mqtt --commands 1", "--commands"),
            ("--target raw --url ws://u:p@h/", "--login"),
            ("--api http://h --send-by socket", "--api"),
            ("--api http://h --token x", "--secret"),
        ] {
            let told = foreign(wrong).expect_err(wrong);
            assert!(told.contains(named) && !told.contains("u:p@"), "{wrong}: {told}");
        }
    }
}
