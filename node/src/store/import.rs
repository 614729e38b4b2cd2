//! Imports a file into an empty store. The file is read twice: first it is checked as a whole, then it is stored.
//!
//! Every step changes nothing more if it is done again, and ordinals and numbers follow from the file alone. So an import that was ended is
//! begun again with the same file. Until it is done the store has schema 0, with which no node starts.

use std::{
    cell::Cell,
    collections::BTreeMap,
    path::{Path, PathBuf},
};

use anyhow::{Context, bail, ensure};
use futures_util::future::{join_all, try_join_all};
use jiff::Timestamp;
use muster_protocol::{Payload, TerminalId, partition::Partitions, schema::SCHEMA, seal::SealedCommand};
use muster_service::output::note;
use serde::Deserialize;

use super::{
    StoreFlags,
    access::StoreAccess,
    begin::{BegunImport, begin},
    lines::{BackupCounts, BackupHeader, BackupLine, CommandLine, KeyLine, ManyLine, ReplyLine, TerminalLine},
    pending::PendingCommand,
    placed::PlacedOrdinals,
    reader::{BackupReader, CheckedBackup},
    unplaced::{restore_enrolment, restore_key, restore_notice, restore_revocation, restore_selector},
};
use crate::backplane::{
    Cursor,
    redis::partition::{PartitionBounds, StorePartition, restore::RestoredTerminal},
};

/// Terminals, or keys, that are read before they are stored.
const PORTION: usize = 1024;
/// Terminals, or keys, of one call.
const CALL: usize = 64;
/// Commands that are stored at once, and the most bytes of their frames.
const COMMANDS: usize = 64;
const COMMAND_BYTES: usize = 8 << 20;
/// How long the ordinals of forgotten terminals rest at least, in ms.
const REST: u64 = 600_000;

/// Stores the file in an empty store with this many partitions; by default as many as the store had that was exported. Returns what was stored.
///
/// # Errors
/// If the file is not whole, is of another cluster, or has a command that was not sealed with this secret; if the store is not empty, or a
/// node lives. Nothing is changed then. If Redis fails later, the text says that the import is to be begun again.
pub async fn import(flags: StoreFlags, partitions: Option<Partitions>, file: PathBuf) -> anyhow::Result<BackupCounts> {
    let access = flags.open()?;
    let forgotten_at = Cell::new(0);
    let checked =
        check(&access, &file, &forgotten_at).with_context(|| format!("nothing was imported: {}", file.display()))?;
    let partitions = partitions
        .or_else(|| Partitions::new(checked.header.partitions))
        .context("the file tells no number of partitions")?;
    let stores = access.partitions(partitions);
    let begun = begin(&access, &stores, partitions, &checked.end.sha256).await?;
    let now = stores[0].clock().await?.as_millisecond() as u64;
    let import = Import {
        rest: forgotten_at.get().max(now + REST),
        away: now.saturating_sub(checked.header.at.as_millisecond() as u64) / 1000,
        next: vec![0; stores.len()],
        access,
        stores,
        partitions,
        begun,
        now,
        checked,
        placed: PlacedOrdinals::default(),
        terminals: Vec::new(),
        keys: Vec::new(),
        current: None,
        ready: Vec::new(),
        commands: 0,
    };
    import
        .run(&file)
        .await
        .context("the import is not complete, and no node starts on it: begin it again with the same file")
}

/// Checks a whole file, and notes when the last of its commands may be forgotten.
fn check(access: &StoreAccess, file: &Path, forgotten_at: &Cell<u64>) -> anyhow::Result<CheckedBackup> {
    let header: BackupHeader = BackupReader::open(file)?.header()?;
    ensure!(
        header.cluster == access.cluster,
        "the file is of the cluster {}, and --cluster is {}",
        header.cluster,
        access.cluster
    );
    ensure!(header.schema == SCHEMA, "the file has schema {}, and this program writes {SCHEMA}", header.schema);
    BackupReader::check(file, |header, line| {
        let BackupLine::Command(command) = line else { return Ok(()) };
        forgotten_at.set(forgotten_at.get().max(command.stored));
        let sealed = SealedCommand::read(&access.key, &header.store, &command.frame);
        sealed.map(drop).with_context(|| {
            format!(
                "command {} was not sealed with this secret: give the --cluster-secret-file, --secret-file or --insecure of the nodes whose \
                 store was exported",
                command.id
            )
        })
    })
}

