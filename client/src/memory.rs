//! What a terminal remembers across its sessions: the last commands, so that one which comes twice is run once, and the cursor. With
//! a file it remembers across restarts too. A command is written down before it is handed out: a program that dies while it runs
//! one does not run it again, and the operator sees that no result came.
//!
//! The file has one line for each change, `command ID` or `cursor CURSOR`, and is written anew when it has grown to several times
//! what it says. A line that was torn by a crash is the last, and is not believed.

use std::{
    collections::{HashSet, VecDeque},
    fs::{self, File, OpenOptions},
    io::{self, Write},
    path::{Path, PathBuf},
};

use muster_protocol::CommandId;
use tracing::warn;

/// The file is written anew at so many times the lines that it needs.
const SLACK: usize = 4;

/// The last command ids and the cursor.
#[derive(Debug)]
pub(crate) struct Memory {
    seen: HashSet<CommandId>,
    /// Newest at the back.
    order: VecDeque<CommandId>,
    limit: usize,
    cursor: Option<String>,
    journal: Option<Journal>,
}

#[derive(Debug)]
struct Journal {
    path: PathBuf,
    file: File,
    lines: usize,
}

impl Memory {
    /// Remembers the last `limit` commands, from `cursor` on, or as the file says, if it says something.
    pub(crate) fn open(limit: usize, cursor: Option<String>, path: Option<&Path>) -> io::Result<Self> {
        let mut memory =
            Self { seen: HashSet::new(), order: VecDeque::new(), limit: limit.max(1), cursor, journal: None };
        if let Some(path) = path {
            memory.read(path)?;
            memory.journal = Some(memory.write_anew(path)?);
        }
        Ok(memory)
    }

    /// Whether this command was handed out before.
    pub(crate) fn knows(&self, id: CommandId) -> bool {
        self.seen.contains(&id)
    }

    /// Whether this command is new; from now on it is not.
    pub(crate) fn insert(&mut self, id: CommandId) -> bool {
        let is_new = self.remember(id);
        if is_new {
            self.note(&format!("command {id}\n"));
        }
        is_new
    }

    /// Where the terminal stands.
    pub(crate) fn cursor(&self) -> Option<&str> {
        self.cursor.as_deref()
    }

    /// The terminal stands elsewhere now.
    pub(crate) fn stand_at(&mut self, cursor: String) {
        if self.cursor.as_deref() != Some(&cursor) {
            self.note(&format!("cursor {cursor}\n"));
            self.cursor = Some(cursor);
        }
    }

    fn remember(&mut self, id: CommandId) -> bool {
        if !self.seen.insert(id) {
            return false;
        }
        self.order.push_back(id);
        if self.order.len() > self.limit
            && let Some(oldest) = self.order.pop_front()
        {
            self.seen.remove(&oldest);
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

    /// Written aside and renamed, so that there is always a whole file.
    fn write_anew(&self, path: &Path) -> io::Result<Journal> {
        let aside = path.with_extension("next");
        let mut text: String = self.order.iter().map(|id| format!("command {id}\n")).collect();
        text.extend(self.cursor.iter().map(|cursor| format!("cursor {cursor}\n")));
        fs::write(&aside, text)?;
        fs::rename(&aside, path)?;
        let file = OpenOptions::new().append(true).open(path)?;
        Ok(Journal { path: path.to_owned(), file, lines: self.order.len() + 1 })
    }

    /// A disk that is full must not keep a terminal off the line; it forgets at the next restart, and says so now.
    fn note(&mut self, line: &str) {
        let Some(journal) = &mut self.journal else { return };
        journal.lines += 1;
        let written = if journal.lines > SLACK * (self.limit + 1) {
            let path = journal.path.clone();
            self.write_anew(&path).map(|journal| self.journal = Some(journal))
        } else {
            journal.file.write_all(line.as_bytes())
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

    fn in_memory(limit: usize) -> Memory {
        Memory::open(limit, None, None).unwrap()
    }

    #[test]
    fn a_command_is_new_once() {
        let mut memory = in_memory(10);
        assert!(memory.insert(id(1)) && memory.insert(id(2)));
        assert!(!memory.insert(id(1)) && !memory.insert(id(2)));
    }

    #[test]
    fn it_is_bounded_and_the_oldest_is_forgotten_first() {
        let mut memory = in_memory(256);
        assert!((0..=256).all(|n| memory.insert(id(n))));
        assert_eq!((memory.order.len(), memory.seen.len()), (256, 256));
        assert!(!memory.insert(id(1)), "the second oldest is still known");
        assert!(memory.insert(id(0)), "the oldest is not");
    }

    #[test]
    fn a_file_carries_it_over_a_restart_even_a_torn_one() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("memory");
        let open = || Memory::open(3, None, Some(&path)).unwrap();
        let mut memory = open();
        (0..100).for_each(|n| _ = memory.insert(id(n)));
        memory.stand_at("c7".into());
        drop(memory);
        OpenOptions::new().append(true).open(&path).unwrap().write_all(b"cursor torn").unwrap();
        let mut memory = open();
        assert_eq!(memory.cursor(), Some("c7"));
        assert!(!memory.insert(id(99)) && !memory.insert(id(97)) && memory.insert(id(96)));
        assert!(fs::read_to_string(&path).unwrap().lines().count() <= SLACK * 4);
    }

    #[test]
    fn a_folder_that_is_not_there_is_an_error_at_the_start() {
        assert!(Memory::open(3, None, Some(Path::new("/nonexistent/memory"))).is_err());
    }
}
