//! Reads what a partition stores, page by page, for an export. Nothing is changed. Every call looks at a bounded number
//! of entries.

use muster_protocol::CommandId;
use redis::{FromRedisValue, ParsingError, RedisResult, Value, from_redis_value};

use super::StorePartition;

/// A page, and where the next one begins. None at the end.
pub struct ExportPage<T> {
    /// What is on this page.
    pub rows: Vec<T>,
    /// Where the next page begins.
    pub next: Option<String>,
}

/// A terminal, or an ordinal whose terminal was forgotten.
pub struct ExportedTerminal {
    /// Its ordinal.
    pub ordinal: u32,
    /// Whether it is registered. A command can have a forgotten terminal among its targets.
    pub is_known: bool,
    /// Node, session, protocol and record of its last session, as `terminals` has them.
    pub entry: String,
    /// The labels that operators gave, as JSON; empty if there are none.
    pub given: String,
    /// Its last health, as JSON; empty if there is none.
    pub health: String,
    /// `degraded`, `failing` or empty.
    pub condition: String,
    /// When it was last heard, as `seen` has it; empty or 8 bytes.
    pub seen: Vec<u8>,
    /// When it left, in seconds since 1970. None if it is online.
    pub left: Option<u64>,
}

/// A command as the list of what is stored has it.
pub struct ExportedId {
    /// The command.
    pub id: CommandId,
    /// The number of its share in this partition: 0 if the share has no targets, none if there is no share.
    pub number: Option<u64>,
    /// When it was accepted, in ms since 1970, by the clock of its home.
    pub created: u64,
}

/// An idempotency key.
pub struct ExportedKey {
    /// The hash by which it is stored.
    pub hash: String,
    /// The command's id, the hash of the body, and the state if it is not confirmed.
    pub value: String,
    /// When it is forgotten, in ms since 1970.
    pub due: u64,
}

/// The fields that the home and each share of a command have.
#[derive(Debug, Clone, Default)]
pub struct ExportedFrame {
    /// The frame, sealed.
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
    pub cancelled_at: Option<u64>,
}

/// What the home of a command with shares has of it.
pub struct ExportedHome {
    /// What shares have too.
    pub frame: ExportedFrame,
    /// Whether every partition has taken its share, or can't any more.
    pub is_accepted: bool,
    /// Whether its `command.done` was written. A command that is done and of which that was not told yet is told to be
    /// done after an import.
    pub is_told: bool,
    /// The number of targets whose share came too late.
    pub late: u64,
    /// What became of each share; if it is not accepted, the number of targets that each partition was surveyed to
    /// have. JSON.
    pub shares: String,
}

/// A partition's share of a command, or all of a command of this partition alone.
pub struct ExportedShare {
    /// What the home has too.
    pub frame: ExportedFrame,
    /// Whether it is one for few.
    pub is_few: bool,
    /// Whether all targets here are settled.
    pub is_done: bool,
    /// The number of terminals that were rejected when the share was taken.
    pub rejected: u64,
    /// Some of these, with the reason: JSON, or empty.
    pub refused: String,
    /// Of a command for few: the ordinals of its targets.
    pub list: Vec<u32>,
    /// Of a command for few: a record of 17 bytes for each target, or nothing if none has a state.
    pub records: Vec<u8>,
    /// Of a command for few: the ordinals of the targets in whose backlogs it is.
    pub waiting: Vec<u32>,
    /// Whether there are replies.
    pub has_replies: bool,
    /// Of a command for many: the number of buckets of 4,096 ordinals.
    pub buckets: u32,
}

/// What a partition has of a command.
pub struct ExportedCommand {
    /// If the home of a command with shares is here.
    pub home: Option<ExportedHome>,
    /// If there is a share.
    pub share: Option<ExportedShare>,
    /// Its place in the list of commands, if its home is here.
    pub listed: Option<u64>,
    /// When it may be forgotten, in ms since 1970.
    pub stored: u64,
}

