//! Exports a store. What is read may change meanwhile, so each partition is read at a slightly later time than the one before it. Nothing that
//! was accepted before the export began is missing, and nothing that was accepted later is there.

use std::{collections::HashSet, path::PathBuf, time::Duration};

use anyhow::Context;
use futures_util::{StreamExt, TryStreamExt, pin_mut, stream};
use jiff::Timestamp;
use muster_protocol::{CommandId, partition::Partitions, seal::SealedCommand};
use muster_service::output::note;
use tokio::time::{self, Instant};

use super::{
    StoreFlags,
    access::StoreAccess,
    base64::PackedBytes,
    gather::{GatheredCommand, gather},
    lines::{
        BackupCounts, BackupHeader, BackupLine, FORMAT, FewLine, KeyLine, ManyLine, RefusedLine, ReplyLine,
        TerminalLine,
    },
    order::merged,
    reads::{PATIENCE, PatientReads},
    unplaced,
    writer::BackupWriter,
};
use crate::backplane::redis::partition::{
    StorePartition,
    bitmap::ordinals,
    export::{ExportPage, ExportedId, ExportedKey, ExportedShare, ExportedTerminal},
    named::NAMED_MAX,
    times::BUCKET,
};

/// Commands that are read at once.
const AT_ONCE: usize = 16;
/// How long the export waits for commands whose acceptance nodes have not finished.
const UNFINISHED: Duration = Duration::from_secs(10);
/// The clock of a node, whose time is in a command's id, may be so far from that of Redis, in ms.
const CLOCK_SLACK: u64 = 10_000;

/// Writes the store that `flags` name into the file `out`, or to standard output. Returns what was written.
///
/// # Errors
/// If there is no store, a partition does not answer for 30 s, or the file can't be written. No file is left then.
pub async fn export(flags: StoreFlags, out: Option<PathBuf>) -> anyhow::Result<BackupCounts> {
    let access = flags.open()?;
    let first = access.partitions(Partitions::ONE).remove(0);
    access.wait_for(&first).await?;
    let reads = PatientReads::new(PATIENCE);
    let info = reads.answer(first.index, || first.info()).await?;
    let info = info.with_context(|| {
        format!("there is no store of the cluster {} at {}", access.cluster, access.masters.topology())
    })?;
    let partitions = Partitions::new(info.partitions).unwrap_or(Partitions::ONE);
    info.check(partitions)?;
    let stores = access.partitions(partitions);
    let mut writer = BackupWriter::create(out.as_deref())?;
    let mut export = Export {
        access,
        partitions,
        stores,
        store: info.id,
        schema: info.schema,
        clocks: Vec::new(),
        writer: &mut writer,
        reads,
    };
    let written = match export.run().await {
        Ok(()) => writer.end(),
        Err(error) => Err(error),
    };
    written.context("the export is not complete")
}

struct Export<'a> {
    access: StoreAccess,
    partitions: Partitions,
    stores: Vec<StorePartition>,
    /// The id of the store.
    store: String,
    /// The schema of the store, in which nodes wrote what is exported.
    schema: u32,
    /// When the export began, by the clock of each partition, in ms since 1970.
    clocks: Vec<u64>,
    writer: &'a mut BackupWriter,
    reads: PatientReads,
}

