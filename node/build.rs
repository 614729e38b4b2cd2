//! Lists the files of the console, which are part of the program: `console_files.rs` in `OUT_DIR` has each with its path and its bytes.

use std::{
    env, fs, io,
    path::{Path, PathBuf},
};

/// The ends of the names of files that a browser asks for. What else lies in the folder, such as its README, is left out.
const KINDS: [&str; 8] = ["css", "html", "ico", "js", "json", "png", "svg", "txt"];

fn main() -> io::Result<()> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../console");
    // A folder counts as changed when a file in it changes, comes or goes.
    println!("cargo::rerun-if-changed={}", folder.display());
    let mut files = Vec::new();
    gather(&folder, &mut files)?;
    files.sort();
    let entries: String = files.iter().map(|file| entry(&folder, file)).collect();
    let out = env::var_os("OUT_DIR").map(PathBuf::from).unwrap_or_default();
    fs::write(out.join("console_files.rs"), format!("&[\n{entries}]"))
}

/// Adds the files in this folder and in those within.
fn gather(folder: &Path, files: &mut Vec<PathBuf>) -> io::Result<()> {
    for found in fs::read_dir(folder)? {
        let path = found?.path();
        if path.is_dir() {
            gather(&path, files)?;
        } else if path.extension().and_then(|end| end.to_str()).is_some_and(|end| KINDS.contains(&end)) {
            files.push(path);
        }
    }
    Ok(())
}

/// A file as an element of the list.
fn entry(folder: &Path, file: &Path) -> String {
    let name = file.strip_prefix(folder).unwrap_or(file).display().to_string();
    let path = format!("/../console/{name}");
    format!("    ({name:?}, include_bytes!(concat!(env!(\"CARGO_MANIFEST_DIR\"), {path:?}))),\n")
}