/// A bucket of the targets of a command for many.
pub struct ExportedTargets {
    /// The bitmap of the targets.
    pub targets: Vec<u8>,
    /// The bitmap of each level, in ascending order.
    pub levels: Vec<Vec<u8>>,
    /// When targets reached states, as [`times`](super::times) has it.
    pub times: Vec<u8>,
}

impl StorePartition {
    /// Terminals, by their ordinals, from this place on.
    pub async fn export_terminals(&self, from: Option<&str>) -> RedisResult<ExportPage<ExportedTerminal>> {
        let mut call = self.scripts.export_terminals(&self.keys);
        call.arg(from.unwrap_or("0"));
        page(call.invoke_async(&mut self.connection.clone()).await?, |row: [Value; 8]| {
            let [ordinal, is_known, entry, given, health, condition, seen, left] = row;
            let left: String = from_redis_value(left)?;
            Ok(ExportedTerminal {
                ordinal: from_redis_value(ordinal)?,
                is_known: from_redis_value(is_known)?,
                entry: lossy(entry)?,
                given: lossy(given)?,
                health: lossy(health)?,
                condition: from_redis_value(condition)?,
                seen: from_redis_value(seen)?,
                left: left.parse().ok(),
            })
        })
    }

    /// Commands of which there is something here, from this place on.
    pub async fn export_commands(&self, from: Option<&str>) -> RedisResult<ExportPage<ExportedId>> {
        let mut call = self.scripts.export_commands(&self.keys);
        call.arg(from.unwrap_or("-inf"));
        page(call.invoke_async(&mut self.connection.clone()).await?, |[id, number, created]: [Value; 3]| {
            let (id, number): (String, String) = (from_redis_value(id)?, from_redis_value(number)?);
            let id = id.parse().map_err(|_| ParsingError::from("no id of a command"))?;
            Ok(ExportedId { id, number: number.parse().ok(), created: from_redis_value(created)? })
        })
    }

    /// Idempotency keys, from this place on.
    pub async fn export_keys(&self, from: Option<&str>) -> RedisResult<ExportPage<ExportedKey>> {
        let mut call = self.scripts.export_keys(&self.keys);
        call.arg(from.unwrap_or_default());
        page(call.invoke_async(&mut self.connection.clone()).await?, |[hash, value, due]: [Value; 3]| {
            Ok(ExportedKey {
                hash: from_redis_value(hash)?,
                value: from_redis_value(value)?,
                due: from_redis_value(due)?,
            })
        })
    }

    /// Returns all of a command but the targets of a command for many, and replies; with `is_brief` without frame and
    /// request, of which each share has a copy. None if it is not stored any more.
    pub async fn export_command(&self, id: CommandId, is_brief: bool) -> RedisResult<Option<ExportedCommand>> {
        let mut call = self.scripts.export_command(&self.keys);
        call.arg(id.to_string()).arg(if is_brief { "brief" } else { "" });
        let (home, here, waiting): (Vec<Value>, Vec<Value>, Vec<u8>) =
            call.invoke_async(&mut self.connection.clone()).await?;
        let (mut home, mut here) = (Fields(home.into_iter()), Fields(here.into_iter()));
        let (home_frame, here_frame) = (home.frame()?, here.frame()?);
        let (state, told, late, shares): (Option<String>, Option<u8>, Option<u64>, Option<String>) =
            (home.next()?, home.next()?, home.next()?, home.next()?);
        let (listed, stored): (Option<u64>, Option<u64>) = (home.next()?, home.next()?);
        let home = state.map(|state| ExportedHome {
            frame: home_frame,
            is_accepted: state == "accepted",
            is_told: told.is_some(),
            late: late.unwrap_or_default(),
            shares: shares.unwrap_or_default(),
        });
        let (kind, done, rejected): (Option<String>, Option<u8>, Option<u64>) =
            (here.next()?, here.next()?, here.next()?);
        let (refused, list, records): (Option<String>, Option<Vec<u8>>, Option<Vec<u8>>) =
            (here.next()?, here.next()?, here.next()?);
        let (replied, length): (Option<i64>, u32) = (here.next()?, here.next()?);
        let share = kind.map(|kind| ExportedShare {
            frame: here_frame,
            is_few: kind == "few",
            is_done: done.is_some(),
            rejected: rejected.unwrap_or_default(),
            refused: refused.unwrap_or_default(),
            list: ordinals(&list.unwrap_or_default()),
            records: records.unwrap_or_default(),
            waiting: ordinals(&waiting),
            has_replies: replied.is_some_and(|bytes| bytes > 0),
            buckets: length.div_ceil(super::times::BUCKET / 8),
        });
        let is_stored = home.is_some() || share.is_some();
        Ok(is_stored.then_some(ExportedCommand { home, share, listed, stored: stored.unwrap_or_default() }))
    }

