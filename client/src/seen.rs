//! What a terminal remembers across its sessions: its last commands, so that a command which arrives twice runs once,
//! and its cursor. With a file it remembers them across restarts too. A command is written to the file before it is
//! handed to the listener, so a program that dies while it runs a command does not run it again; the operator sees that
//! no result came.
//!
//! The file has one line for each change, `command ID` or `cursor CURSOR`. It is rewritten when it has several times
//! the lines that it needs. A crash can tear the last line only, and a line without its end is ignored.

use std::{
    collections::{HashSet, VecDeque},
    fs::{self, File, OpenOptions},
    io::{self, Write},
    path::{Path, PathBuf},
};

use muster_protocol::CommandId;
use tracing::warn;

/// The file is rewritten when it has this many times the lines that it needs.
const SLACK: usize = 4;

/// The last command ids and the cursor.
#[derive(Debug)]
pub(crate) struct SeenCommands {
    ids: HashSet<CommandId>,
    /// The same ids, newest at the back.
    order: VecDeque<CommandId>,
    limit: usize,
    cursor: Option<String>,
    file: Option<SeenFile>,
}

/// The open file, and how many lines it has.
#[derive(Debug)]
struct SeenFile {
    path: PathBuf,
    file: File,
    lines: usize,
}

impl SeenCommands {
    /// Remembers the last `limit` commands, at least one. Starts at `cursor`, or at what the file holds if it holds
    /// one.
    pub(crate) fn open(limit: usize, cursor: Option<String>, path: Option<&Path>) -> io::Result<Self> {
        let mut seen = Self { ids: HashSet::new(), order: VecDeque::new(), limit: limit.max(1), cursor, file: None };
        if let Some(path) = path {
            seen.read(path)?;
            seen.file = Some(seen.rewrite(path)?);
        }
        Ok(seen)
    }

    /// Whether this command was handed over before, as far as is remembered.
    pub(crate) fn contains(&self, id: CommandId) -> bool {
        self.ids.contains(&id)
    }

    /// Remembers a command. Returns whether it is new.
    pub(crate) fn insert(&mut self, id: CommandId) -> bool {
        let is_new = self.remember(id);
        if is_new {
            self.append(&format!("command {id}\n"));
        }
        is_new
    }

    /// The cursor to resume from.
    pub(crate) fn cursor(&self) -> Option<&str> {
        self.cursor.as_deref()
    }

    /// Replaces the cursor.
    pub(crate) fn set_cursor(&mut self, cursor: String) {
        if self.cursor.as_deref() != Some(&cursor) {
            self.append(&format!("cursor {cursor}\n"));
            self.cursor = Some(cursor);
        }
    }

    fn remember(&mut self, id: CommandId) -> bool {
        if !self.ids.insert(id) {
            return false;
        }
        self.order.push_back(id);
        if self.order.len() > self.limit
            && let Some(oldest) = self.order.pop_front()
        {
            self.ids.remove(&oldest);
        }
        true
    }

    fn read(&mut self, path: &Path) -> io::Result<()> {
        let text = match fs::read_to_string(path) {
            Ok(text) => text,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
            Err(error) => return Err(error),
        };
        for line in text.split_inclusive('\n').filter_map(|line| line.strip_suffix('\n')) {
            match line.split_once(' ') {
                Some(("command", id)) => _ = id.parse().map(|id| self.remember(id)),
                Some(("cursor", cursor)) => self.cursor = Some(cursor.to_owned()),
                _ => {}
            }
        }
        Ok(())
    }

    /// Writes another file and renames it to `path`, so that `path` is a complete file at any time.
    fn rewrite(&self, path: &Path) -> io::Result<SeenFile> {
        let next = path.with_extension("next");
        let mut text: String = self.order.iter().map(|id| format!("command {id}\n")).collect();
        text.extend(self.cursor.iter().map(|cursor| format!("cursor {cursor}\n")));
        fs::write(&next, text)?;
        fs::rename(&next, path)?;
        let file = OpenOptions::new().append(true).open(path)?;
        Ok(SeenFile { path: path.to_owned(), file, lines: self.order.len() + 1 })
    }

    /// Appends a line to the file, if there is one. A failure, such as a full disk, is logged and does not take the
    /// terminal offline: what was not written is forgotten at the next restart.
    fn append(&mut self, line: &str) {
        let Some(file) = &mut self.file else { return };
        file.lines += 1;
        let written = if file.lines > SLACK * (self.limit + 1) {
            let path = file.path.clone();
            self.rewrite(&path).map(|file| self.file = Some(file))
        } else {
            file.file.write_all(line.as_bytes())
        };
        if let Err(error) = written {
            warn!(%error, "the memory file was not written");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id(n: usize) -> CommandId {
        format!("00000000-0000-7000-8000-{n:012x}").parse().unwrap()
    }

    fn in_memory(limit: usize) -> SeenCommands {
        SeenCommands::open(limit, None, None).unwrap()
    }

    #[test]
    fn a_command_is_new_once() {
        let mut seen = in_memory(10);
        assert!(seen.insert(id(1)) && seen.insert(id(2)));
        assert!(!seen.insert(id(1)) && !seen.insert(id(2)));
    }

    #[test]
    fn the_oldest_command_is_forgotten_beyond_the_limit() {
        let mut seen = in_memory(256);
        assert!((0..=256).all(|n| seen.insert(id(n))));
        assert_eq!((seen.order.len(), seen.ids.len()), (256, 256));
        assert!(!seen.insert(id(1)), "the second oldest is still known");
        assert!(seen.insert(id(0)), "the oldest is not");
    }

    #[test]
    fn a_file_with_a_torn_last_line_is_read_after_a_restart() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("memory");
        let open = || SeenCommands::open(3, None, Some(&path)).unwrap();
        let mut seen = open();
        (0..100).for_each(|n| _ = seen.insert(id(n)));
        seen.set_cursor("c7".into());
        drop(seen);
        OpenOptions::new().append(true).open(&path).unwrap().write_all(b"cursor torn").unwrap();
        let mut seen = open();
        assert_eq!(seen.cursor(), Some("c7"));
        assert!(!seen.insert(id(99)) && !seen.insert(id(97)) && seen.insert(id(96)));
        assert!(fs::read_to_string(&path).unwrap().lines().count() <= SLACK * 4);
    }

    #[test]
    fn a_missing_folder_is_an_error() {
        assert!(SeenCommands::open(3, None, Some(Path::new("/nonexistent/memory"))).is_err());
    }
}
