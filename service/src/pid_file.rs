//! The file with the id of this process, for `--pid-file`.

use std::{
    fs,
    path::{Path, PathBuf},
    process,
};

use anyhow::Context;

/// A file with the id of this process, which is removed when this is dropped. After `kill -9` it stays, and the next process replaces it.
#[derive(Debug)]
pub struct PidFile(PathBuf);

impl PidFile {
    /// Writes the file, in one step. The error names the flag and the file.
    pub fn write(path: &Path) -> anyhow::Result<Self> {
        let mut next = path.as_os_str().to_owned();
        next.push(".next");
        let written = fs::write(&next, text()).and_then(|()| fs::rename(&next, path));
        written.with_context(|| format!("--pid-file: can't write {}", path.display()))?;
        Ok(Self(path.to_owned()))
    }
}

impl Drop for PidFile {
    fn drop(&mut self) {
        // Another process may have written its own.
        if fs::read_to_string(&self.0).is_ok_and(|written| written == text()) {
            let _ = fs::remove_file(&self.0);
        }
    }
}

fn text() -> String {
    format!("{}\n", process::id())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_file_is_there_for_as_long_as_the_process_and_replaces_one_that_was_left() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("muster.pid");
        fs::write(&path, "1\n").unwrap();
        let file = PidFile::write(&path).unwrap();
        assert_eq!(fs::read_to_string(&path).unwrap(), text());
        drop(file);
        assert_eq!(fs::read_dir(&folder).unwrap().count(), 0);
    }

    #[test]
    fn the_file_of_another_process_is_left_alone() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("muster.pid");
        let file = PidFile::write(&path).unwrap();
        fs::write(&path, "1\n").unwrap();
        drop(file);
        assert_eq!(fs::read_to_string(&path).unwrap(), "1\n");
    }

    #[test]
    fn a_folder_that_is_missing_is_told_with_the_flag() {
        let error = format!("{:#}", PidFile::write(Path::new("/nonexistent/muster.pid")).unwrap_err());
        assert!(error.starts_with("--pid-file: can't write /nonexistent/muster.pid: No such file"), "{error}");
    }
}
