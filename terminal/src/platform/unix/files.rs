//! Files on Unix.

use std::{
    fs::{self, DirBuilder, File, OpenOptions, Permissions},
    io,
    os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt, PermissionsExt},
    path::Path,
};

use anyhow::bail;
use rustix::{
    fs::{CWD, Mode, OFlags, ResolveFlags, openat, openat2, statvfs},
    io::Errno,
};

/// Returns the options for a file that other users can't read.
pub fn private_file() -> OpenOptions {
    let mut options = OpenOptions::new();
    options.mode(0o600);
    options
}

/// Makes a folder that other users can't read, if it is not there.
pub fn make_private(folder: &Path) -> io::Result<()> {
    if fs::metadata(folder).is_ok_and(|found| found.is_dir()) {
        return Ok(());
    }
    DirBuilder::new().recursive(true).mode(0o700).create(folder)
}

/// Lets the owner of a file run it.
pub fn make_runnable(file: &Path) -> io::Result<()> {
    fs::set_permissions(file, Permissions::from_mode(0o700))
}

/// Writes the names of a folder's files to the disk.
pub fn sync_folder(folder: &Path) -> io::Result<()> {
    File::open(folder)?.sync_all()
}

/// Returns whether an open file still has a name: it was not removed since.
pub fn has_name(file: &File, _: &Path) -> io::Result<bool> {
    Ok(file.metadata()?.nlink() > 0)
}

/// Opens a file that lies below a folder. The kernel follows no link out of the folder. So nobody can change the path
/// between a look at it and the opening.
pub fn open_beneath(folder: &Path, rest: &Path) -> anyhow::Result<File> {
    let folder = openat(CWD, folder, OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty())?;
    // To open a pipe must not wait for its other end.
    let flags = OFlags::RDONLY | OFlags::CLOEXEC | OFlags::NONBLOCK | OFlags::NOCTTY;
    let resolve = ResolveFlags::BENEATH | ResolveFlags::NO_MAGICLINKS;
    match openat2(folder, rest, flags, Mode::empty(), resolve) {
        Ok(file) => Ok(file.into()),
        Err(Errno::XDEV) => bail!("a link in it leads out of the folder"),
        Err(Errno::NOSYS) => bail!("this needs Linux 5.6 or later"),
        Err(error) => Err(error.into()),
    }
}

/// Returns the share of a folder's disk that is used, as `df` shows it.
pub fn disk_used(folder: &Path) -> Option<f64> {
    let disk = statvfs(folder).ok()?;
    let used = disk.f_blocks.saturating_sub(disk.f_bfree);
    // The room that is kept for the system's administrator counts as used.
    let usable = used + disk.f_bavail;
    (usable > 0).then(|| used as f64 / usable as f64)
}
