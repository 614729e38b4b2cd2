//! One run that several generators play. Each generator computes the same plan from the same seed and plays the
//! terminals and messages that are assigned to it by number. The agents exchange what was sent, each agent judges
//! its own terminals, and their tallies are merged without loss. Thresholds are therefore judged on the union of all
//! samples, never on an average of percentiles.
//!
//! ```text
//!   coordinate ── hello ──▶ agent        one line of JSON each
//!              ◀── a challenge ──
//!              ── the proof ──▶       only if the agent has a token
//!              ── clock? ──▶
//!              ◀── its clock ──
//!              ── start ──▶
//!              ── stop ──▶            only if a signal ends the run early
//!              ◀── what it sent ──
//!              ── what all sent ──▶
//!              ◀── its tally ──
//! ```

pub mod agent;
mod agent_token;
pub mod coordinate;

use std::mem;

use anyhow::{Context, bail, ensure};
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use tokio::{
    io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader},
    net::{TcpStream, tcp::OwnedReadHalf, tcp::OwnedWriteHalf},
};

pub use self::agent_token::AgentToken;
use crate::{clock::Nanos, journal::Sent, measure::Tally, report::GeneratorCost};

/// The size of a message at most, in bytes. What a run of millions of messages sent takes hundreds of megabytes.
const MESSAGE: usize = 1 << 30;
/// The size of a message of somebody who has proved nothing yet.
const STRANGER: usize = 1 << 10;

/// A request of the coordinator.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum AgentRequest {
    /// The first request.
    Hello,
    /// The second request, if the agent has a token.
    Proof(String),
    /// Asks for the agent's clock.
    Clock,
    /// Starts a run.
    Start {
        /// The flags of the run, as on a command line.
        flags: Vec<String>,
        /// The seed of the plan.
        seed: u64,
        /// The run's random id.
        run: u32,
        /// The number of agents.
        of: usize,
        /// The agent's index among them.
        rest: usize,
        /// The reading of the agent's own clock at which the run begins.
        zero: u64,
    },
    /// Ends the run early. Ignored once the agent has played.
    Stop,
    /// Asks the agent to judge its terminals with the outcomes of all messages.
    Judge {
        /// What became of each message.
        sent: Vec<Option<Sent>>,
        /// Whether the server is expected to replay missed messages.
        replay: bool,
    },
}

/// A response of an agent.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum AgentAnswer {
    /// The answer to the first request: for what a proof is needed, if one is.
    Challenge(Option<String>),
    /// The proof is right.
    Welcome,
    /// The agent's clock, and the kernel it belongs to.
    Clock {
        /// The kernel's boot id. Two processes with the same boot id have the same clock.
        boot: String,
        /// The reading of the clock, in nanoseconds.
        now: u64,
    },
    /// The agent has played its part.
    Played {
        /// The outcomes of the messages that the agent sent.
        sent: Vec<Option<Sent>>,
        /// Whether a node promised replay to one of the agent's terminals.
        replay: bool,
        /// When the agent's part ended.
        over: Nanos,
        /// Whether the run was interrupted.
        cut_short: bool,
        /// Whether a part of the generator failed.
        failed: bool,
    },
    /// The agent has judged its terminals.
    Judged {
        /// The tally of the agent's terminals.
        tally: Box<Tally>,
        /// What the run cost the agent.
        own: GeneratorCost,
    },
    /// The agent could not do what was asked, for this reason.
    Failed(String),
}

/// A connection between the coordinator and an agent. Each message is one line of JSON.
struct AgentConnection {
    reader: BufReader<OwnedReadHalf>,
    /// The part of the next message that was read.
    line: Vec<u8>,
    writer: OwnedWriteHalf,
}

impl AgentConnection {
    fn new(stream: TcpStream) -> Self {
        // Nagle's algorithm would delay the answers to clock requests and so falsify the offset.
        let _ = stream.set_nodelay(true);
        let (reader, writer) = stream.into_split();
        Self { reader: BufReader::new(reader), line: Vec::new(), writer }
    }

    async fn send(&mut self, what: &impl Serialize) -> anyhow::Result<()> {
        let mut line = serde_json::to_string(what)?;
        line.push('\n');
        Ok(self.writer.write_all(line.as_bytes()).await?)
    }

    /// Receives the next message. Cancelling the call loses nothing. Fails if the peer has closed the connection, or sends more
    /// than [`MESSAGE`].
    async fn receive<T: DeserializeOwned>(&mut self) -> anyhow::Result<T> {
        self.receive_at_most(MESSAGE).await
    }

    /// Receives the next message, which has at most `limit` bytes.
    async fn receive_at_most<T: DeserializeOwned>(&mut self, limit: usize) -> anyhow::Result<T> {
        let left = limit.saturating_sub(self.line.len()) as u64;
        (&mut self.reader).take(left).read_until(b'\n', &mut self.line).await?;
        if !self.line.ends_with(b"\n") {
            ensure!(self.line.len() < limit, "a message of the peer has more than {limit} bytes");
            bail!("the peer closed the connection");
        }
        serde_json::from_slice(&mem::take(&mut self.line))
            .context("the message of the peer is not understood: run the same version everywhere")
    }
}

/// Returns the kernel's boot id, which is new for each boot. It is empty if it can't be read.
fn boot() -> String {
    std::fs::read_to_string("/proc/sys/kernel/random/boot_id").unwrap_or_default().trim().to_owned()
}
