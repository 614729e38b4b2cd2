//! The inputs that fuzzing has found.

use std::{
    fs,
    path::{Path, PathBuf},
};

/// The most inputs of a target, and the most bytes of one: each change is tested with all of them.
const FILES_MAX: usize = 200;
const BYTES_MAX: usize = 16 << 10;

/// The inputs of a target of `fuzz/`, each with its file.
///
/// # Panics
/// If there is none, or if there are too many or too large ones: `cargo fuzz cmin` leaves out those that reach nothing new.
pub fn files(target: &str) -> Vec<(PathBuf, Vec<u8>)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().join("fuzz/corpus").join(target);
    let entries = fs::read_dir(&folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
    let mut files: Vec<_> = entries.map(|entry| entry.unwrap().path()).collect();
    assert!((1..=FILES_MAX).contains(&files.len()), "{} has {} files", folder.display(), files.len());
    files.sort();
    let inputs: Vec<_> = files.into_iter().map(|file| (file.clone(), fs::read(file).unwrap())).collect();
    let too_large = inputs.iter().find(|(_, bytes)| bytes.len() > BYTES_MAX);
    assert!(too_large.is_none(), "{} is too large", too_large.unwrap().0.display());
    inputs
}
