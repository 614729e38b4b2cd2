//! A file of the box that may be sent.

use std::{
    fs::File,
    path::{Component, Path},
};

use anyhow::{Context, bail, ensure};

use super::UploadSettings;
use crate::platform;

/// An open file, with the size that it had when it was opened.
pub struct AllowedFile {
    /// The file.
    pub file: File,
    /// The file's size in bytes. What is written to the file later is not sent.
    pub bytes: u64,
}

impl AllowedFile {
    /// Opens a file in one of the folders. Follows no link out of the folder.
    ///
    /// # Errors
    /// If the path is in none of the folders, is no file, can't be read or is too large.
    pub fn open(settings: &UploadSettings, path: &str) -> anyhow::Result<Self> {
        let plain = Path::new(path).components().all(|part| matches!(part, Component::RootDir | Component::Normal(_)));
        let inside =
            settings.folders.iter().find_map(|folder| Some((folder, Path::new(path).strip_prefix(folder).ok()?)));
        let Some((folder, rest)) = inside.filter(|_| plain) else {
            bail!("path: {path} is in none of upload.folders");
        };
        let file = platform::open_beneath(folder, rest).with_context(|| format!("path: {path} can't be read"))?;
        let found = file.metadata()?;
        ensure!(found.is_file(), "path: {path} is no file");
        let (bytes, largest) = (found.len(), settings.largest);
        ensure!(bytes <= largest, "path: {path} has {bytes} bytes, and this box sends at most {largest}");
        Ok(Self { file, bytes })
    }
}

#[cfg(test)]
mod tests {
    use std::{fs, os::unix::fs::symlink};

    use super::*;

    #[test]
    fn only_files_of_the_folders_are_opened() {
        let made = tempfile::tempdir().unwrap();
        let root = made.path().canonicalize().unwrap();
        let logs = root.join("logs");
        fs::create_dir_all(logs.join("old")).unwrap();
        for (file, text) in
            [("logs/app.log", "log"), ("logs/old/app.log", "older"), ("secret", "s"), ("logs/big", "0123456789")]
        {
            fs::write(root.join(file), text).unwrap();
        }
        symlink("old/app.log", logs.join("last")).unwrap();
        symlink("../secret", logs.join("out")).unwrap();
        symlink("/etc", logs.join("etc")).unwrap();
        let settings: UploadSettings =
            toml::from_str(&format!("folders = ['/nowhere', '{}']\nlargest = 5", logs.display())).unwrap();
        let open = |path: String| AllowedFile::open(&settings, &path).map(|source| source.bytes);
        let inside = |name: &str| open(format!("{}/{name}", logs.display()));
        for (name, bytes) in [("app.log", 3), ("old/app.log", 5), ("last", 5)] {
            assert_eq!(inside(name).unwrap(), bytes, "{name}");
        }
        for (name, says) in [
            ("../secret", "in none"),
            ("old/../app.log", "in none"),
            ("out", "leads out"),
            ("etc/hostname", "leads out"),
            ("old", "no file"),
            ("", "can't be read"),
            ("big", "at most 5"),
            ("missing", "can't be read"),
        ] {
            let error = format!("{:#}", inside(name).unwrap_err());
            assert!(error.contains(says), "{name}: {error}");
        }
        for path in
            [format!("{}/secret", root.display()), format!("{}-2/x", logs.display()), "app.log".into(), String::new()]
        {
            assert!(open(path.clone()).is_err(), "{path}");
        }
    }
}
