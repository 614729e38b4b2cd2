//! Reads the names that are defined in the workspace's Rust files, line by line. It knows no more of Rust than `cargo fmt` leaves to
//! chance: a definition begins its line.

use std::{
    fs,
    path::{Path, PathBuf},
};

use muster_testkit::floors;

/// What a definition defines.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    Type,
    Function,
}

/// A name that a line defines.
pub struct Definition<'a> {
    pub name: &'a str,
    pub kind: Kind,
    /// Whether another module can use the name.
    pub is_public: bool,
}

/// A Rust file of the workspace.
pub struct SourceFile {
    /// Relative to the workspace.
    pub path: PathBuf,
    text: String,
}

impl SourceFile {
    /// Each definition, with its place as `FILE:LINE`.
    pub fn definitions(&self) -> impl Iterator<Item = (String, Definition<'_>)> {
        let found = |(index, line)| Some((format!("{}:{}", self.path.display(), index + 1), definition(line)?));
        self.text.lines().enumerate().filter_map(found)
    }
}

/// The name that a line defines.
pub fn definition(line: &str) -> Option<Definition<'_>> {
    let line = line.trim_start();
    let (is_public, line) = match line.strip_prefix("pub") {
        Some(rest) if rest.starts_with('(') => (true, rest.split_once(')')?.1.trim_start()),
        Some(rest) if rest.starts_with(' ') => (true, rest.trim_start()),
        _ => (false, line),
    };
    let line = ["const ", "async ", "unsafe "].iter().fold(line, |line, word| line.strip_prefix(word).unwrap_or(line));
    let (keyword, rest) = line.split_once(' ')?;
    let kind = match keyword {
        "struct" | "enum" | "trait" | "type" | "union" => Kind::Type,
        "fn" => Kind::Function,
        _ => return None,
    };
    let name = rest.split(|c: char| !c.is_alphanumeric() && c != '_').next().filter(|name| !name.is_empty())?;
    Some(Definition { name, kind, is_public })
}

/// Every Rust file in the folders `src`, `tests`, `benches` and `examples` of every member of the workspace.
pub fn rust_files() -> Vec<SourceFile> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
    let manifest = fs::read_to_string(root.join("Cargo.toml")).unwrap();
    let members = manifest.lines().find_map(|line| line.strip_prefix("members = [")).expect("a line with the members");
    let crates = members.split('"').skip(1).step_by(2);
    let folders =
        crates.flat_map(|name| ["src", "tests", "benches", "examples"].map(|kind| root.join(name).join(kind)));
    let file = |path: PathBuf| {
        let text = fs::read_to_string(&path).unwrap();
        SourceFile { path: path.strip_prefix(root).unwrap().to_owned(), text }
    };
    folders.flat_map(|folder| floors::rust_files(&folder)).map(file).collect()
}