    /// Returns the targets of a command for many whose ordinals lie in a bucket of 4,096.
    pub async fn export_targets(&self, id: CommandId, bucket: u32) -> RedisResult<ExportedTargets> {
        let mut call = self.scripts.export_targets(&self.keys);
        call.arg(id.to_string()).arg(bucket);
        let mut levels: Vec<Vec<u8>> = call.invoke_async(&mut self.connection.clone()).await?;
        let times = levels.pop().unwrap_or_default();
        let targets = if levels.is_empty() { Vec::new() } else { levels.remove(0) };
        Ok(ExportedTargets { targets, levels, times })
    }

    /// Returns the replies of targets with these ordinals, of which there are at most 512, and how many of the ordinals
    /// were looked at.
    pub async fn export_replies(&self, id: CommandId, of: &[u32]) -> RedisResult<(usize, Vec<(u32, String)>)> {
        let mut call = self.scripts.export_replies(&self.keys);
        call.arg(id.to_string()).arg(of);
        let mut values: Vec<Value> = call.invoke_async(&mut self.connection.clone()).await?;
        let replies = values.split_off(1);
        let looked = values.pop().map(from_redis_value).transpose()?.unwrap_or_default();
        let mut rows = Vec::new();
        for pair in replies.chunks_exact(2) {
            rows.push((from_redis_value(pair[0].clone())?, lossy(pair[1].clone())?));
        }
        Ok((looked, rows))
    }
}

/// Reads a page of rows of N values each, behind the place where the next page begins.
fn page<T, const N: usize>(
    values: Vec<Value>,
    read: impl Fn([Value; N]) -> Result<T, ParsingError>,
) -> RedisResult<ExportPage<T>> {
    let mut values = values.into_iter();
    let next: String = values.next().map(from_redis_value).transpose()?.unwrap_or_default();
    let mut rows = Vec::new();
    loop {
        let row: Vec<Value> = values.by_ref().take(N).collect();
        let Ok(row) = row.try_into() else { break };
        rows.push(read(row)?);
    }
    Ok(ExportPage { rows, next: Some(next).filter(|next| !next.is_empty()) })
}

/// Returns a text. What is no UTF-8 in it, which no node writes, is replaced.
fn lossy(value: Value) -> Result<String, ParsingError> {
    let bytes: Vec<u8> = from_redis_value(value)?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

/// Ordinals of 4 bytes each.
fn ordinals(packed: &[u8]) -> Vec<u32> {
    packed.chunks_exact(4).map(|four| u32::from_be_bytes([four[0], four[1], four[2], four[3]])).collect()
}

/// The values of a hash, read one after another.
struct Fields(std::vec::IntoIter<Value>);

impl Fields {
    fn next<T: FromRedisValue>(&mut self) -> Result<T, ParsingError> {
        from_redis_value(self.0.next().unwrap_or(Value::Nil))
    }

    fn text(&mut self) -> Result<String, ParsingError> {
        Ok(self.next::<Option<String>>()?.unwrap_or_default())
    }

    fn frame(&mut self) -> Result<ExportedFrame, ParsingError> {
        Ok(ExportedFrame {
            frame: self.text()?,
            ask: self.text()?,
            by: self.text()?,
            confirm: self.text()?,
            created: self.next::<Option<u64>>()?.unwrap_or_default(),
            expires: self.next::<Option<u64>>()?.unwrap_or_default(),
            cancelled_at: self.next()?,
        })
    }
}
