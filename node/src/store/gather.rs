//! The parts of a command, from its home and from the partitions with shares.

use std::collections::BTreeMap;

use futures_util::future::try_join_all;
use muster_protocol::{CommandId, partition::PartitionIndex};

use super::{lines::CommandLine, reads::PatientReads};
use crate::backplane::redis::partition::{
    CommittedShare, StorePartition,
    export::{ExportedFrame, ExportedShare},
};

/// A command and its shares, without the targets of a command for many.
pub struct GatheredCommand {
    /// The command.
    pub line: CommandLine,
    /// Its shares, by their partitions.
    pub shares: Vec<(u16, ExportedShare)>,
    /// Whether its acceptance is not finished: some partitions have not taken their shares.
    pub is_unfinished: bool,
}

/// Reads a command whose home is the partition `home`. None if the home has nothing of it.
///
/// # Errors
/// As [`PatientReads::answer`].
pub async fn gather(
    stores: &[StorePartition],
    reads: &PatientReads,
    home: PartitionIndex,
    id: CommandId,
) -> anyhow::Result<Option<GatheredCommand>> {
    let first = &stores[usize::from(home.0)];
    let Some(here) = reads.answer(home, || first.export_command(id, false)).await? else { return Ok(None) };
    let Some(listed) = here.listed else { return Ok(None) };
    let Some(at_home) = here.home else {
        let Some(share) = here.share else { return Ok(None) };
        let line = line(id, &share.frame, share.is_few, here.stored, listed, share.is_done, 0);
        return Ok(Some(GatheredCommand { line, shares: vec![(home.0, share)], is_unfinished: false }));
    };
    let wanted = wanted(&at_home.shares, at_home.is_accepted);
    let others = wanted.keys().filter(|index| **index != home.0 && usize::from(**index) < stores.len());
    let read = others.map(|index| async move {
        let store = &stores[usize::from(*index)];
        let command = reads.answer(store.index, || store.export_command(id, true)).await?;
        anyhow::Ok(command.and_then(|command| Some((*index, command.share?))))
    });
    let mut shares: Vec<_> = try_join_all(read).await?.into_iter().flatten().collect();
    shares.extend(here.share.map(|share| (home.0, share)));
    let missing = |index: &u16| !shares.iter().any(|(share, _)| share == index);
    // A share that was not taken will not be, since partitions are others in the new store. Its targets count as too late.
    let untaken: u64 = if at_home.is_accepted {
        0
    } else {
        wanted.iter().filter(|(index, _)| missing(index)).map(|(_, count)| count).sum()
    };
    let is_few = shares.iter().any(|(_, share)| share.is_few);
    let line = line(id, &at_home.frame, is_few, here.stored, listed, at_home.is_told, at_home.late + untaken);
    Ok(Some(GatheredCommand { line, shares, is_unfinished: untaken > 0 }))
}

fn line(
    id: CommandId,
    frame: &ExportedFrame,
    few: bool,
    stored: u64,
    listed: u64,
    done: bool,
    late: u64,
) -> CommandLine {
    let ExportedFrame { frame, ask, by, confirm, created, expires, cancelled_at } = frame.clone();
    CommandLine {
        id,
        few,
        frame,
        ask,
        by,
        confirm,
        created,
        expires,
        cancelled: cancelled_at,
        stored,
        listed,
        done,
        late,
    }
}

/// The partitions that have a share, or are to take one, and the number of their targets.
fn wanted(shares: &str, is_accepted: bool) -> BTreeMap<u16, u64> {
    if !is_accepted {
        return serde_json::from_str(shares).unwrap_or_default();
    }
    let shares: BTreeMap<u16, CommittedShare> = serde_json::from_str(shares).unwrap_or_default();
    shares.into_iter().map(|(index, share)| (index, share.of)).collect()
}
