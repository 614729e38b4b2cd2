//! Checks that the modules of a crate are floors: a module imports only from its own floor and from the floors below it.
//! The imports are read from the source, line by line, which is enough for what `cargo fmt` leaves.

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
};

/// Checks the crate in the folder `root`, whose source is in `src`. `floors` are its top-level modules from top to
/// bottom; modules on one floor may import each other.
///
/// # Panics
/// With each import that goes upward, or if a module is on no floor.
pub fn check(root: &str, floors: &[&[&str]]) {
    let floor_of: BTreeMap<_, _> =
        floors.iter().enumerate().flat_map(|(floor, names)| names.iter().map(move |name| (*name, floor))).collect();
    let source = Path::new(root).join("src");
    let mut upward = Vec::new();
    let files = rust_files(&source);
    assert!(!files.is_empty(), "no source in {}", source.display());
    for file in files {
        let module = module_of(&source, &file);
        if ["lib", "main"].contains(&module.as_str()) {
            continue;
        }
        let own = floor_of.get(module.as_str()).unwrap_or_else(|| panic!("{module} has no floor: add it to FLOORS"));
        for import in imports(&fs::read_to_string(&file).unwrap()) {
            let other = floor_of.get(import.as_str());
            if other.unwrap_or_else(|| panic!("{}: {import} has no floor", file.display())) < own {
                upward.push(format!("{}: imports {import}, which stands above {module}", file.display()));
            }
        }
    }
    assert!(upward.is_empty(), "{}", upward.join("\n"));
}

/// Every Rust file in a folder and its subfolders. None if the folder does not exist.
pub fn rust_files(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).into_iter().flatten().map(|entry| entry.unwrap().path());
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn imports_are_found_in_paths_and_in_nested_lists() {
        let text = "use crate::{\n    config::{Bounds, Config},\n    end::End,\n};\n// crate::comment\nlet x = crate::hub::Hub::new();";
        assert_eq!(imports(text), ["config", "end", "hub"]);
    }

    #[test]
    #[should_panic = "imports top, which stands above bottom"]
    fn an_import_from_above_is_found() {
        let folder = tempfile::tempdir().unwrap();
        let source = folder.path().join("src");
        fs::create_dir(&source).unwrap();
        fs::write(source.join("top.rs"), "use crate::bottom;").unwrap();
        fs::write(source.join("bottom.rs"), "use crate::top::Top;").unwrap();
        check(folder.path().to_str().unwrap(), &[&["top"], &["bottom"]]);
    }
}
