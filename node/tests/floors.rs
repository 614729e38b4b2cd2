//! The modules of the node are floors: a module imports only from its own floor and from the floors below it. The picture is in
//! `src/lib.rs`.

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
};

/// The floors, from top to bottom. Modules on one line share a floor and may import each other.
const FLOORS: &[&[&str]] = &[
    &["process"],
    &["serve"],
    &["http"],
    &["drain"],
    &["cluster"],
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
    let floors: BTreeMap<_, _> =
        FLOORS.iter().enumerate().flat_map(|(floor, names)| names.iter().map(move |name| (*name, floor))).collect();
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut upward = Vec::new();
    for file in rust_files(&source) {
        let module = module_of(&source, &file);
        let Some(own) = floors.get(module.as_str()) else {
            assert!(
                ["lib", "main"].contains(&module.as_str()),
                "{module} has no floor: add it to FLOORS and to lib.rs"
            );
            continue;
        };
        for import in imports(&fs::read_to_string(&file).unwrap()) {
            let other =
                floors.get(import.as_str()).unwrap_or_else(|| panic!("{}: {import} has no floor", file.display()));
            if other < own {
                upward.push(format!("{}: imports {import}, which stands above {module}", file.display()));
            }
        }
    }
    assert!(upward.is_empty(), "{}", upward.join("\n"));
}

#[test]
fn imports_are_found_in_paths_and_in_nested_lists() {
    let text = "use crate::{\n    config::{Bounds, Config},\n    end::End,\n};\n// crate::comment\nlet x = crate::hub::Hub::new();";
    assert_eq!(imports(text), ["config", "end", "hub"]);
}

fn rust_files(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    entries
        .flat_map(|path| match path.is_dir() {
            true => rust_files(&path),
            false => vec![path],
        })
        .filter(|path| path.extension().is_some_and(|extension| extension == "rs"))
        .collect()
}

/// The top-level module that a file belongs to.
fn module_of(source: &Path, file: &Path) -> String {
    let first = file.strip_prefix(source).unwrap().iter().next().unwrap();
    Path::new(first).file_stem().unwrap().to_str().unwrap().to_owned()
}

/// The top-level modules that are named after `crate::` in the code of `text`.
fn imports(text: &str) -> Vec<String> {
    let code: String =
        text.lines().filter(|line| !line.trim_start().starts_with("//")).flat_map(|line| [line, "\n"]).collect();
    let mut found = Vec::new();
    for (index, _) in code.match_indices("crate::") {
        let rest = &code[index + "crate::".len()..];
        match rest.strip_prefix('{') {
            Some(list) => found.extend(names_in_list(list)),
            None => found.push(name(rest)),
        }
    }
    found
}

/// The first name of each item of a `use` list, up to the closing brace.
fn names_in_list(list: &str) -> Vec<String> {
    let (mut depth, mut items) = (1, vec![String::new()]);
    for character in list.chars() {
        match character {
            '{' => depth += 1,
            '}' => depth -= 1,
            ',' if depth == 1 => items.push(String::new()),
            _ => {}
        }
        match depth {
            0 => break,
            _ => items.last_mut().unwrap().push(character),
        }
    }
    let trimmed = items.iter().map(|item| item.trim_start_matches([',', ' ', '\n']));
    trimmed.filter(|item| !item.is_empty()).map(name).collect()
}

fn name(text: &str) -> String {
    text.chars().take_while(|character| character.is_alphanumeric() || *character == '_').collect()
}
