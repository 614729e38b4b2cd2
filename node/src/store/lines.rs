//! The lines of a file, one JSON object each. The name of an object's only field says what the line is.
//!
//! ```text
//!   header  terminal…  (command (few | many | refused)… reply…)…  key…  revocation…  enrolment…  operator_key…  saved_selector…  notice…  end
//! ```
//!
//! A terminal is named by its partition and ordinal in the store that was exported. Commands are in the order in which terminals got them.

use std::fmt;

use jiff::Timestamp;
use muster_protocol::{
    ClusterName, CommandId,
    api::{Enrolment, OperatorKey, Revocation, SavedSelector},
};
use serde::{Deserialize, Serialize};

use super::base64::PackedBytes;
use crate::backplane::NoticeRecord;

/// The version of the file's format, and the only one that is read.
pub const FORMAT: u32 = 1;
/// The most bytes of a line, with its line feed. The longest have the payload of a command, or a reply.
pub const LINE_MAX: usize = 16 << 20;

/// A line.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum BackupLine {
    /// The first line.
    Header(BackupHeader),
    /// A terminal.
    Terminal(TerminalLine),
    /// A command. The lines behind it, up to the next command, are of it.
    Command(Box<CommandLine>),
    /// Targets of the command, which is one for few.
    Few(FewLine),
    /// Targets of the command, which is one for many.
    Many(ManyLine),
    /// Terminals that were rejected when a share of the command was taken.
    Refused(RefusedLine),
    /// What a target last sent about the command.
    Reply(ReplyLine),
    /// An idempotency key.
    Key(KeyLine),
    /// A revocation.
    Revocation(Box<Revocation>),
    /// A code for a first token that was not used, by its hash.
    Enrolment(Box<Enrolment>),
    /// An operator's key that is listed.
    OperatorKey(Box<OperatorKey>),
    /// A saved selector.
    SavedSelector(Box<SavedSelector>),
    /// A notice, with the secret that signs its messages.
    Notice(Box<NoticeRecord>),
    /// The last line. Without it the file was cut off.
    End(BackupEnd),
}

/// What the store was, and when it was exported.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct BackupHeader {
    /// The version of the file's format.
    pub format: u32,
    /// The version of the store's schema.
    pub schema: u32,
    /// The name of the cluster.
    pub cluster: ClusterName,
    /// The id of the store, for which commands are sealed.
    pub store: String,
    /// The number of partitions.
    pub partitions: u16,
    /// When the export began, by the clock of partition 0.
    pub at: Timestamp,
}

/// A terminal, or an ordinal whose terminal was forgotten.
#[derive(Debug, Serialize, Deserialize)]
pub struct TerminalLine {
    /// Its partition.
    pub p: u16,
    /// Its ordinal.
    pub ord: u32,
    /// Node, session and protocol of the last session, and a line feed and its record. Only the record of a terminal that was forgotten.
    pub entry: String,
    /// Whether it was forgotten: it is here only since commands can have it among their targets.
    #[serde(default, skip_serializing_if = "is_false")]
    pub forgotten: bool,
    /// The labels that operators gave, as JSON.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub given: String,
    /// The last health, as JSON.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub health: String,
    /// `degraded` or `failing`.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub condition: String,
    /// When it was last heard, and its round trip.
    #[serde(default, skip_serializing_if = "PackedBytes::is_empty")]
    pub seen: PackedBytes,
    /// When it left, in seconds since 1970. Not there if it was online.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub left: Option<u64>,
}

/// A command without its targets.
#[derive(Debug, Serialize, Deserialize)]
pub struct CommandLine {
    /// Its id.
    pub id: CommandId,
    /// Whether it is one for few: its targets are named, and 512 at most.
    pub few: bool,
    /// The frame with its seal.
    pub frame: String,
    /// The request without its payload.
    pub ask: String,
    /// Who asked.
    pub by: String,
    /// What must be confirmed.
    pub confirm: String,
    /// When it was accepted, in ms since 1970.
    pub created: u64,
    /// When it expires, in ms since 1970.
    pub expires: u64,
    /// When it was cancelled, in ms since 1970.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cancelled: Option<u64>,
    /// When it may be forgotten, in ms since 1970.
    pub stored: u64,
    /// Its place in the list of commands.
    pub listed: u64,
    /// Whether its `command.done` was written.
    pub done: bool,
    /// The number of targets whose share came too late.
    #[serde(default)]
    pub late: u64,
}

/// The targets of a command for few in one partition.
#[derive(Debug, Serialize, Deserialize)]
pub struct FewLine {
    /// The partition.
    pub p: u16,
    /// Their ordinals.
    pub ords: Vec<u32>,
    /// A record of 17 bytes for each: its level, and four times. Nothing if none has a state.
    pub records: PackedBytes,
    /// The ordinals of those to whom the command is sent again.
    pub waiting: Vec<u32>,
}

/// The targets of a command for many in one bucket of 4,096 ordinals of one partition.
#[derive(Debug, Serialize, Deserialize)]
pub struct ManyLine {
    /// The partition.
    pub p: u16,
    /// The bucket.
    pub bucket: u32,
    /// A bitmap of the targets.
    pub targets: PackedBytes,
    /// A bitmap for each level, in ascending order.
    pub levels: Vec<PackedBytes>,
    /// When targets reached states.
    pub times: PackedBytes,
}

/// Terminals of one partition that were rejected when the command's share was taken.
#[derive(Debug, Serialize, Deserialize)]
pub struct RefusedLine {
    /// How many.
    pub count: u64,
    /// Some of them, with the reason.
    pub named: Vec<(String, String)>,
}

/// A reply.
#[derive(Debug, Serialize, Deserialize)]
pub struct ReplyLine {
    /// The target's partition.
    pub p: u16,
    /// Its ordinal.
    pub ord: u32,
    /// The payload, as JSON; of bytes `=` and a JSON string with their base64.
    pub reply: String,
}

/// An idempotency key.
#[derive(Debug, Serialize, Deserialize)]
pub struct KeyLine {
    /// The hash by which it is stored.
    pub hash: String,
    /// The command's id, the hash of the body, and the state if it is not confirmed.
    pub value: String,
    /// When it is forgotten, in ms since 1970.
    pub due: u64,
}

/// What is in a file.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct BackupCounts {
    /// Registered terminals.
    pub terminals: u64,
    /// Commands.
    pub commands: u64,
    /// Idempotency keys.
    pub keys: u64,
    /// Lines before the last one.
    pub lines: u64,
}

/// The last line.
#[derive(Debug, Serialize, Deserialize)]
pub struct BackupEnd {
    /// What is before it.
    pub counts: BackupCounts,
    /// The SHA-256 of all bytes before it.
    pub sha256: String,
}

impl BackupCounts {
    /// Counts a line.
    pub fn add(&mut self, line: &BackupLine) {
        self.lines += 1;
        match line {
            BackupLine::Terminal(terminal) => self.terminals += u64::from(!terminal.forgotten),
            BackupLine::Command(_) => self.commands += 1,
            BackupLine::Key(_) => self.keys += 1,
            _ => {}
        }
    }
}

impl fmt::Display for BackupCounts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} terminals, {} commands and {} idempotency keys", self.terminals, self.commands, self.keys)
    }
}

fn is_false(value: &bool) -> bool {
    !value
}