struct Import {
    access: StoreAccess,
    stores: Vec<StorePartition>,
    partitions: Partitions,
    begun: BegunImport,
    checked: CheckedBackup,
    /// The time in ms since 1970.
    now: u64,
    /// Until when the ordinals of forgotten terminals rest, in ms since 1970.
    rest: u64,
    /// The seconds since the export began, which do not count as time that terminals are away.
    away: u64,
    placed: PlacedOrdinals,
    /// The next ordinal of each partition.
    next: Vec<u32>,
    terminals: Vec<TerminalLine>,
    keys: Vec<KeyLine>,
    /// The command whose lines are read. None if it may be forgotten by now.
    current: Option<PendingCommand>,
    ready: Vec<PendingCommand>,
    commands: u64,
}

impl Import {
    async fn run(mut self, file: &Path) -> anyhow::Result<BackupCounts> {
        let mut reader = BackupReader::open(file)?;
        reader.header()?;
        let now = Timestamp::from_millisecond(self.now as i64)?;
        loop {
            match reader.next()? {
                BackupLine::Header(_) => bail!("there is a second header"),
                BackupLine::Terminal(line) => {
                    self.terminals.push(line);
                    if self.terminals.len() >= PORTION {
                        self.store_terminals().await?;
                    }
                }
                BackupLine::Command(line) => self.begin_command(*line).await?,
                BackupLine::Few(line) => {
                    if let Some(command) = &mut self.current {
                        command.add_few(&line, &self.placed);
                    }
                }
                BackupLine::Many(line) => self.add_many(&line).await?,
                BackupLine::Refused(line) => {
                    if let Some(command) = &mut self.current {
                        command.add_refused(line, self.partitions);
                    }
                }
                BackupLine::Reply(line) => self.add_reply(&line).await?,
                BackupLine::Key(line) => {
                    self.keys.push(line);
                    if self.keys.len() >= PORTION {
                        self.store_keys().await?;
                    }
                }
                BackupLine::Revocation(revocation) => restore_revocation(&self.stores[0], &revocation, now).await?,
                BackupLine::Enrolment(enrolment) => restore_enrolment(&self.stores[0], &enrolment, now).await?,
                BackupLine::OperatorKey(key) => restore_key(&self.stores[0], &key, now).await?,
                BackupLine::SavedSelector(selector) => restore_selector(&self.stores[0], &selector).await?,
                BackupLine::Notice(notice) => restore_notice(&self.stores[0], &notice).await?,
                BackupLine::End(end) => {
                    ensure!(end.sha256 == self.checked.end.sha256, "the file was changed while it was imported");
                    break;
                }
            }
        }
        self.end().await
    }

    async fn end(mut self) -> anyhow::Result<BackupCounts> {
        self.store_terminals().await?;
        self.current.take().into_iter().for_each(|command| self.ready.push(command));
        self.store_ready().await?;
        self.store_keys().await?;
        let number = self.begun.base + self.commands;
        try_join_all(self.stores.iter().map(|store| store.restore_end(number))).await?;
        let is_done = self.stores[0].restore_done(&self.checked.end.sha256).await?;
        ensure!(is_done, "the store was changed by another program meanwhile");
        Ok(self.checked.end.counts)
    }

    async fn store_terminals(&mut self) -> anyhow::Result<()> {
        let mut parts: BTreeMap<usize, Vec<RestoredTerminal>> = BTreeMap::new();
        for line in std::mem::take(&mut self.terminals) {
            let Some(terminal) = read_terminal(&line) else {
                note(format_args!(
                    "muster-node: a terminal is left out, since its record can't be read: partition {}, ordinal {}",
                    line.p, line.ord
                ));
                continue;
            };
            let partition = self.partitions.of(&terminal);
            let next = &mut self.next[usize::from(partition.0)];
            let ordinal = *next;
            ensure!(self.placed.put((line.p, line.ord), (partition.0, ordinal)), "ordinal {} is too great", line.ord);
            *next += 1;
            let left = line.left.map_or(u64::MAX, |left| left + self.away).min(self.now / 1000);
            parts.entry(usize::from(partition.0)).or_default().push(RestoredTerminal {
                ordinal,
                terminal: terminal.to_string(),
                is_known: !line.forgotten,
                entry: line.entry,
                given: line.given,
                health: line.health,
                condition: line.condition,
                seen: line.seen.0,
                left,
            });
        }
        let stored = parts.iter().map(|(partition, terminals)| async {
            for portion in terminals.chunks(CALL) {
                self.stores[*partition].restore_terminals(self.rest, portion).await?;
            }
            redis::RedisResult::Ok(())
        });
        try_join_all(stored).await?;
        Ok(())
    }

