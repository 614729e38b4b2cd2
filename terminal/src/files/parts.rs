//! Removes the parts of files that never became whole: the old ones, and more if they take too much room. A part that a
//! command writes to is locked, so it stays.

use std::{
    fs::{self, File},
    io,
    path::{Path, PathBuf},
    time::{Duration, SystemTime},
};

/// What parts may take.
#[derive(Debug, Clone)]
pub struct PartsBound {
    /// The folder.
    pub folder: PathBuf,
    /// How long a part may lie there after its last byte.
    pub age: Duration,
    /// How many bytes all parts may have together.
    pub bytes: u64,
}

/// A part that lies in the folder.
struct PartFile {
    path: PathBuf,
    age: Duration,
    bytes: u64,
}

impl PartsBound {
    /// Removes what is over the bound, the oldest first. Logs what it can't remove.
    pub fn enforce(&self) {
        let mut parts = match parts_in(&self.folder) {
            Ok(parts) => parts,
            Err(error) => return tracing::warn!("{} can't be read: {error}", self.folder.display()),
        };
        parts.sort_by_key(|part| part.age);
        let mut bytes = 0;
        for part in parts {
            bytes += part.bytes;
            if part.age <= self.age && bytes <= self.bytes {
                continue;
            }
            match remove_unless_locked(&part.path) {
                Ok(true) => {
                    tracing::info!(part = %part.path.display(), "removed the part of a file that never became whole")
                }
                Ok(false) => {}
                Err(error) => tracing::warn!("{} can't be removed: {error}", part.path.display()),
            }
        }
    }
}

/// Returns the parts in a folder, which may be missing.
fn parts_in(folder: &Path) -> io::Result<Vec<PartFile>> {
    let entries = match fs::read_dir(folder) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        entries => entries?,
    };
    let now = SystemTime::now();
    let part = |path: PathBuf| {
        let name = path.file_name()?.to_str()?;
        let found = fs::symlink_metadata(&path).ok()?;
        if !found.is_file() || !name.starts_with('.') || !name.ends_with(".part") {
            return None;
        }
        // The clock of a box may have been set back: a part from the future counts as new.
        let age = now.duration_since(found.modified().ok()?).unwrap_or_default();
        Some(PartFile { age, bytes: found.len(), path })
    };
    Ok(entries.filter_map(|entry| part(entry.ok()?.path())).collect())
}

/// Removes a part that nobody has locked. Returns whether it did.
fn remove_unless_locked(path: &Path) -> io::Result<bool> {
    let file = File::open(path)?;
    if file.try_lock().is_err() {
        return Ok(false);
    }
    fs::remove_file(path)?;
    Ok(true)
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOUR: Duration = Duration::from_secs(3600);

    /// Makes a part of 100 bytes whose last byte came so many hours ago.
    fn part(folder: &Path, name: &str, hours: u32) -> File {
        let path = folder.join(name);
        fs::write(&path, [0; 100]).unwrap();
        let file = File::options().append(true).open(path).unwrap();
        file.set_modified(SystemTime::now() - HOUR * hours).unwrap();
        file
    }

    fn names(folder: &Path) -> Vec<String> {
        let mut names: Vec<_> =
            fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    }

    #[test]
    fn parts_that_are_old_or_too_many_are_removed_and_nothing_else() {
        let folder = tempfile::tempdir().unwrap();
        let folder = folder.path();
        for (name, hours) in [(".a.1.part", 1), (".b.1.part", 2), (".c.1.part", 3), (".d.1.part", 30)] {
            part(folder, name, hours);
        }
        let locked = part(folder, ".e.1.part", 40);
        locked.try_lock().unwrap();
        part(folder, "whole.part", 40);
        part(folder, ".show.minisig", 40);
        let bound = PartsBound { folder: folder.to_owned(), age: HOUR * 24, bytes: 1000 };
        bound.enforce();
        assert_eq!(names(folder), [".a.1.part", ".b.1.part", ".c.1.part", ".e.1.part", ".show.minisig", "whole.part"]);
        PartsBound { bytes: 200, ..bound.clone() }.enforce();
        assert_eq!(names(folder), [".a.1.part", ".b.1.part", ".e.1.part", ".show.minisig", "whole.part"]);
        drop(locked);
        bound.enforce();
        assert_eq!(names(folder), [".a.1.part", ".b.1.part", ".show.minisig", "whole.part"]);
    }
}
