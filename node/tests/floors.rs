//! The modules of the node are floors: a module imports only from its own floor and from the floors below it. The picture is in
//! `src/lib.rs`.

use muster_testkit::floors;

/// The floors, from top to bottom. Modules on one line share a floor and may import each other.
const FLOORS: &[&[&str]] = &[
    &["fuzzing"],
    &["process"],
    &["store"],
    &["operator_keys"],
    &["serve"],
    &["supervision"],
    &["http"],
    &["drain"],
    &["cluster"],
    &["notices"],
    &["rollout"],
    &["session", "shard"],
    &["backplane"],
    &["hub"],
    &["reports"],
    &["auth"],
    &["fence"],
    &["end"],
    &["wire"],
    &["sleep"],
    &["metrics"],
    &["sync"],
    &["config"],
];

#[test]
fn a_module_imports_only_from_its_own_floor_and_from_the_floors_below() {
    floors::check(env!("CARGO_MANIFEST_DIR"), FLOORS);
}
