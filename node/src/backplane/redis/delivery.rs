//! What nodes send each other by the channels of a partition, and what the receiving node does. A script publishes most
//! of it, so the number of a command and its place are those of the log.

use data_encoding::BASE64;
use muster_protocol::{CommandId, SessionId, TerminalId, frame, inbox::DrainRequest};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use super::{RedisBackplane, member::PartitionMember};
use crate::backplane::{Cursor, encode};

/// A message of a partition's channels, as JSON.
#[derive(Debug, Deserialize, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum PartitionEnvelope<'a> {
    /// Sends a command to terminals of the receiving node.
    Deliver(#[serde(borrow)] PublishedCommand<'a>),
    /// Stops sending a command.
    Cancel {
        /// The command.
        command: CommandId,
    },
    /// A command is done. The receiving node waits for that.
    Done {
        /// The command.
        command: CommandId,
    },
    /// There is an event in the partition. The receiving node asked to be told.
    Happened,
    /// A newer session of a terminal started on another node.
    Replaced {
        /// The terminal.
        terminal: TerminalId,
        /// The older session, which has to end.
        session: SessionId,
    },
    /// An operator ends a terminal's session. The terminal may come back.
    Disconnect {
        /// The terminal.
        terminal: TerminalId,
    },
    /// An operator removed a terminal. It must not come back.
    Remove {
        /// The terminal.
        terminal: TerminalId,
    },
    /// Sends sessions away.
    Depart(DrainRequest),
    /// The partition has a new epoch: it has lost something that a node has seen of it.
    Renamed,
    /// A node checks whether it hears itself.
    Probe {
        /// The number of the probe.
        number: u64,
    },
}

/// A command that was published.
#[derive(Debug, Deserialize, Serialize)]
pub struct PublishedCommand<'a> {
    /// The epoch of the partition that numbers the command.
    pub epoch: String,
    /// The command's number.
    pub number: u64,
    /// The number of the command before this command on the same channel. A node that has not seen the command before
    /// fills the gap from the log.
    pub prev: u64,
    /// The terminals that get the command.
    pub to: PublishedTo,
    /// Terminals per second. In an inbox this is the node's share, and on the broadcast channel the rate over all
    /// nodes. None sends to all at once.
    #[serde(default)]
    pub rate: Option<f64>,
    /// With a rate: the number of targets in this partition.
    #[serde(default)]
    pub of: Option<u64>,
    /// The frame, sealed.
    #[serde(borrow)]
    pub command: &'a RawValue,
}

/// The terminals that a published command is for.
#[derive(Debug, Clone, PartialEq, Deserialize, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum PublishedTo {
    /// All terminals of the partition.
    All,
    /// Terminals by their ordinals: a bitmap in Base64.
    Bits(String),
    /// These terminals, which were named.
    Terminals(Vec<TerminalId>),
}

/// Those who get a command on this node.
#[derive(Debug, Clone, PartialEq)]
pub enum LocalAudience {
    /// All sessions of the partition.
    All,
    /// These terminals, of a command whose targets are not named.
    Some(Vec<TerminalId>),
    /// These terminals, which were named.
    Named(Vec<TerminalId>),
}

/// A command that is to be passed on to sessions of this node, and whose seal was checked.
#[derive(Debug)]
pub struct ReceivedCommand {
    /// Its place in the partition's order.
    pub place: Cursor,
    /// The frame.
    pub command: frame::Command,
    /// Those who get it here.
    pub to: LocalAudience,
    /// This node's share of the rate, in terminals per second.
    pub rate: Option<f64>,
}

impl RedisBackplane {
    /// Returns who gets a published command on this node, and this node's share of the command's rate. `epoch` is the
    /// epoch in which it was published.
    pub(super) fn audience(
        &self,
        member: &PartitionMember,
        to: PublishedTo,
        rate: Option<f64>,
        of: Option<u64>,
        epoch: &str,
    ) -> (LocalAudience, Option<f64>) {
        match to {
            PublishedTo::Terminals(terminals) => (LocalAudience::Named(terminals), rate),
            PublishedTo::All => {
                let share = member.ordinals.all().len() as f64 / of.unwrap_or(0).max(1) as f64;
                (LocalAudience::All, rate.map(|rate| rate * share.min(1.0)))
            }
            PublishedTo::Bits(text) => {
                let targets = BASE64.decode(text.as_bytes()).unwrap_or_default();
                let (terminals, share) = here(member, &targets, epoch);
                (LocalAudience::Some(terminals), rate.map(|rate| rate * share))
            }
        }
    }

