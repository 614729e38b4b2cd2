//! Every setting of a run: flag, default, and why. `--help` is the reference; a scenario file holds the same names ([`scenario`]).

mod arrivals;
mod choice;
mod churn;
mod line;
pub mod scenario;
mod share;

use std::{path::PathBuf, time::Duration};

use anyhow::{bail, ensure};
use clap::Args;
use hyper::Uri;

pub use self::{
    arrivals::Arrivals,
    choice::{Acks, Connects, Replay, Target, Watched},
    churn::{Churn, Leave, Leaves},
    line::Line,
    share::{Share, Slow},
};
use crate::verdict::{Excuses, Slos};

/// What to run.
#[derive(Debug, Clone, Args)]
pub struct Config {
    /// The terminals.
    #[command(flatten)]
    pub line: Line,

    /// What answers: a Muster cluster, or any WebSocket server that broadcasts
    #[arg(long, value_enum, default_value = "muster")]
    pub target: Target,

    /// Muster's API, where messages are posted; several are taken in turn, each a row of the matrix
    #[arg(long, value_name = "HTTP_URL", value_delimiter = ',')]
    pub api: Vec<Uri>,

    /// With --target raw: post each message here; without, a connection of its own sends it
    #[arg(long, value_name = "HTTP_URL")]
    pub post: Option<Uri>,

    /// An operator key with the scope command, unless the nodes are --insecure
    #[arg(long, env = "MUSTER_KEY", hide_env_values = true)]
    pub key: Option<String>,

    /// Over how long the terminals connect
    #[arg(long, value_name = "TIME", value_parser = humantime::parse_duration, default_value = "5s")]
    pub ramp: Duration,

    /// How their connects are spread over the ramp
    #[arg(long, value_enum, default_value = "constant")]
    pub connects: Connects,

    /// Messages of this time after the ramp are accounted for, and in no percentile
    #[arg(long, value_name = "TIME", value_parser = humantime::parse_duration, default_value = "0s")]
    pub warm: Duration,

    /// For how long is measured
    #[arg(long = "for", value_name = "TIME", value_parser = humantime::parse_duration, default_value = "20s")]
    pub duration: Duration,

    /// Messages to all, a second: 5, poisson:5, ramp:1..50, step:1,10,50 or once:20
    #[arg(long, value_name = "SCHEDULE", default_value = "5")]
    pub broadcasts: Arrivals,

    /// Messages to one terminal each, a second; written like --broadcasts
    #[arg(long, value_name = "SCHEDULE", default_value = "0")]
    pub commands: Arrivals,

    /// Bytes of each message, at least 82
    #[arg(long, value_name = "BYTES", default_value_t = 128)]
    pub payload: usize,

    /// Not by the schedule: so many senders, each waits for an answer before the next. Hides a slow server; no evidence for an SLO
    #[arg(long, value_name = "SENDERS", default_value_t = 0)]
    pub closed: usize,

    /// How terminals come and go: 5%/s of them, every:15s each, or together:30%:15s
    #[arg(long, value_name = "CHURN", default_value = "0")]
    pub churn: Churn,

    /// How they leave: close, reset, blackhole or twin (a second connection takes over), or a mix: close:8,reset:2
    #[arg(long, value_name = "WAYS", default_value = "close")]
    pub leave: Leaves,

    /// How long those that left stay away, on average
    #[arg(long, value_name = "TIME", value_parser = humantime::parse_duration, default_value = "1s")]
    pub away: Duration,

    /// And at least; systems that are compared need the same
    #[arg(long, value_name = "TIME", value_parser = humantime::parse_duration, default_value = "200ms")]
    pub away_min: Duration,

    /// The range of the first delay after a lost connection; it doubles up to 30 s
    #[arg(long, value_name = "TIME", value_parser = humantime::parse_duration, default_value = "5s")]
    pub backoff: Duration,

    /// What terminals acknowledge: all that comes, as the shipped client does, or only commands for them alone
    #[arg(long, value_enum, default_value = "all")]
    pub acks: Acks,

    /// The share of the terminals that reads, and never answers
    #[arg(long, value_name = "SHARE", default_value = "0")]
    pub mute: Share,

    /// The share of the terminals that reads slowly, and how slowly: 1%:1KB/s
    #[arg(long, value_name = "SHARE:RATE")]
    pub slow: Option<Slow>,

    /// What is not there so long after it was due is late
    #[arg(long, value_name = "TIME", value_parser = humantime::parse_duration, default_value = "5s")]
    pub grace: Duration,

    /// How long a terminal must have been ready before a message counts as meant for it
    #[arg(long, value_name = "TIME", value_parser = humantime::parse_duration, default_value = "250ms")]
    pub settle: Duration,

