//! Writes what an import brings into a partition. Every call changes nothing more if it is made twice, so an import
//! that was ended can be begun again with the same file. Every call is of a bounded size.

use std::collections::BTreeMap;

use muster_protocol::{CommandId, partition::Partitions, schema::SCHEMA};
use redis::{RedisResult, Value, from_redis_value};

use super::{StorePartition, export::ExportedFrame, share::CommittedShare};
use crate::backplane::cursor::fresh_epoch;

/// A terminal to be registered.
pub struct RestoredTerminal {
    /// The ordinal that it gets. They are given in ascending order.
    pub ordinal: u32,
    /// Its id.
    pub terminal: String,
    /// Whether it is registered. Else only its ordinal keeps its name, and is free once it has rested.
    pub is_known: bool,
    /// As [`ExportedTerminal`](super::export::ExportedTerminal) has these.
    pub entry: String,
    /// Labels that operators gave, as JSON, or empty.
    pub given: String,
    /// Health, as JSON, or empty.
    pub health: String,
    /// `degraded`, `failing` or empty.
    pub condition: String,
    /// When it was last heard.
    pub seen: Vec<u8>,
    /// When it left, in seconds since 1970.
    pub left: u64,
}

/// The kind of a share, with what only a command for few has.
pub enum RestoredTargets {
    /// The ordinals of the targets, their records, and the ordinals in whose backlogs the command is. Each packed.
    Few(Vec<u8>, Vec<u8>, Vec<u8>),
    /// The targets were added before.
    Many,
}

/// A share to be stored.
pub struct RestoredShare<'a> {
    /// The command.
    pub id: CommandId,
    /// What all shares have.
    pub frame: &'a ExportedFrame,
    /// Its number, which is above that of every share that was stored before.
    pub number: u64,
    /// When it may be forgotten, in ms since 1970.
    pub stored: u64,
    /// The number of terminals that were rejected.
    pub rejected: u64,
    /// Some of these, with the reason: JSON, or empty.
    pub refused: String,
    /// Its targets.
    pub targets: RestoredTargets,
}

/// What the home of a command gets.
pub struct RestoredHome<'a> {
    /// The command.
    pub id: CommandId,
    /// What all shares have.
    pub frame: &'a ExportedFrame,
    /// When it may be forgotten, in ms since 1970.
    pub stored: u64,
    /// Its place in the list of commands.
    pub listed: u64,
    /// Whether its `command.done` was written before the export.
    pub is_told: bool,
    /// The number of targets whose share came too late.
    pub late: u64,
    /// The shares that are stored.
    pub shares: BTreeMap<u16, CommittedShare>,
    /// The partitions in which all targets are settled.
    pub settled: Vec<u16>,
}

/// The result of beginning an import.
#[derive(Debug, PartialEq, Eq)]
pub enum RestoreBegun {
    /// The store is there, for the import alone.
    Begun {
        /// The id of the new store.
        store: String,
        /// Commands are numbered from here.
        base: u64,
        /// Whether an import of the same file was begun before.
        goes_on: bool,
    },
    /// An import of another file, or to another number of partitions, was begun and not ended.
    Other,
    /// There is a store.
    Used,
}

impl StorePartition {
    /// Returns whether anything is stored here, and the nodes that hold a lease, at most 500.
    pub async fn restore_look(&self) -> RedisResult<(bool, Vec<String>)> {
        let call = self.scripts.restore_look(&self.keys);
        let mut values: Vec<Value> = call.invoke_async(&mut self.connection.clone()).await?;
        let nodes = values.split_off(1).into_iter().map(from_redis_value).collect::<Result<_, _>>()?;
        Ok((values.pop().map(from_redis_value).transpose()?.unwrap_or_default(), nodes))
    }

    /// Makes a store for an import of the file with this checksum, or goes on with it. Called for partition 0.
    pub async fn restore_begin(
        &self,
        partitions: Partitions,
        store: &str,
        checksum: &str,
    ) -> RedisResult<RestoreBegun> {
        let mut call = self.scripts.restore_begin(&self.keys);
        call.arg(partitions.count()).arg(store).arg(checksum);
        let answer: Vec<String> = call.invoke_async(&mut self.connection.clone()).await?;
        let answer: Vec<_> = answer.iter().map(String::as_str).collect();
        Ok(match answer[..] {
            ["ok", store, base, goes_on] => RestoreBegun::Begun {
                store: store.to_owned(),
                base: base.parse().unwrap_or_default(),
                goes_on: goes_on == "1",
            },
            ["other", _] => RestoreBegun::Other,
            _ => RestoreBegun::Used,
        })
    }

