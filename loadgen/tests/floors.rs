//! The modules of the load generator are floors: a module imports only from its own floor and from the floors below it.
//! The table is in `src/lib.rs`.

use muster_testkit::floors;

/// The floors, from top to bottom. Modules on one line share a floor and may import each other.
const FLOORS: &[&[&str]] = &[
    &["cli"],
    &["card", "compare", "distributed", "hold", "null"],
    &["run"],
    &["view"],
    &["report"],
    &["verdict"],
    &["health"],
    &["play"],
    &["measure"],
    &["journal"],
    &["preflight"],
    &["plan"],
    &["adapter"],
    &["config"],
    &["marks"],
    &["clock", "console", "interrupt", "message", "names", "pattern", "template"],
];

#[test]
fn a_module_imports_only_from_its_own_floor_and_from_the_floors_below() {
    floors::check(env!("CARGO_MANIFEST_DIR"), FLOORS);
}