    /// Whether the server promises to send later what was missed
    #[arg(long, value_enum, default_value = "auto")]
    pub replay: Replay,

    /// For how long it keeps what was missed
    #[arg(long, value_name = "TIME", value_parser = humantime::parse_duration, default_value = "5m")]
    pub retention: Duration,

    /// The same seed makes the same schedule; a fresh one is printed
    #[arg(long)]
    pub seed: Option<u64>,

    /// Only print the schedule's hash and what it intends
    #[arg(long)]
    pub dry_run: bool,

    /// What must hold, such as live.p99<50ms,lost==0,dup_app==0; exit 10 if it does not
    #[arg(long, value_name = "CHECKS", default_value = "")]
    pub slo: Slos,

    /// What does not make the run invalid.
    #[command(flatten)]
    pub excuses: Excuses,

    /// A file or FIFO; each line written to it while the run lasts is a mark on the time line
    #[arg(long, value_name = "FILE")]
    pub events: Option<PathBuf>,

    /// The nodes' metrics, read before and after
    #[arg(long, value_name = "HTTP_URL", value_delimiter = ',')]
    pub metrics: Vec<Uri>,

    /// Processes whose CPU and memory are measured: node1=4711,nginx=4712; children count
    #[arg(long, value_name = "NAME=PID", value_delimiter = ',')]
    pub watch: Vec<Watched>,

    /// The Redis whose INFO is read before and after
    #[arg(long, value_name = "HOST:PORT")]
    pub redis: Option<String>,

    /// First measure this machine and this program alone, against a server that does nothing
    #[arg(long)]
    pub floor: bool,

    /// The report's title
    #[arg(long, value_name = "TEXT", default_value = "")]
    pub title: String,

    /// Also write the report as JSON
    #[arg(long, value_name = "FILE")]
    pub json: Option<PathBuf>,

    /// Also write the report as one HTML page
    #[arg(long, value_name = "FILE")]
    pub html: Option<PathBuf>,

    /// Also write what was checked as JUnit XML
    #[arg(long, value_name = "FILE")]
    pub junit: Option<PathBuf>,

    /// Also write each histogram as NAME.hgrm, and all of them as an interval log
    #[arg(long, value_name = "DIR")]
    pub hgrm: Option<PathBuf>,

    /// Also write the plan and all that was seen as JSON lines, from which scripts/loadgen/check reaches the same numbers
    #[arg(long, value_name = "DIR")]
    pub logs: Option<PathBuf>,

    /// A line a second also on a terminal
    #[arg(long)]
    pub no_tui: bool,
}

impl Config {
    /// Checks what no single flag can know.
    pub fn validate(&self) -> anyhow::Result<()> {
        match self.target {
            Target::Muster => ensure!(!self.api.is_empty(), "--api is needed: http://HOST:PORT of a node or of Nginx"),
            Target::Raw => ensure!(self.api.is_empty(), "--api is Muster's; with --target raw give --post, or nothing"),
        }
        for (flag, uris) in
            [("--api", &self.api), ("--post", &self.post.iter().cloned().collect()), ("--metrics", &self.metrics)]
        {
            let plain = |uri: &&Uri| uri.scheme_str() == Some("http") && uri.authority().is_some();
            if let Some(uri) = uris.iter().find(|uri| !plain(uri)) {
                bail!("{flag} must be http://HOST:PORT, not {uri}");
            }
        }
        if let Some(url) = self.line.url.iter().find(|url| !url.starts_with("ws://")) {
            bail!("--url must be ws://HOST:PORT/PATH, not {url}");
        }
        if self.target == Target::Raw && self.commands != Arrivals::Constant(0.0) {
            bail!("--commands needs a server that can send to one terminal; --target raw can't");
        }
        ensure!(self.line.terminals > 0, "--terminals must be at least 1");
        ensure!(!self.duration.is_zero(), "--for must be longer than 0s");
        Ok(())
    }
}

#[cfg(test)]
pub mod tests {
    //! What the flags refuse.

    use clap::Parser;

    use super::*;

    #[derive(Parser)]
    #[command(args_override_self = true)]
    struct Cli {
        #[command(flatten)]
        config: Config,
    }

    /// The configuration of these flags.
    pub fn config(flags: &str) -> Config {
        let target = "x --url ws://h/ws --api http://h ".to_owned() + flags;
        Cli::parse_from(target.split_whitespace()).config
    }

    #[test]
    fn each_target_has_its_own_way_to_send() {
        assert!(config("").validate().is_ok());
        assert!(config("--target raw").validate().unwrap_err().to_string().contains("--post"));
        assert!(config("--metrics https://h/metrics").validate().unwrap_err().to_string().contains("http://"));
    }
}