    /// Registers terminals, at most 64. Ordinals of forgotten ones rest until `rest`, in ms since 1970.
    pub async fn restore_terminals(&self, rest: u64, terminals: &[RestoredTerminal]) -> RedisResult<()> {
        let mut call = self.scripts.restore_terminals(&self.keys);
        call.arg(rest);
        for terminal in terminals {
            call.arg(terminal.ordinal).arg(&terminal.terminal).arg(u8::from(terminal.is_known)).arg(&terminal.entry);
            call.arg(&terminal.given).arg(&terminal.health).arg(&terminal.condition).arg(&terminal.seen);
            call.arg(terminal.left);
        }
        call.invoke_async(&mut self.connection.clone()).await
    }

    /// Stores idempotency keys, at most 64: the hash, the value, and when it is forgotten in ms since 1970.
    pub async fn restore_keys(&self, keys: &[(String, String, u64)]) -> RedisResult<()> {
        let mut call = self.scripts.restore_keys(&self.keys);
        for (hash, value, due) in keys {
            call.arg(hash).arg(value).arg(due);
        }
        call.invoke_async(&mut self.connection.clone()).await
    }

    /// Adds targets to a command for many: bitmaps from the byte `offset` on, and entries of times by bucket.
    pub async fn restore_targets(
        &self,
        id: CommandId,
        offset: usize,
        targets: &[u8],
        levels: &[Vec<u8>],
        times: &[(u32, Vec<u8>)],
    ) -> RedisResult<()> {
        let mut call = self.scripts.restore_targets(&self.keys);
        call.arg(id.to_string()).arg(offset).arg(targets).arg(levels);
        for (bucket, entry) in times {
            call.arg(bucket).arg(entry);
        }
        call.invoke_async(&mut self.connection.clone()).await
    }

    /// Stores a share. Returns the number of its targets, and whether all of them are settled.
    pub async fn restore_share(&self, share: &RestoredShare<'_>) -> RedisResult<(u64, bool)> {
        let mut call = self.scripts.restore_share(&self.keys);
        let frame = share.frame;
        call.arg(share.id.to_string()).arg(&frame.frame).arg(&frame.ask).arg(&frame.by).arg(&frame.confirm);
        call.arg(if matches!(share.targets, RestoredTargets::Few(..)) { "few" } else { "many" }).arg(share.number);
        call.arg(frame.created).arg(frame.expires).arg(time_or_none(frame.cancelled_at)).arg(share.stored);
        call.arg(share.rejected).arg(&share.refused);
        match &share.targets {
            RestoredTargets::Few(list, records, waiting) => call.arg(list).arg(records).arg(waiting),
            RestoredTargets::Many => call.arg("").arg("").arg(""),
        };
        call.invoke_async(&mut self.connection.clone()).await
    }

    /// Stores what the home has of a command.
    pub async fn restore_home(&self, home: &RestoredHome<'_>) -> RedisResult<()> {
        let sum = |of: fn(&CommittedShare) -> u64| home.shares.values().map(of).sum::<u64>();
        let frame = home.frame;
        let mut call = self.scripts.restore_home(&self.keys);
        call.arg(home.id.to_string()).arg(&frame.frame).arg(&frame.ask).arg(&frame.by).arg(&frame.confirm);
        call.arg(frame.created).arg(frame.expires).arg(time_or_none(frame.cancelled_at)).arg(home.stored);
        call.arg(home.listed).arg(if home.is_told { "told" } else { "" });
        call.arg(serde_json::to_string(&home.shares).expect("a map is JSON"));
        call.arg(sum(|share| u64::from(share.of > 0))).arg(sum(|share| share.of)).arg(sum(|share| share.rejected));
        call.arg(home.late).arg(&home.settled);
        call.invoke_async(&mut self.connection.clone()).await
    }

    /// Ends the import of this partition, whose last number is `number`.
    pub async fn restore_end(&self, number: u64) -> RedisResult<()> {
        let mut call = self.scripts.restore_end(&self.keys);
        call.arg(fresh_epoch()).arg(number).invoke_async(&mut self.connection.clone()).await
    }

    /// Ends the import, so that nodes use the store. Called for partition 0. False if it is another import, or none.
    pub async fn restore_done(&self, checksum: &str) -> RedisResult<bool> {
        let mut call = self.scripts.restore_done(&self.keys);
        call.arg(SCHEMA).arg(checksum).invoke_async(&mut self.connection.clone()).await
    }
}

fn time_or_none(time: Option<u64>) -> String {
    time.map(|time| time.to_string()).unwrap_or_default()
}
