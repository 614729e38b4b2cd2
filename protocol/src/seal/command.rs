//! Sealed commands. The seal stands in the frame of a command as Redis stores and publishes it. So a node checks both
//! what another node sends it and what it reads for a terminal that comes back. The frame that a terminal gets has no
//! seal.
//!
//! The seal covers the command's id, and so its home. It does not cover a partition: all shares of a command for many
//! have one frame.
//!
//! ```text
//!   {"expires_at":"…",   Redis adds it, since its clock stamps a command
//!    "id":…,"payload":…  the body, which the accepting node wrote
//!    ,"seal":"STORE EXPIRES_IN TARGETS SEAL"}
//! ```

use std::time::Duration;

use data_encoding::HEXLOWER;
use jiff::Timestamp;
use ring::digest::{Context, SHA256};

use super::{Foreign, NodeKey};
use crate::{frame, id::TerminalId};

/// How much later a command may expire than the time in its id and its `expires_in` say. The id has the clock of a node
/// and the expiry has the clock of Redis, and a node asks again for some seconds when Redis does not answer.
const CLOCK_SLACK: Duration = Duration::from_secs(30);
const HEAD: &str = "{\"expires_at\":\"";
const SEAL: &str = ",\"seal\":\"";
/// What the seal of a command names instead of targets, if the command does not name them.
const MANY: &str = "many";

/// What a seal says of a command, beside its body.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CommandScope {
    /// The id of the store.
    pub store: String,
    /// The time from acceptance to expiry.
    pub expires_in: Duration,
    /// Whom the command is for, as [`digest_of_targets`] has it.
    pub targets: String,
}

/// A command whose seal was checked.
#[derive(Debug)]
pub struct SealedCommand {
    /// The frame, as Redis completed it.
    pub command: frame::Command,
    /// Whom the command is for, as [`CommandScope::targets`].
    pub targets: String,
}

impl CommandScope {
    /// Seals the body of a frame: its JSON without the opening brace and without `expires_at`. A script adds
    /// `{"expires_at":"…",` before it.
    ///
    /// # Panics
    /// If the body does not end with a brace.
    pub fn seal(&self, key: &NodeKey, body: &str) -> String {
        let body = body.strip_suffix('}').expect("a JSON object ends with a brace");
        let ms = self.expires_in.as_millis().to_string();
        let seal = key.0.seal(&[&self.store, &ms, &self.targets, body]);
        format!("{body}{SEAL}{} {ms} {} {seal}\"}}", self.store, self.targets)
    }
}

impl SealedCommand {
    /// Reads a frame of this store, and checks its seal.
    ///
    /// # Errors
    /// [`Foreign`] if no node of this cluster sealed the frame for this store, or if the command would expire later
    /// than the seal allows.
    pub fn read(key: &NodeKey, store: &str, text: &str) -> Result<Self, Foreign> {
        let (body, seal) = parts(text).ok_or(Foreign)?;
        let mut words = seal.split(' ');
        let mut word = || words.next().ok_or(Foreign);
        let (sealed_store, ms, targets, seal) = (word()?, word()?, word()?, word()?);
        key.0.check(&[sealed_store, ms, targets, body], seal)?;
        let command: frame::Command = serde_json::from_str(text).map_err(|_| Foreign)?;
        let accepted = command.id.0.get_timestamp().map(|time| time.to_unix()).ok_or(Foreign)?;
        let accepted = Timestamp::new(accepted.0 as i64, accepted.1 as i32).map_err(|_| Foreign)?;
        let lasting = Duration::from_millis(ms.parse().map_err(|_| Foreign)?) + CLOCK_SLACK;
        let latest = accepted.checked_add(lasting).unwrap_or(Timestamp::MAX);
        if sealed_store != store || command.expires_at > latest {
            return Err(Foreign);
        }
        Ok(Self { command, targets: targets.to_owned() })
    }
}

impl SealedCommand {
    /// Checks the seal of a frame of the store `from`, and returns the frame as a node of the store `to` seals it.
    ///
    /// # Errors
    /// As [`read`](Self::read).
    pub fn moved(key: &NodeKey, from: &str, to: &str, text: &str) -> Result<String, Foreign> {
        let targets = Self::read(key, from, text)?.targets;
        let (body, seal) = parts(text).ok_or(Foreign)?;
        let ms = seal.split(' ').nth(1).and_then(|ms| ms.parse().ok()).ok_or(Foreign)?;
        let head = &text[..text.len() - body.len() - SEAL.len() - seal.len() - "\"}".len()];
        let scope = CommandScope { store: to.to_owned(), expires_in: Duration::from_millis(ms), targets };
        Ok(format!("{head}{}", scope.seal(key, &format!("{body}}}"))))
    }

    /// Returns whether the seal admits that the command goes to these terminals; `None` if it does not name its
    /// targets. If the terminals are only some of the named targets, only their number is checked, since the seal has a
    /// digest of all targets.
    pub fn is_for(&self, terminals: Option<&[TerminalId]>) -> bool {
        let (Some(terminals), Some((count, _))) = (terminals, self.targets.split_once(':')) else {
            return terminals.is_none() && self.targets == MANY;
        };
        let count = count.parse().unwrap_or(0);
        terminals.len() < count || (terminals.len() == count && self.targets == digest_of_targets(Some(terminals)))
    }
}

/// Returns the body of a frame and the content of its seal.
fn parts(text: &str) -> Option<(&str, &str)> {
    let (_expires_at, rest) = text.strip_prefix(HEAD)?.split_once("\",")?;
    // The last occurrence: a payload may contain the same text.
    let (body, seal) = rest.rsplit_once(SEAL)?;
    Some((body, seal.strip_suffix("\"}")?))
}

