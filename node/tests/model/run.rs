//! Runs a sequence on the model and on both backplanes, and compares.

use std::{
    collections::BTreeMap,
    fmt::Debug,
    panic::{AssertUnwindSafe, catch_unwind},
    time::Duration,
};

use jiff::Timestamp;
use muster_protocol::partition::Partitions;
use tokio::{runtime, time};

use crate::{
    answer::Snapshot, memory::MemoryStore, model::Model, operation::Operation, partitioned::PartitionedStore,
    redis_server::StillRedis, rules,
};

/// A sequence that takes longer than this hangs.
const PATIENCE: Duration = Duration::from_secs(60);
/// Sequences after which they go on in a fresh Redis: one that is restarted reads all that was written before, and asks for the time,
/// which libfaketime reads from a file, at each command.
const FRESH: u64 = 50;
/// Operations after which everything is asked.
const LOOK: usize = 12;

/// What all sequences share.
pub struct World {
    runtime: runtime::Runtime,
    server: StillRedis,
    now: Timestamp,
    cases: u64,
}

impl World {
    pub fn start() -> Self {
        let runtime = runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let now = ahead(Timestamp::UNIX_EPOCH);
        let server = runtime.block_on(StillRedis::start(now));
        Self { runtime, server, now, cases: 0 }
    }

    /// A sequence without what can't be done here, in which requests with the same body ask for the same.
    pub fn possible(&self, mut sequence: Vec<Operation>) -> Vec<Operation> {
        let mut bodies = BTreeMap::new();
        for operation in &mut sequence {
            if let Operation::Accept(request) = operation
                && let Some(body) = request.key
            {
                *request = bodies.entry(body).or_insert_with(|| request.clone()).clone();
            }
        }
        sequence.retain(|operation| self.server.moves || !matches!(operation, Operation::Clock { .. }));
        sequence
    }

    /// Runs a sequence. Fails with the first difference.
    pub fn run(&mut self, partitions: Partitions, sequence: &[Operation]) -> Result<(), String> {
        self.cases += 1;
        self.now = ahead(self.now);
        if self.cases.is_multiple_of(FRESH) {
            self.server = self.runtime.block_on(StillRedis::start(self.now));
        }
        let Self { runtime, server, now, cases } = self;
        let compared = compare(server, partitions, *now, *cases, sequence);
        let ran =
            catch_unwind(AssertUnwindSafe(|| runtime.block_on(async { time::timeout(PATIENCE, compared).await })));
        // The model's seconds are at most these.
        let moved: u64 = sequence
            .iter()
            .map(|operation| match operation {
                Operation::Clock { tens } => 10 * u64::from(*tens),
                _ => 0,
            })
            .sum();
        *now += Duration::from_secs(moved) + PATIENCE;
        match ran {
            Ok(Ok(compared)) => compared,
            Ok(Err(_)) => Err("the sequence hangs".into()),
            Err(panic) => {
                let text = panic.downcast_ref::<String>().cloned();
                Err(text.or_else(|| panic.downcast_ref::<&str>().map(|text| text.to_string())).unwrap_or_default())
            }
        }
    }
}

/// A time of whole seconds that is not before `at` and a while ahead of this machine's clock: nodes judge by that clock whether a
/// command may still be sent, and none of them may expire by it while a sequence runs.
fn ahead(at: Timestamp) -> Timestamp {
    let soon = Timestamp::now() + 2 * PATIENCE;
    Timestamp::from_second(at.max(soon).as_second() + 1).unwrap()
}

async fn compare(
    server: &mut StillRedis,
    partitions: Partitions,
    now: Timestamp,
    case: u64,
    sequence: &[Operation],
) -> Result<(), String> {
    let mut model = Model::default();
    let mut memory = MemoryStore::start(now, case);
    let mut cluster = PartitionedStore::start(server, partitions, now, case).await;
    for (step, operation) in sequence.iter().enumerate() {
        if !model.allows(operation) {
            continue;
        }
        let wanted = model.apply(operation);
        let at = format!("step {step}, {}", serde_json::to_string(operation).unwrap());
        equal(&at, "memory", &memory.apply(operation).await, &wanted)?;
        equal(&at, "partitioned", &cluster.apply(operation).await, &wanted)?;
        if (step + 1) % LOOK == 0 || step + 1 == sequence.len() {
            let wanted = rules::snapshot(&model);
            differences(&at, "memory", &memory.store.snapshot().await, &wanted)?;
            differences(&at, "partitioned", &cluster.store.snapshot().await, &wanted)?;
        }
    }
    memory.store.nodes.iter().for_each(crate::node::ModelNode::stop);
    Ok(())
}

fn equal<T: PartialEq + Debug>(at: &str, store: &str, found: &T, wanted: &T) -> Result<(), String> {
    if found == wanted { Ok(()) } else { Err(format!("{at}\n  {store}: {found:?}\n  model: {wanted:?}")) }
}

fn differences(at: &str, store: &str, found: &Snapshot, wanted: &Snapshot) -> Result<(), String> {
    let keys = found.keys().chain(wanted.keys().filter(|key| !found.contains_key(*key)));
    let differ = keys.filter(|key| found.get(*key) != wanted.get(*key));
    let lines: Vec<_> = differ
        .map(|key| format!("  {key}\n    {store}: {:?}\n    model: {:?}", found.get(key), wanted.get(key)))
        .collect();
    if lines.is_empty() { Ok(()) } else { Err(format!("after {at}\n{}", lines.join("\n"))) }
}
