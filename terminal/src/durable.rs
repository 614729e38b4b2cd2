//! Files that a power cut leaves whole.

use std::{
    fs,
    io::{self, Write},
    path::Path,
};

use crate::platform;

/// Replaces a file, or makes it: readers see the old bytes or the new ones. Other users can't read it. The new bytes are on the disk when this
/// returns.
pub fn replace(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let next = path.with_added_extension("next");
    let mut file = platform::private_file().write(true).create(true).truncate(true).open(&next)?;
    file.write_all(bytes)?;
    // In this order: a name must not come to stand for a file whose bytes are not on the disk.
    file.sync_all()?;
    rename(&next, path)
}

/// Renames a file, so that the new name is there after a power cut too. Both names are in one folder.
pub fn rename(from: &Path, to: &Path) -> io::Result<()> {
    fs::rename(from, to)?;
    to.parent().map_or(Ok(()), platform::sync_folder)
}
