//! What files have on Unix alone, and what takes its place on Windows.

use std::{
    fs::{Metadata, OpenOptions},
    io,
    path::Path,
};

/// Returns the options for a file that no other user may read.
#[cfg(unix)]
pub(crate) fn private_file() -> OpenOptions {
    let mut options = OpenOptions::new();
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options
}

/// Returns the options for a file with the rights of its folder.
#[cfg(not(unix))]
pub(crate) fn private_file() -> OpenOptions {
    OpenOptions::new()
}

/// Writes the names of a folder's files to the disk.
#[cfg(unix)]
pub(crate) fn sync_folder(folder: &Path) -> io::Result<()> {
    std::fs::File::open(folder)?.sync_all()
}

/// Does nothing: Windows can't open a folder like a file, and keeps a journal of names.
#[cfg(not(unix))]
pub(crate) fn sync_folder(_folder: &Path) -> io::Result<()> {
    Ok(())
}

/// Returns the number of a file. Another file in its place has another number.
#[cfg(unix)]
pub(crate) fn file_number(metadata: &Metadata) -> u64 {
    std::os::unix::fs::MetadataExt::ino(metadata)
}

/// Returns 0, since Windows has no such number: the file's time and size have to do.
#[cfg(not(unix))]
pub(crate) fn file_number(_metadata: &Metadata) -> u64 {
    0
}
