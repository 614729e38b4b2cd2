//! Files that a power cut leaves whole.

use std::{
    fs,
    io::{self, Write},
    path::Path,
};

use crate::platform;

/// Replaces a file, or makes it. Readers see either the old bytes or the new ones, and other users can't read the file.
/// The new bytes are on the disk when this returns.
pub fn replace(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let next = path.with_added_extension("next");
    let mut file = platform::private_file().write(true).create(true).truncate(true).open(&next)?;
    file.write_all(bytes)?;
    // In this order: the name must not stand for a file whose bytes are not on the disk.
    file.sync_all()?;
    rename(&next, path)
}

/// Renames a file within one folder, so that it has the new name after a power cut too.
pub fn rename(from: &Path, to: &Path) -> io::Result<()> {
    fs::rename(from, to)?;
    to.parent().map_or(Ok(()), platform::sync_folder)
}
