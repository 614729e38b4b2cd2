//! One run played by several generators. The plan is the same in each, made from the same seed; each plays the terminals and messages
//! whose numbers fall to it. What was sent is exchanged, each judges its own terminals, and the tallies merge without loss: so thresholds
//! are judged on the union, and never on an average of percentiles.
//!
//! ```text
//!   coordinate ── clock? ──▶ agent        one line of JSON each
//!              ◀── its clock ──
//!              ── start ──▶
//!              ◀── what it sent ──
//!              ── what all sent ──▶
//!              ◀── its tally ──
//! ```

pub mod agent;
pub mod coordinate;

use anyhow::{Context, ensure};
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use tokio::{
    io::{AsyncBufReadExt, AsyncWriteExt, BufReader},
    net::{TcpStream, tcp::OwnedReadHalf, tcp::OwnedWriteHalf},
};

use crate::{clock::Nanos, journal::Sent, measure::Tally, report::Own};

/// What a coordinator says.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Order {
    /// What is your clock?
    Clock,
    /// Play.
    Start {
        /// The flags of the run, as on a command line.
        flags: Vec<String>,
        /// From which the plan is made.
        seed: u64,
        /// The run's mark.
        run: u32,
        /// How many agents there are.
        of: usize,
        /// Which of them this is.
        rest: usize,
        /// The reading of the agent's own clock at which the run begins.
        zero: u64,
    },
    /// Judge your terminals by this.
    Judge {
        /// What became of each message.
        sent: Vec<Option<Sent>>,
        /// Whether the server is held to replay.
        replay: bool,
    },
}

/// What an agent says.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Answer {
    /// Its clock, and which kernel's that is.
    Clock {
        /// Two processes with the same have the same clock.
        boot: String,
        /// Its reading.
        now: u64,
    },
    /// It has played.
    Played {
        /// What became of the messages that it sent.
        sent: Vec<Option<Sent>>,
        /// Whether a node promised it to replay.
        replay: bool,
        /// When it was over.
        over: Nanos,
        /// Whether it was interrupted.
        cut_short: bool,
        /// Whether something of it broke off.
        failed: bool,
    },
    /// It has judged.
    Judged {
        /// Its tally.
        tally: Box<Tally>,
        /// What it cost.
        own: Own,
    },
    /// It can't.
    Failed(String),
}

/// A connection between the two.
struct Peer {
    lines: BufReader<OwnedReadHalf>,
    writer: OwnedWriteHalf,
}

impl Peer {
    fn new(stream: TcpStream) -> Self {
        // A clock that is asked must answer at once.
        let _ = stream.set_nodelay(true);
        let (reader, writer) = stream.into_split();
        Self { lines: BufReader::new(reader), writer }
    }

    async fn say(&mut self, what: &impl Serialize) -> anyhow::Result<()> {
        let mut line = serde_json::to_string(what)?;
        line.push('\n');
        Ok(self.writer.write_all(line.as_bytes()).await?)
    }

    async fn hear<T: DeserializeOwned>(&mut self) -> anyhow::Result<T> {
        let mut line = String::new();
        let read = self.lines.read_line(&mut line).await?;
        ensure!(read > 0, "the other side has closed the connection");
        serde_json::from_str(&line).context("the other side is of another version")
    }
}

/// Which kernel this is, since when.
fn boot() -> String {
    std::fs::read_to_string("/proc/sys/kernel/random/boot_id").unwrap_or_default().trim().to_owned()
}