impl Export<'_> {
    async fn run(&mut self) -> anyhow::Result<()> {
        for store in &self.stores {
            let clock = self.reads.answer(store.index, || store.clock()).await?;
            self.clocks.push(clock.as_millisecond() as u64);
        }
        self.writer.write(&BackupLine::Header(BackupHeader {
            format: FORMAT,
            schema: self.schema,
            cluster: self.access.cluster.clone(),
            store: self.store.clone(),
            partitions: self.partitions.count(),
            at: Timestamp::from_millisecond(self.clocks[0] as i64)?,
        }))?;
        self.terminals().await?;
        self.wait_for_acceptances().await?;
        let commands = self.commands().await?;
        self.keys(&commands).await?;
        unplaced::export(&self.stores[0], &self.reads, self.writer).await
    }

    async fn terminals(&mut self) -> anyhow::Result<()> {
        for store in &self.stores {
            let write = |terminal| self.writer.write(&terminal_line(store.index.0, terminal));
            each_row(async |from| self.reads.answer(store.index, || store.export_terminals(from)).await, write).await?;
        }
        Ok(())
    }

    /// Waits until no command is being accepted that was begun before the export. Live nodes finish what another node has left.
    async fn wait_for_acceptances(&self) -> anyhow::Result<()> {
        let end = Instant::now() + UNFINISHED;
        for (store, clock) in self.stores.iter().zip(&self.clocks) {
            loop {
                let begun = self.reads.answer(store.index, || store.unfinished(Duration::ZERO)).await?;
                let is_older = begun.iter().any(|command| command.created_at.as_millisecond() as u64 <= *clock);
                if !is_older || Instant::now() > end {
                    break;
                }
                time::sleep(Duration::from_millis(100)).await;
            }
        }
        Ok(())
    }

    /// Writes the commands that were accepted before the export began. Returns them.
    async fn commands(&mut self) -> anyhow::Result<HashSet<CommandId>> {
        let (lists, all) = self.listed().await?;
        let mut order = merged(lists);
        let numbered: HashSet<_> = order.iter().copied().collect();
        // A command without targets is in no order.
        order.extend(all.iter().filter(|id| !numbered.contains(id)));
        let (stores, partitions, reads) = (self.stores.clone(), self.partitions, self.reads.clone());
        let (stores, reads) = (&stores[..], &reads);
        let gathered = stream::iter(order)
            .map(|id| async move { anyhow::Ok((id, gather(stores, reads, partitions.home(id), id).await?)) });
        let gathered = gathered.buffered(AT_ONCE);
        pin_mut!(gathered);
        while let Some((id, command)) = gathered.try_next().await? {
            match command {
                Some(command) => self.command(stores, command).await?,
                None => note(format_args!("muster-node: command {id} is left out: its home has nothing of it")),
            }
        }
        Ok(all)
    }

    /// The numbered shares of each partition, and all commands.
    async fn listed(&self) -> anyhow::Result<(Vec<Vec<(u64, CommandId)>>, HashSet<CommandId>)> {
        let (mut lists, mut all) = (Vec::new(), HashSet::new());
        for store in &self.stores {
            let mut list = Vec::new();
            let add = |row: ExportedId| {
                if row.created <= self.clocks[usize::from(self.partitions.home(row.id).0)] {
                    all.insert(row.id);
                    list.extend(row.number.filter(|number| *number > 0).map(|number| (number, row.id)));
                }
                Ok(())
            };
            each_row(async |from| self.reads.answer(store.index, || store.export_commands(from)).await, add).await?;
            lists.push(list);
        }
        Ok((lists, all))
    }

    async fn command(&mut self, stores: &[StorePartition], command: GatheredCommand) -> anyhow::Result<()> {
        let GatheredCommand { line, shares, is_unfinished } = command;
        let id = line.id;
        if SealedCommand::read(&self.access.key, &self.store, &line.frame).is_err() {
            note(format_args!(
                "muster-node: command {id} is left out: no node of this cluster with this secret has sealed it"
            ));
            return Ok(());
        }
        if is_unfinished {
            note(format_args!(
                "muster-node: command {id} was not accepted in every partition yet; the rest of its targets count as expired"
            ));
        }
        self.writer.write(&BackupLine::Command(Box::new(line)))?;
        let mut replying = Vec::new();
        for (index, share) in shares {
            let ords = self.targets(&stores[usize::from(index)], id, &share).await?;
            if share.has_replies {
                replying.push((index, ords));
            }
        }
        for (index, ords) in replying {
            self.replies(&stores[usize::from(index)], id, &ords).await?;
        }
        Ok(())
    }

    /// Writes the targets of a share. Returns their ordinals.
    async fn targets(
        &mut self,
        store: &StorePartition,
        id: CommandId,
        share: &ExportedShare,
    ) -> anyhow::Result<Vec<u32>> {
        let p = store.index.0;
        let mut ords = share.list.clone();
        if !ords.is_empty() {
            let (records, waiting) = (PackedBytes(share.records.clone()), share.waiting.clone());
            self.writer.write(&BackupLine::Few(FewLine { p, ords: ords.clone(), records, waiting }))?;
        }
        for bucket in 0..share.buckets {
            let part = self.reads.answer(store.index, || store.export_targets(id, bucket)).await?;
            let before = ords.len();
            ords.extend(ordinals(&part.targets).map(|place| bucket * BUCKET + place));
            if ords.len() > before {
                let levels = part.levels.into_iter().map(PackedBytes).collect();
                let (targets, times) = (PackedBytes(part.targets), PackedBytes(part.times));
                self.writer.write(&BackupLine::Many(ManyLine { p, bucket, targets, levels, times }))?;
            }
        }
        if share.rejected > 0 {
            let named = serde_json::from_str(&share.refused).unwrap_or_default();
            self.writer.write(&BackupLine::Refused(RefusedLine { count: share.rejected, named }))?;
        }
        Ok(ords)
    }

    async fn replies(&mut self, store: &StorePartition, id: CommandId, ords: &[u32]) -> anyhow::Result<()> {
        let mut rest = ords;
        while !rest.is_empty() {
            let some = &rest[..rest.len().min(NAMED_MAX)];
            let (looked, replies) = self.reads.answer(store.index, || store.export_replies(id, some)).await?;
            for (ord, reply) in replies {
                self.writer.write(&BackupLine::Reply(ReplyLine { p: store.index.0, ord, reply }))?;
            }
            rest = &rest[looked.clamp(1, rest.len())..];
        }
        Ok(())
    }

    async fn keys(&mut self, commands: &HashSet<CommandId>) -> anyhow::Result<()> {
        for store in &self.stores {
            let write = |ExportedKey { hash, value, due }| {
                if !is_of_export(&value, commands, self.clocks[0]) {
                    return Ok(());
                }
                self.writer.write(&BackupLine::Key(KeyLine { hash, value, due }))
            };
            each_row(async |from| self.reads.answer(store.index, || store.export_keys(from)).await, write).await?;
        }
        Ok(())
    }
}

