//! Looks each second whether this node has what it needs, and notes what is short: file descriptors, memory, shards
//! that answer.

use std::{
    collections::BTreeMap,
    sync::Arc,
    time::{Duration, Instant},
};

use muster_net::accept::out_of_files;
use tokio::time::{self, MissedTickBehavior};

use super::memory::MemoryWatch;
use crate::{
    hub::{Resource, Shortage},
    shard::Shared,
};

/// The time between two looks.
const LOOK: Duration = Duration::from_secs(1);
/// A look that comes so much too late says nothing about the shards: the whole process was stopped, or got no
/// processor.
const SLEPT: Duration = Duration::from_secs(1);

/// Looks each second; never returns.
pub async fn run(shared: Arc<Shared>) {
    let (mut memory, mut told) = (MemoryWatch::new(shared.config.max_memory), BTreeMap::new());
    // The first look is a second away because the shards have begun only now: before, the node may have waited long for
    // the lease of another process with the same name, and its shards seem late.
    let mut ticks = time::interval_at(time::Instant::now() + LOOK, LOOK);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut last = Instant::now();
    loop {
        ticks.tick().await;
        let now = Instant::now();
        let slept = now.duration_since(last) > LOOK + SLEPT;
        last = now;
        let shards = if slept { None } else { late_shards(&shared, now) };
        let memory = memory.as_mut().and_then(MemoryWatch::shortage);
        let memory = memory.map(|why| Shortage { why, refuses_sessions: true });
        for (resource, shortage) in [(Resource::Files, files()), (Resource::Memory, memory), (Resource::Shards, shards)]
        {
            if let Some(shortage) = shortage {
                shared.lifecycle.shortages.note(resource, shortage, now);
            }
        }
        tell(&shared, &mut told, shared.lifecycle.shortages.present(now));
    }
}

fn files() -> Option<Shortage> {
    let why = "this process, or its host, can open no more files: raise the limit of open files (LimitNOFILE, ulimit -n), or lower \
               --max-sessions or --max-event-streams";
    out_of_files().then(|| Shortage { why: why.into(), refuses_sessions: false })
}

/// Returns the shortage if shards are frozen; none if all answer. It refuses sessions only if all shards are frozen,
/// because a shard that answers can take them.
fn late_shards(shared: &Shared, now: Instant) -> Option<Shortage> {
    let (late, count) = shared.shards.look(now);
    if late.is_empty() {
        return None;
    }
    let numbers = late.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ");
    let why = format!(
        "shard {numbers} of {count} does not answer: its sessions get nothing; if that lasts, send the node SIGABRT for a core dump, or \
         SIGKILL, and report it"
    );
    Some(Shortage { why, refuses_sessions: late.len() == count })
}

/// Shows the shortages in the metrics, and logs each shortage that begins or ends.
fn tell(shared: &Shared, told: &mut BTreeMap<Resource, Shortage>, present: BTreeMap<Resource, Shortage>) {
    for resource in Resource::ALL {
        let short = present.get(&resource);
        shared.metrics.shortages.with_label_values(&[resource.label()]).set(short.is_some().into());
        match (told.contains_key(&resource), short) {
            (false, Some(shortage)) => tracing::error!(resource = resource.label(), "not ready: {}", shortage.why),
            (true, None) => tracing::info!(resource = resource.label(), "there is enough again"),
            _ => {}
        }
    }
    *told = present;
}
