//! Files on Windows. The rights of the folder say what other users may read.

use std::{
    fs::{self, File, OpenOptions},
    io,
    path::Path,
};

use anyhow::bail;

/// Returns the options for a file with the rights of its folder.
pub fn private_file() -> OpenOptions {
    OpenOptions::new()
}

/// Makes a folder with the rights of the one above it, if it is not there.
pub fn make_private(folder: &Path) -> io::Result<()> {
    fs::create_dir_all(folder)
}

/// Does nothing: a file's name says whether it can be run.
pub fn make_runnable(_: &Path) -> io::Result<()> {
    Ok(())
}

/// Does nothing: Windows can't open a folder like a file, and keeps a journal of names.
pub fn sync_folder(_: &Path) -> io::Result<()> {
    Ok(())
}

/// Returns whether a file is there under the path of the open file.
pub fn has_name(_: &File, path: &Path) -> io::Result<bool> {
    path.try_exists()
}

/// Fails: Windows has no call that opens a path and follows no link out of a folder.
pub fn open_beneath(_: &Path, _: &Path) -> anyhow::Result<File> {
    bail!("an agent on Windows sends no files");
}

/// Returns `None`: the standard library does not know the share.
pub fn disk_used(_: &Path) -> Option<f64> {
    None
}
