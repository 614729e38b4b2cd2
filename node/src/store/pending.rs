//! A command that is put together from the lines of a file, and stored when all of its targets were read.

use std::collections::BTreeMap;

use anyhow::Context;
use futures_util::future::try_join_all;
use muster_protocol::{
    TerminalId,
    partition::Partitions,
    seal::{NodeKey, SealedCommand},
};

use super::{
    lines::{CommandLine, FewLine, RefusedLine},
    placed::PlacedOrdinals,
};
use crate::backplane::redis::partition::{
    CommittedShare, StorePartition,
    export::ExportedFrame,
    restore::{RestoredHome, RestoredShare, RestoredTargets},
};

/// The bytes of a target's record.
const RECORD: usize = 17;
/// The most rejected terminals that a share names.
const NAMED_REFUSALS: usize = 512;

/// A command, and what the new partitions get of it.
pub struct PendingCommand {
    /// The command.
    pub line: CommandLine,
    /// Its number in every partition.
    pub number: u64,
    /// Whether it is stored already.
    pub is_stored: bool,
    shares: BTreeMap<u16, PendingShare>,
}

#[derive(Default)]
struct PendingShare {
    few: Vec<FewTarget>,
    rejected: u64,
    refused: Vec<(String, String)>,
}

struct FewTarget {
    ordinal: u32,
    record: Vec<u8>,
    waits: bool,
}

impl PendingCommand {
    /// A command without targets.
    pub fn new(line: CommandLine, number: u64) -> Self {
        Self { line, number, is_stored: false, shares: BTreeMap::new() }
    }

    /// Adds a partition, to which targets of a command for many were added.
    pub fn add_partition(&mut self, partition: u16) {
        self.shares.entry(partition).or_default();
    }

    /// Adds targets of a command for few.
    pub fn add_few(&mut self, line: &FewLine, placed: &PlacedOrdinals) {
        for (at, old) in line.ords.iter().enumerate() {
            let Some((partition, ordinal)) = placed.get(line.p, *old) else { continue };
            let record =
                line.records.0.get(at * RECORD..(at + 1) * RECORD).map_or_else(|| vec![0; RECORD], <[u8]>::to_vec);
            let waits = line.waiting.contains(old);
            self.shares.entry(partition).or_default().few.push(FewTarget { ordinal, record, waits });
        }
    }

    /// Adds terminals that were rejected.
    pub fn add_refused(&mut self, line: RefusedLine, partitions: Partitions) {
        let home = partitions.home(self.line.id);
        let unnamed = line.count.saturating_sub(line.named.len() as u64);
        if unnamed > 0 {
            self.shares.entry(home.0).or_default().rejected += unnamed;
        }
        for (terminal, reason) in line.named {
            let partition = terminal.parse::<TerminalId>().map_or(home, |id| partitions.of(&id));
            let share = self.shares.entry(partition.0).or_default();
            share.rejected += 1;
            if share.refused.len() < NAMED_REFUSALS {
                share.refused.push((terminal, reason));
            }
        }
    }

    /// Stores the command, sealed for the new store.
    ///
    /// # Errors
    /// If it can't be sealed, or Redis refuses or does not answer.
    pub async fn store(
        &mut self,
        stores: &[StorePartition],
        partitions: Partitions,
        key: &NodeKey,
        from: &str,
        to: &str,
    ) -> anyhow::Result<()> {
        let line = &self.line;
        let frame = SealedCommand::moved(key, from, to, &line.frame).with_context(|| format!("command {}", line.id))?;
        let frame = ExportedFrame {
            frame,
            ask: line.ask.clone(),
            by: line.by.clone(),
            confirm: line.confirm.clone(),
            created: line.created,
            expires: line.expires,
            cancelled_at: line.cancelled,
        };
        let mut shares = Vec::new();
        for (partition, share) in std::mem::take(&mut self.shares) {
            let rejected = share.rejected;
            shares.push((partition, rejected, share.into_restored(line, self.number, &frame)));
        }
        let stored = shares.iter().map(|(partition, rejected, share)| async move {
            let (of, is_settled) = stores[usize::from(*partition)].restore_share(share).await?;
            redis::RedisResult::Ok((*partition, CommittedShare { of, rejected: *rejected, late: 0 }, is_settled))
        });
        let stored = try_join_all(stored).await?;
        let settled = stored.iter().filter(|(_, share, is_settled)| *is_settled && share.of > 0);
        let home = RestoredHome {
            id: line.id,
            frame: &frame,
            stored: line.stored,
            listed: line.listed,
            is_told: line.done,
            late: line.late,
            settled: settled.map(|(partition, ..)| *partition).collect(),
            shares: stored.iter().map(|(partition, share, _)| (*partition, *share)).collect(),
        };
        stores[usize::from(partitions.home(line.id).0)].restore_home(&home).await?;
        self.is_stored = true;
        Ok(())
    }
}

impl PendingShare {
    fn into_restored<'a>(mut self, line: &CommandLine, number: u64, frame: &'a ExportedFrame) -> RestoredShare<'a> {
        self.few.sort_unstable_by_key(|target| target.ordinal);
        let targets = if line.few {
            let list = self.few.iter().flat_map(|target| target.ordinal.to_be_bytes()).collect();
            let records = self.few.iter().flat_map(|target| target.record.iter().copied()).collect();
            let waiting = self.few.iter().filter(|target| target.waits).flat_map(|target| target.ordinal.to_be_bytes());
            RestoredTargets::Few(list, records, waiting.collect())
        } else {
            RestoredTargets::Many
        };
        let refused =
            if self.rejected > 0 { serde_json::to_string(&self.refused).unwrap_or_default() } else { String::new() };
        RestoredShare { id: line.id, frame, number, stored: line.stored, rejected: self.rejected, refused, targets }
    }
}