    /// Returns the frame in a text. None if no node of this cluster sealed it for these terminals.
    pub(super) fn opened(&self, member: &PartitionMember, text: &str, to: &LocalAudience) -> Option<frame::Command> {
        let named = match to {
            LocalAudience::Named(terminals) => Some(&terminals[..]),
            LocalAudience::All | LocalAudience::Some(_) => None,
        };
        self.trust.read_frame(member.index(), text, named)
    }

    /// Passes a command on to the sessions of its audience, at once or at its rate. A command that has expired is not
    /// sent.
    pub(super) async fn pass_on(&self, member: &PartitionMember, received: ReceivedCommand) {
        let expires_at = received.command.expires_at;
        if expires_at <= self.clock.now() {
            return;
        }
        let is_many = !matches!(received.to, LocalAudience::Named(_));
        let encoded = encode(member.index(), received.command, &received.place, is_many);
        match (received.to, received.rate.filter(|rate| *rate > 0.0)) {
            (LocalAudience::All, None) => self.sessions.broadcast(encoded).await,
            (LocalAudience::All, Some(rate)) => {
                let all = member.ordinals.all().into_iter().map(|(_, info)| info.terminal.clone()).collect();
                self.pacer.pace(encoded, expires_at, all, rate);
            }
            (LocalAudience::Some(terminals) | LocalAudience::Named(terminals), None) => {
                self.sessions.send(&terminals, encoded).await;
            }
            (LocalAudience::Some(terminals) | LocalAudience::Named(terminals), Some(rate)) => {
                self.pacer.pace(encoded, expires_at, terminals, rate);
            }
        }
    }
}

/// Returns the targets that have a session on this node, and which share of all targets they are.
pub fn here(member: &PartitionMember, targets: &[u8], epoch: &str) -> (Vec<TerminalId>, f64) {
    let terminals = member.ordinals.terminals(targets, epoch);
    let count: u32 = targets.iter().map(|byte| byte.count_ones()).sum();
    let share = terminals.len() as f64 / f64::from(count.max(1));
    (terminals, share)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_scripts_publish_is_read() {
        let text = r#"{"deliver":{"epoch":"0123abcd","number":7,"prev":5,"to":{"terminals":["t1"]},"rate":2.5,"command":{"a" : 1}}}"#;
        let Ok(PartitionEnvelope::Deliver(read)) = serde_json::from_str(text) else { panic!("not read") };
        assert_eq!(read.command.get(), r#"{"a" : 1}"#, "the seal is of the text as it is");
        assert_eq!((read.number, read.prev, read.rate), (7, 5, Some(2.5)));
        assert_eq!(read.to, PublishedTo::Terminals(vec!["t1".parse().unwrap()]));
        for (to, expected) in [(r#""all""#, PublishedTo::All), (r#"{"bits":"gA=="}"#, PublishedTo::Bits("gA==".into()))]
        {
            assert_eq!(serde_json::from_str::<PublishedTo>(to).unwrap(), expected);
        }
        let newer = text.replacen(r#""epoch""#, r#""sent_at":5,"epoch""#, 1);
        assert!(matches!(serde_json::from_str(&newer), Ok(PartitionEnvelope::Deliver(read)) if read.number == 7));
        let error =
            serde_json::from_str::<PartitionEnvelope>(r#"{"pause":{"terminal":"t1"}}"#).unwrap_err().to_string();
        assert!(error.starts_with("unknown variant `pause`"), "the log names what a newer node asked for: {error}");
        assert!(matches!(serde_json::from_str(r#""renamed""#), Ok(PartitionEnvelope::Renamed)));
        let depart = r#"{"depart":{"retire":{"worker":"edge/7","over_ms":1000}}}"#;
        assert!(matches!(serde_json::from_str(depart), Ok(PartitionEnvelope::Depart(_))));
    }
}
