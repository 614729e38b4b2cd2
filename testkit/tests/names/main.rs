//! One name, one meaning: no two public types of the workspace share a name, and a name that was retired does not come back.

mod lists;
mod source;

use std::collections::BTreeMap;

use lists::{RETIRED_FUNCTIONS, RETIRED_PATHS, RETIRED_TYPES, SHARED};
use source::{Kind, definition, rust_files};

#[test]
fn no_two_public_types_share_a_name() {
    let mut places: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for file in rust_files() {
        for (place, found) in file.definitions() {
            if found.kind == Kind::Type && found.is_public {
                places.entry(found.name.to_owned()).or_default().push(place);
            }
        }
    }
    assert!(places.contains_key("TestNode"), "no definitions were found");
    places.retain(|name, places| places.len() > 1 && SHARED.iter().all(|(shared, _)| shared != name));
    let list: String = places.iter().map(|(name, places)| format!("{name}: {}\n", places.join(", "))).collect();
    assert!(places.is_empty(), "rename all but one, or explain the name in SHARED:\n{list}");
}

#[test]
fn no_retired_name_is_defined() {
    let mut found = Vec::new();
    for file in rust_files() {
        let path = file.path.display().to_string();
        let is_below = |folder: &str| path.strip_prefix(folder).is_some_and(|rest| rest.starts_with(['.', '/']));
        found
            .extend(RETIRED_PATHS.iter().filter(|(old, _)| is_below(old)).map(|(_, new)| format!("{path}: see {new}")));
        for (place, definition) in file.definitions() {
            let list = match definition.kind {
                Kind::Type => RETIRED_TYPES,
                Kind::Function if file.path.starts_with("node/src/backplane/redis") => continue,
                Kind::Function => RETIRED_FUNCTIONS,
            };
            let old = list.iter().find(|(old, _)| *old == definition.name);
            found.extend(old.map(|(old, new)| format!("{place}: {old} was renamed, see {new}")));
        }
    }
    assert!(found.is_empty(), "{}", found.join("\n"));
}

#[test]
fn every_explained_name_is_shared() {
    let files = rust_files();
    for (name, _) in SHARED {
        let count = files.iter().flat_map(|file| file.definitions()).filter(|(_, found)| found.name == *name).count();
        assert!(count > 1, "{name} is not shared any more: remove it from SHARED");
    }
}

#[test]
fn definitions_are_recognized() {
    let found = |line| definition(line).map(|found| (found.name, found.is_public, found.kind));
    assert_eq!(found("pub struct Payload(Box<RawValue>);"), Some(("Payload", true, Kind::Type)));
    assert_eq!(found("    pub(in crate::backplane) enum Step {"), Some(("Step", true, Kind::Type)));
    assert_eq!(found("pub trait Listener: Send {"), Some(("Listener", true, Kind::Type)));
    assert_eq!(found("type Numbers = (u64, u64);"), Some(("Numbers", false, Kind::Type)));
    assert_eq!(found("    pub(crate) async fn run(mut self) {"), Some(("run", true, Kind::Function)));
    assert_eq!(found("// pub struct Commented;"), None);
    assert_eq!(found("let structure = 1;"), None);
}
