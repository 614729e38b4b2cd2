//! A file that has another name until it is whole, so that no part of an export is taken for a backup, also if the export was killed.

use std::{
    ffi::OsString,
    fs::{self, File, OpenOptions},
    io,
    os::unix::fs::OpenOptionsExt,
    path::{Path, PathBuf},
};

use anyhow::{Context, bail};

/// A file that is being written under the name `FILE.part`. Dropped before it is finished, it is removed.
pub struct PartialFile {
    file: File,
    path: PathBuf,
    part: PathBuf,
}

impl PartialFile {
    /// Makes a file that only its owner can read, since it has payloads.
    ///
    /// # Errors
    /// If `path` or `path.part` exists, or the file can't be made.
    pub fn create(path: &Path) -> anyhow::Result<Self> {
        if path.symlink_metadata().is_ok() {
            bail!("--out {}: the file exists, and an export writes over none", path.display());
        }
        let mut part = OsString::from(path);
        part.push(".part");
        let part = PathBuf::from(part);
        let made = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&part);
        let file = made.with_context(|| match part.exists() {
            true => format!("--out {}: another export writes this file, or was killed; then remove it", part.display()),
            false => format!("--out {}", part.display()),
        })?;
        Ok(Self { file, path: path.to_owned(), part })
    }

    /// What writes to the file.
    ///
    /// # Errors
    /// If the process has too many files open.
    pub fn writer(&self) -> io::Result<File> {
        self.file.try_clone()
    }

    /// Waits until the disk has the file, and gives it its name.
    ///
    /// # Errors
    /// If that fails, or if a file with this name was made meanwhile.
    pub fn finish(self) -> anyhow::Result<()> {
        self.file.sync_all().context("the export can't be written")?;
        // A rename would write over a file. Not every file system has links.
        let named = match fs::hard_link(&self.part, &self.path) {
            Err(error) if error.kind() != io::ErrorKind::AlreadyExists && !self.path.exists() => {
                fs::rename(&self.part, &self.path)
            }
            linked => linked,
        };
        named.with_context(|| format!("--out {}: the file can't be given its name", self.path.display()))?;
        if let Some(folder) = self.path.parent().and_then(|folder| File::open(folder).ok()) {
            let _ = folder.sync_all();
        }
        Ok(())
    }
}

impl Drop for PartialFile {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.part);
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    #[test]
    fn a_file_has_its_name_once_it_is_whole() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("backup");
        let names =
            || -> Vec<_> { fs::read_dir(folder.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect() };
        let file = PartialFile::create(&path).unwrap();
        file.writer().unwrap().write_all(b"half").unwrap();
        assert_eq!(names(), ["backup.part"]);
        let error = PartialFile::create(&path).map(drop).unwrap_err();
        assert!(format!("{error:#}").contains("backup.part: another export writes this file"), "{error:#}");
        drop(file);
        assert!(names().is_empty(), "it was given up");
        PartialFile::create(&path).unwrap().finish().unwrap();
        assert_eq!(names(), ["backup"]);
    }

    #[test]
    fn no_file_is_written_over() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("backup");
        let file = PartialFile::create(&path).unwrap();
        fs::write(&path, "older").unwrap();
        assert!(file.finish().is_err());
        let error = PartialFile::create(&path).map(drop).unwrap_err();
        assert!(error.to_string().contains("the file exists"), "{error}");
        assert_eq!(fs::read_to_string(&path).unwrap(), "older");
    }
}