/// Reads all pages of a partition, and has `take` do something with each row.
async fn each_row<T>(
    read: impl AsyncFn(Option<&str>) -> anyhow::Result<ExportPage<T>>,
    mut take: impl FnMut(T) -> anyhow::Result<()>,
) -> anyhow::Result<()> {
    let mut from = None;
    loop {
        let page = read(from.as_deref()).await?;
        page.rows.into_iter().try_for_each(&mut take)?;
        from = page.next;
        if from.is_none() {
            return Ok(());
        }
    }
}

fn terminal_line(p: u16, terminal: ExportedTerminal) -> BackupLine {
    let ExportedTerminal { ordinal, is_known, entry, given, health, condition, seen, left } = terminal;
    let seen = PackedBytes(seen);
    BackupLine::Terminal(TerminalLine {
        p,
        ord: ordinal,
        entry,
        forgotten: !is_known,
        given,
        health,
        condition,
        seen,
        left,
    })
}

/// Whether a key belongs to the export. A key whose command is not stored is of one that was accepted after the export began, or that is
/// forgotten: only of the latter it must be known that the key was used.
fn is_of_export(value: &str, commands: &HashSet<CommandId>, began: u64) -> bool {
    let mut words = value.split(' ');
    let Some(id) = words.next().and_then(|id| id.parse::<CommandId>().ok()) else { return false };
    let is_confirmed = words.nth(1).is_none();
    let accepted = id.0.get_timestamp().map_or(0, |time| time.to_unix().0 * 1000);
    commands.contains(&id) || (is_confirmed && accepted + CLOCK_SLACK < began)
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;

    #[test]
    fn a_key_without_a_command_is_exported_only_if_its_command_is_forgotten() {
        let (id, now) = (CommandId(Uuid::now_v7()), Timestamp::now().as_millisecond() as u64);
        let (none, with) = (HashSet::new(), HashSet::from([id]));
        let (confirmed, reserved) = (format!("{id} hash"), format!("{id} hash reserved"));
        assert!(is_of_export(&confirmed, &with, now) && is_of_export(&reserved, &with, now));
        assert!(!is_of_export(&confirmed, &none, now), "it was accepted after the export began");
        assert!(is_of_export(&confirmed, &none, now + 60_000) && !is_of_export(&reserved, &none, now + 60_000));
        assert!(!is_of_export("nonsense", &none, now));
    }
}
