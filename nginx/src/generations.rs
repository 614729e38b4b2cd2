//! The generations of the configuration on the disk: `gen/N/` with the files of generation N, and the symbolic link
//! `current` to the one that Nginx is to run. Nginx can start with `current` at any time, also after the sidecar was
//! killed in the middle of a change.

use std::{
    fs, io,
    os::unix::fs::symlink,
    path::{Path, PathBuf},
};

use anyhow::Context;

use crate::{membership::Members, nodes_conf::parse_nodes, own_files::OwnFiles, template::GenerationFiles};

/// The number of newest generations that are retained, so that an operator can look at them.
const KEPT: usize = 5;

/// The generations in one folder.
#[derive(Debug, Clone)]
pub struct Generations {
    dir: PathBuf,
}

impl Generations {
    /// Uses `dir`, and makes its folder `gen`. An error if the folder can't be made.
    pub fn new(dir: &Path) -> anyhow::Result<Self> {
        fs::create_dir_all(dir.join("gen")).with_context(|| format!("--dir: can't write to {}", dir.display()))?;
        Ok(Self { dir: dir.to_owned() })
    }

    /// Returns the folder of a generation.
    pub fn path(&self, generation: u64) -> PathBuf {
        self.dir.join("gen").join(generation.to_string())
    }

    /// Returns the file that Nginx is started with.
    pub fn current_file(&self) -> PathBuf {
        self.dir.join("current/nginx.conf")
    }

    /// Returns the generation that Nginx is to run. `None` before the first one.
    pub fn current(&self) -> Option<u64> {
        fs::read_link(self.dir.join("current")).ok()?.file_name()?.to_str()?.parse().ok()
    }

    /// Returns all generations on the disk, newest first.
    pub fn all(&self) -> Vec<u64> {
        let entries = fs::read_dir(self.dir.join("gen")).into_iter().flatten().flatten();
        let mut all: Vec<u64> = entries.filter_map(|entry| entry.file_name().to_str()?.parse().ok()).collect();
        all.sort_unstable_by(|one, other| other.cmp(one));
        all
    }

    /// Returns the number of the next generation, which no worker ever ran.
    pub fn next(&self) -> u64 {
        self.all().first().map_or(1, |newest| newest + 1)
    }

    /// Returns the nodes of a generation.
    pub fn members(&self, generation: u64) -> Members {
        fs::read_to_string(self.path(generation).join("nodes.conf")).map(|text| parse_nodes(&text)).unwrap_or_default()
    }

    /// Returns whether a generation has these files with these contents.
    pub fn is(&self, generation: u64, files: &GenerationFiles) -> bool {
        let same = |(name, text): (&&str, &String)| {
            fs::read_to_string(self.path(generation).join(name)).is_ok_and(|written| written == *text)
        };
        files.iter().all(same)
    }

    /// Returns the copy of the operator's own files in a generation. `None` if the generation has no copy that can be
    /// read.
    pub fn own_files(&self, generation: u64) -> Option<OwnFiles> {
        OwnFiles::copied(&self.path(generation)).ok()
    }

    /// Writes a generation with its copy of the operator's own files, and syncs all of it to the disk.
    pub fn write(&self, generation: u64, files: &GenerationFiles, own: &OwnFiles) -> anyhow::Result<()> {
        let path = self.path(generation);
        let write = || {
            fs::create_dir_all(&path)?;
            for (name, text) in files {
                fs::write(path.join(name), text)?;
                sync(&path.join(name))?;
            }
            own.write(&path)?;
            sync(&path)?;
            sync(&self.dir.join("gen"))
        };
        write().with_context(|| format!("--dir: can't write {}", path.display()))
    }

    /// Replaces one file of a generation in one step, for a change that needs no reload.
    pub fn amend(&self, generation: u64, name: &str, text: &str) -> anyhow::Result<()> {
        let path = self.path(generation);
        let next = path.join("amended");
        let amend = || {
            fs::write(&next, text)?;
            sync(&next)?;
            fs::rename(&next, path.join(name))?;
            sync(&path)
        };
        amend().with_context(|| format!("--dir: can't write {}", path.join(name).display()))
    }

    /// Makes a generation the current one, in one step.
    pub fn switch(&self, generation: u64) -> anyhow::Result<()> {
        let next = self.dir.join("current.next");
        let switch = || {
            // A sidecar that was killed between the two steps left it.
            let _ = fs::remove_file(&next);
            symlink(Path::new("gen").join(generation.to_string()), &next)?;
            fs::rename(&next, self.dir.join("current"))?;
            sync(&self.dir)
        };
        switch().with_context(|| format!("--dir: can't switch {} to generation {generation}", self.dir.display()))
    }

    /// Removes a generation that no worker ever ran. The current generation stays, whatever happened: without it Nginx
    /// could not start.
    pub fn remove(&self, generation: u64) {
        if self.current() != Some(generation) {
            let _ = fs::remove_dir_all(self.path(generation));
        }
    }

    /// Removes all generations but the five newest and the current one.
    pub fn prune(&self) {
        let current = self.current();
        for old in self.all().into_iter().skip(KEPT).filter(|generation| Some(*generation) != current) {
            self.remove(old);
        }
    }
}

fn sync(path: &Path) -> io::Result<()> {
    fs::File::open(path)?.sync_all()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::template::nodes;

    #[test]
    fn generations_are_written_switched_to_amended_and_removed() {
        let dir = tempfile::tempdir().unwrap();
        let generations = Generations::new(dir.path()).unwrap();
        assert_eq!((generations.current(), generations.next()), (None, 1));
        for port in 1..=9 {
            let members: Members = [([127, 0, 0, 1], port).into()].into();
            let files = GenerationFiles::from([("nodes.conf", nodes(&members, None, false).unwrap())]);
            let generation = generations.next();
            generations.write(generation, &files, &OwnFiles::default()).unwrap();
            assert!(generations.is(generation, &files));
            generations.switch(generation).unwrap();
            assert_eq!(generations.members(generations.current().unwrap()), members);
        }
        let members: Members = [([127, 0, 0, 1], 10).into()].into();
        generations.amend(9, "nodes.conf", &nodes(&members, None, false).unwrap()).unwrap();
        assert_eq!(generations.members(9), members);
        generations.switch(2).unwrap();
        generations.prune();
        assert_eq!(generations.all(), [9, 8, 7, 6, 5, 2], "five, and the current one");
        assert_eq!(generations.next(), 10);
        generations.remove(2);
        generations.remove(9);
        assert_eq!(generations.all(), [8, 7, 6, 5, 2], "the current one is never removed");
    }
}
