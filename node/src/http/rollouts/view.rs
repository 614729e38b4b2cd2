//! A rollout as the API shows it.

use std::{collections::BTreeMap, ops::Range};

use futures_util::future::try_join_all;
use jiff::Timestamp;
use muster_protocol::api::{RolloutView, TargetState, WaveView};

use crate::{
    backplane::{BackplaneError, CommandRecord, PortionRecord, RolloutRecord},
    http::HttpState,
    rollout::{portion_counts, wave_positions},
};

/// The commands that are looked up at once.
const AT_ONCE: usize = 16;

/// A rollout in a list.
pub fn brief(record: &RolloutRecord) -> RolloutView {
    let targets = record.frozen.is_whole.then_some(record.frozen.count);
    let sent: u64 = record.portions.iter().map(|portion| portion.targets + portion.skipped).sum();
    let carried_on: u64 =
        record.portions.iter().filter_map(|portion| portion.only.as_ref()).map(|only| only.len()).sum();
    RolloutView {
        id: record.id,
        name: record.request.command.name.clone(),
        state: record.state,
        reason: record.reason.clone(),
        targets,
        // A target that was carried on is in two portions.
        unsent: targets.map(|targets| (targets + carried_on).saturating_sub(sent)),
        wave: if record.portions.is_empty() { 0 } else { record.wave as u64 + 1 },
        of: record.request.waves.len() as u64,
        by: Some(record.by.clone()).filter(|by| !by.is_empty()),
        created_at: record.created_at,
        started_at: record.started_at,
        ended_at: record.ended_at,
        request: None,
        waves: None,
    }
}

/// A rollout with its waves, and what their targets came to.
pub async fn full(record: &RolloutRecord, state: &HttpState) -> Result<RolloutView, BackplaneError> {
    let mut commands = Vec::with_capacity(record.portions.len());
    for portions in record.portions.chunks(AT_ONCE) {
        let found = portions.iter().map(|portion| async move {
            match portion.command {
                Some(command) => state.shared.backplane.command(command).await,
                None => Ok(None),
            }
        });
        commands.extend(try_join_all(found).await?);
    }
    let waves = wave_views(record, &commands, Timestamp::now());
    Ok(RolloutView { request: Some(record.request.clone()), waves: Some(waves), ..brief(record) })
}

fn wave_views(record: &RolloutRecord, commands: &[Option<CommandRecord>], now: Timestamp) -> Vec<WaveView> {
    let planned = wave_positions(&record.request.waves, record.frozen.count);
    let view = |(wave, positions): (usize, &Range<u64>)| {
        let portions = record.portions.iter().zip(commands).filter(|(portion, _)| portion.wave == wave);
        let portions: Vec<_> = portions.collect();
        let mut counts = BTreeMap::<TargetState, u64>::new();
        for (portion, command) in &portions {
            for (state, count) in shown_counts(portion, command.as_ref(), now) {
                *counts.entry(state).or_default() += count;
            }
        }
        let skipped = portions.iter().map(|(portion, _)| portion.skipped).sum::<u64>();
        let known = counts.values().sum::<u64>() + skipped;
        let targets = record.frozen.is_whole.then_some(positions.end - positions.start);
        WaveView {
            targets,
            unsent: targets.map(|targets| targets.saturating_sub(known)),
            skipped,
            counts,
            began_at: portions.first().map(|(portion, _)| portion.began_at),
            commands: portions.iter().filter_map(|(portion, _)| portion.command).collect(),
        }
    };
    planned.iter().enumerate().map(view).collect()
}

/// The counts of a portion. Whoever was not sent its command before it was held is in the next portion, or was not sent one yet.
fn shown_counts(
    portion: &PortionRecord,
    command: Option<&CommandRecord>,
    now: Timestamp,
) -> BTreeMap<TargetState, u64> {
    let mut counts = portion_counts(portion, command, now);
    if portion.held.is_some() {
        counts.remove(&TargetState::Cancelled);
    }
    counts
}