    async fn begin_command(&mut self, line: CommandLine) -> anyhow::Result<()> {
        self.store_terminals().await?;
        self.commands += 1;
        let next = (line.stored > self.now).then(|| PendingCommand::new(line, self.begun.base + self.commands));
        if let Some(command) = std::mem::replace(&mut self.current, next)
            && !command.is_stored
        {
            self.ready.push(command);
        }
        let bytes: usize = self.ready.iter().map(|command| command.line.frame.len()).sum();
        if self.ready.len() >= COMMANDS || bytes > COMMAND_BYTES { self.store_ready().await } else { Ok(()) }
    }

    async fn store_ready(&mut self) -> anyhow::Result<()> {
        let mut ready = std::mem::take(&mut self.ready);
        let stored = ready.iter_mut().filter(|command| !command.is_stored).map(|command| {
            let (from, to) = (&self.checked.header.store, &self.begun.store);
            command.store(&self.stores, self.partitions, &self.access.key, from, to)
        });
        join_all(stored).await.into_iter().collect()
    }

    async fn add_many(&mut self, line: &ManyLine) -> anyhow::Result<()> {
        let Some(command) = &mut self.current else { return Ok(()) };
        let parts = self.placed.divide(line);
        let added = parts.iter().map(|(partition, part)| {
            let (offset, targets, levels) = part.bitmaps();
            let (store, id, times) = (&self.stores[usize::from(*partition)], command.line.id, part.entries());
            async move { store.restore_targets(id, offset, &targets, &levels, &times).await }
        });
        try_join_all(added).await?;
        parts.keys().for_each(|partition| command.add_partition(*partition));
        Ok(())
    }

    /// Replies are stored after their command.
    async fn add_reply(&mut self, line: &ReplyLine) -> anyhow::Result<()> {
        let Some(command) = &mut self.current else { return Ok(()) };
        if !command.is_stored {
            let (from, to) = (&self.checked.header.store, &self.begun.store);
            command.store(&self.stores, self.partitions, &self.access.key, from, to).await?;
        }
        let (id, place) = (command.line.id, self.placed.get(line.p, line.ord));
        let (Some((partition, ordinal)), Some(payload)) = (place, Payload::from_stored(&line.reply)) else {
            return Ok(());
        };
        let bounds = PartitionBounds { keep: Default::default(), log: 0, backlog: 0, bytes: i64::MAX as u64 };
        let any = Cursor { epoch: String::new(), number: 0 };
        self.stores[usize::from(partition)].reply(&any, id, &[(ordinal, payload)], &bounds).await?;
        Ok(())
    }

    async fn store_keys(&mut self) -> anyhow::Result<()> {
        let mut parts: BTreeMap<u16, Vec<(String, String, u64)>> = BTreeMap::new();
        for KeyLine { hash, value, due } in std::mem::take(&mut self.keys) {
            parts.entry(self.partitions.of_text(&hash).0).or_default().push((hash, value, due));
        }
        let stored = parts.iter().map(|(partition, keys)| async {
            for portion in keys.chunks(CALL) {
                self.stores[usize::from(*partition)].restore_keys(portion).await?;
            }
            redis::RedisResult::Ok(())
        });
        try_join_all(stored).await?;
        Ok(())
    }
}

/// The terminal of a line whose record and labels scripts can read. None if they can't.
fn read_terminal(line: &TerminalLine) -> Option<TerminalId> {
    #[derive(Deserialize)]
    struct Record {
        terminal: TerminalId,
        #[serde(default)]
        #[expect(dead_code, reason = "it must be what scripts read")]
        labels: BTreeMap<String, String>,
    }
    let (head, record) = line.entry.split_once('\n')?;
    let record: Record = serde_json::from_str(record).ok()?;
    let is_read = |json: &str| json.is_empty() || serde_json::from_str::<BTreeMap<String, String>>(json).is_ok();
    let is_whole = line.forgotten || head.split(' ').count() >= 3;
    (is_whole && is_read(&line.given)).then_some(record.terminal)
}
