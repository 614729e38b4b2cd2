//! The same random sequences of operations, applied to the memory backplane, to two nodes that share a store of one to
//! five partitions, and to a model of a few plain maps. All three must give equal answers and deliver equal commands, in equal order.
//!
//! By default the test runs for `SECONDS` from a fixed seed. `MUSTER_MODEL_SECONDS=3600` runs for longer, from a seed that is
//! drawn and printed; `MUSTER_MODEL_SEED=N` sets the seed, and `MUSTER_MODEL_PARTITIONS=N` the number of partitions. A sequence that fails is made short and printed, one operation
//! a line; as a file in `regressions/` it is run first each time.

mod answer;
mod clock;
mod look;
mod memory;
mod model;
mod node;
mod operation;
mod partitioned;
mod redis_server;
mod rules;
mod run;
mod sessions;
mod shrink;
mod store;

use std::{
    collections::BTreeMap,
    env, fs,
    path::Path,
    time::{Duration, Instant},
};

use muster_protocol::partition::Partitions;
use proptest::{
    strategy::{Strategy, ValueTree},
    test_runner::{Config, RngAlgorithm, TestRng, TestRunner},
};

use crate::{
    operation::{Operation, sequences},
    run::World,
};

/// How long the test draws sequences if it is not told otherwise.
const SECONDS: u64 = 25;
/// How long a failing sequence is made shorter.
const SHRINKING: Duration = Duration::from_secs(20);

#[test]
fn both_backplanes_do_what_the_model_does() {
    let mut world = World::start();
    let told = |name| env::var(name).ok().and_then(|value| value.parse::<u64>().ok());
    let seconds = told("MUSTER_MODEL_SECONDS");
    let drawn = if seconds.is_some() { rand::random::<u32>().into() } else { 1 };
    let only = told("MUSTER_MODEL_PARTITIONS").and_then(|count| Partitions::new(count as u16));
    let seed = told("MUSTER_MODEL_SEED").unwrap_or(drawn);
    let lasting = Duration::from_secs(seconds.unwrap_or(SECONDS));
    let mut bytes = [0; 32];
    bytes[..8].copy_from_slice(&seed.to_le_bytes());
    let rng = TestRng::from_seed(RngAlgorithm::ChaCha, &bytes);
    let mut runner = TestRunner::new_with_rng(Config::default(), rng);
    let (began, mut cases, mut kinds) = (Instant::now(), 0, BTreeMap::<_, u64>::new());
    while began.elapsed() < lasting {
        let drawn = sequences().new_tree(&mut runner).expect("a sequence can be drawn");
        let sequence = world.possible(drawn.current());
        let partitions = only.unwrap_or(Partitions::new(1 + (cases % 5) as u16).unwrap());
        if let Err(difference) = world.run(partitions, &sequence) {
            let (shortest, difference) = shrink::shortest(&mut world, partitions, sequence, difference);
            let count = partitions.count();
            panic!("seed {seed}, sequence {cases}, {count} partitions:\n{}\n{difference}", lines(&shortest));
        }
        cases += 1;
        sequence.iter().for_each(|operation| *kinds.entry(operation.kind()).or_default() += 1);
    }
    let counts: Vec<_> = kinds.iter().map(|(kind, count)| format!("{kind} {count}")).collect();
    println!("model: {cases} sequences in {} s, seed {seed}: {}", began.elapsed().as_secs(), counts.join(", "));
}

#[test]
fn what_failed_once_does_not_fail_again() {
    let mut world = World::start();
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/model/regressions");
    let mut files: Vec<_> = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    let filter = env::var("MUSTER_MODEL_FILE").unwrap_or_default();
    for file in files.iter().filter(|file| file.to_string_lossy().contains(&filter)) {
        let text = fs::read_to_string(file).unwrap();
        let sequence: Vec<Operation> = text
            .lines()
            .filter(|line| !line.starts_with('#'))
            .map(|line| serde_json::from_str(line).unwrap_or_else(|error| panic!("{}: {error}", file.display())))
            .collect();
        let sequence = world.possible(sequence);
        for partitions in [1, 3] {
            if let Err(difference) = world.run(Partitions::new(partitions).unwrap(), &sequence) {
                panic!("{}, {partitions} partitions:\n{difference}", file.display());
            }
        }
    }
}

/// A sequence as a file has it.
fn lines(sequence: &[Operation]) -> String {
    let lines: Vec<_> = sequence.iter().map(|operation| serde_json::to_string(operation).unwrap()).collect();
    lines.join("\n")
}