/// Returns whom a seal names: the number and the digest of named targets, in any order; `many` if they are not named.
pub fn digest_of_targets(targets: Option<&[TerminalId]>) -> String {
    let Some(targets) = targets else { return MANY.into() };
    let mut ids: Vec<_> = targets.iter().map(TerminalId::as_str).collect();
    ids.sort_unstable();
    let mut digest = Context::new(&SHA256);
    for id in ids {
        digest.update(id.as_bytes());
        digest.update(b"\n");
    }
    format!("{}:{}", targets.len(), HEXLOWER.encode(digest.finish().as_ref()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        id::ClusterName,
        partition::{PartitionIndex, command_id},
        seal::seal_keys,
    };

    const PARTITION: PartitionIndex = PartitionIndex(3);

    fn key() -> NodeKey {
        seal_keys(&ClusterName::default(), &[]).1
    }

    fn sealed(expires_at: Timestamp, payload: &str) -> String {
        let scope = CommandScope {
            store: "s1".into(),
            expires_in: Duration::from_secs(60),
            targets: digest_of_targets(Some(&["t1".parse().unwrap()])),
        };
        let body = format!(r#""id":"{}","name":"show","payload":{payload}}}"#, command_id(PARTITION));
        format!("{HEAD}{expires_at}\",{}", scope.seal(&key(), &body))
    }

    fn in_seconds(seconds: u64) -> Timestamp {
        Timestamp::now() + Duration::from_secs(seconds)
    }

    #[test]
    fn a_sealed_frame_is_a_frame_and_tells_whom_it_is_for() {
        let text = sealed(in_seconds(60), r#"{"a":"b","seal":"x y"}"#);
        let read = SealedCommand::read(&key(), "s1", &text).unwrap();
        assert_eq!(read.command.payload.as_json(), r#"{"a":"b","seal":"x y"}"#);
        assert_eq!(read.targets, digest_of_targets(Some(&["t1".parse().unwrap()])));
    }

    #[test]
    fn a_frame_of_a_newer_node_is_read_without_the_fields_that_it_has_more() {
        let scope =
            CommandScope { store: "s1".into(), expires_in: Duration::from_secs(60), targets: digest_of_targets(None) };
        let body = format!(r#""urgency":{{"a":[1]}},"id":"{}","name":"show","payload":1}}"#, command_id(PARTITION));
        let text = format!("{HEAD}{}\",{}", in_seconds(60), scope.seal(&key(), &body));
        let read = SealedCommand::read(&key(), "s1", &text).unwrap();
        assert_eq!((read.command.name.as_str(), read.command.payload.as_json()), ("show", "1"));
    }

    #[test]
    fn what_was_changed_moved_or_prolonged_is_foreign() {
        let text = sealed(in_seconds(60), r#""a""#);
        let read = |store, text: &str| SealedCommand::read(&key(), store, text);
        assert!(read("s1", &text).is_ok());
        assert_eq!(read("s2", &text).unwrap_err(), Foreign);
        for changed in [
            text.replace("\"show\"", "\"drop\""),
            text.replace(" 60000 ", " 90000 "),
            text.replace(&digest_of_targets(Some(&["t1".parse().unwrap()])), "many"),
            sealed(in_seconds(120), r#""a""#),
            text.replacen("\"name\"", "\"ack\":\"later\",\"name\"", 1),
            r#"{"id":1}"#.into(),
        ] {
            assert_eq!(read("s1", &changed).unwrap_err(), Foreign, "{changed}");
        }
    }

    #[test]
    fn a_command_that_is_moved_to_another_store_keeps_all_but_its_seal() {
        let text = sealed(in_seconds(60), r#"{"a":"b","seal":"x y"}"#);
        let moved = SealedCommand::moved(&key(), "s1", "s2", &text).unwrap();
        assert_eq!(SealedCommand::read(&key(), "s1", &moved).unwrap_err(), Foreign);
        let (before, after) = [("s1", &text), ("s2", &moved)]
            .map(|(store, text)| SealedCommand::read(&key(), store, text).unwrap())
            .into();
        assert_eq!((after.command, after.targets), (before.command, before.targets));
        assert_eq!(SealedCommand::moved(&key(), "s2", "s3", &text).unwrap_err(), Foreign);
    }

    #[test]
    fn a_command_for_one_terminal_goes_to_no_other() {
        let ids = |ids: &[&str]| ids.iter().map(|id| id.parse().unwrap()).collect::<Vec<TerminalId>>();
        let command = |targets: Option<&[TerminalId]>| {
            let text = sealed(in_seconds(60), "1");
            let read = SealedCommand::read(&key(), "s1", &text).unwrap();
            SealedCommand { targets: digest_of_targets(targets), ..read }
        };
        let (one, two, many) = (ids(&["t1"]), ids(&["t1", "t2"]), None);
        assert!(command(Some(&one)).is_for(Some(&one)) && !command(Some(&one)).is_for(Some(&ids(&["t2"]))));
        assert!(!command(Some(&one)).is_for(Some(&two)) && !command(Some(&one)).is_for(many));
        assert!(command(Some(&two)).is_for(Some(&ids(&["t2", "t1"]))) && command(Some(&two)).is_for(Some(&one)));
        assert!(command(many).is_for(many) && !command(many).is_for(Some(&one)));
    }

    #[test]
    fn a_digest_is_of_the_set_and_not_of_the_text() {
        let ids = |ids: &[&str]| digest_of_targets(Some(&ids.iter().map(|id| id.parse().unwrap()).collect::<Vec<_>>()));
        assert_eq!(ids(&["a", "b"]), ids(&["b", "a"]));
        assert_ne!(ids(&["a", "b"]), ids(&["ab"]));
    }
}
