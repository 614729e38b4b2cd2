//! What a terminal remembers across its sessions: its last commands, so that a command which arrives twice runs once,
//! and its cursor. With a file it remembers both across restarts too, and its last results. A command is on the disk
//! before the listener gets it. So a program that dies while it runs a command, or a machine that loses its power, does
//! not run the command again; the operator sees that no result came. A result is on the disk before it is sent, and is
//! sent again after a restart.
//!
//! The file has one line for each change: `command ID`, `cursor CURSOR` or `result ID FRAME`. The terminal rewrites the
//! file when it has several times the lines or the bytes that it needs. A crash can tear the last line only, and a line
//! without its end is ignored.

use std::{
    collections::{HashSet, VecDeque},
    fs::{self, File, OpenOptions},
    io::{self, Write},
    path::{Path, PathBuf},
};

use muster_protocol::CommandId;
use tracing::warn;

use crate::platform;

/// The file is rewritten when it has this many times the lines, or the bytes, that it needs.
const SLACK: usize = 4;
/// A file below this size is not rewritten because of its bytes.
const SMALL: usize = 1 << 20;
/// How many results are in the file at most; the oldest go first.
const RESULTS_MAX: usize = 256;
/// How many bytes the results in the file have together at most.
const RESULTS_BYTES: usize = 1 << 20;

/// The last command ids and the cursor.
#[derive(Debug)]
pub(crate) struct SeenCommands {
    ids: HashSet<CommandId>,
    /// The same ids, newest at the back.
    order: VecDeque<CommandId>,
    limit: usize,
    cursor: Option<String>,
    /// The last results as they were sent, newest at the back. None without a file.
    results: VecDeque<(CommandId, String)>,
    file: Option<SeenFile>,
}

/// The open file and its size.
#[derive(Debug)]
struct SeenFile {
    path: PathBuf,
    file: File,
    lines: usize,
    bytes: usize,
    /// The bytes that the file had when it was rewritten.
    needed: usize,
    /// Whether a line was not written, or only half of it. The next line would be glued to that half, and both would be
    /// lost.
    is_torn: bool,
}

impl SeenCommands {
    /// Remembers the last `limit` commands, at least one. Starts at the cursor in the file or, if that holds none, at
    /// `cursor`.
    pub(crate) fn open(limit: usize, cursor: Option<String>, path: Option<&Path>) -> io::Result<Self> {
        let (ids, order, results) = (HashSet::new(), VecDeque::new(), VecDeque::new());
        let mut seen = Self { ids, order, limit: limit.max(1), cursor, results, file: None };
        if let Some(path) = path {
            match fs::read_to_string(path) {
                Ok(text) => seen.read(&text),
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                Err(error) => return Err(error),
            }
            seen.file = Some(seen.rewrite(path)?);
        }
        Ok(seen)
    }

    /// Returns whether this command was handed over before, as far as is remembered.
    pub(crate) fn contains(&self, id: CommandId) -> bool {
        self.ids.contains(&id)
    }

    /// Remembers a command. Returns whether it is new.
    pub(crate) fn insert(&mut self, id: CommandId) -> bool {
        let is_new = self.remember(id);
        if is_new {
            self.append(&format!("command {id}\n"), true);
        }
        is_new
    }

    /// Remembers the result of a command, if there is a file.
    pub(crate) fn set_result(&mut self, id: CommandId, frame: &str) {
        if self.file.is_none() || self.results.iter().any(|(known, text)| *known == id && text == frame) {
            return;
        }
        // Only between the tokens of a payload can a line break stand, where it means as much as a space.
        let frame = frame.replace(['\n', '\r'], " ");
        self.append(&format!("result {id} {frame}\n"), true);
        self.remember_result(id, frame);
    }

    /// Returns the results that are remembered, the oldest first.
    pub(crate) fn results(&self) -> impl Iterator<Item = &(CommandId, String)> {
        self.results.iter()
    }

    /// Returns the cursor to resume from.
    pub(crate) fn cursor(&self) -> Option<&str> {
        self.cursor.as_deref()
    }

    /// Replaces the cursor. A cursor with a line break is ignored, since it would add other lines to the file; no node
    /// makes such a cursor.
    pub(crate) fn set_cursor(&mut self, cursor: String) {
        if self.cursor.as_deref() != Some(&cursor) && !cursor.contains('\n') {
            // Not synced: without this cursor, some commands arrive twice after a power cut, and that is all.
            let line = format!("cursor {cursor}\n");
            self.cursor = Some(cursor);
            self.append(&line, false);
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

    fn remember_result(&mut self, id: CommandId, frame: String) {
        self.results.retain(|(known, _)| *known != id);
        self.results.push_back((id, frame));
        let mut bytes: usize = self.results.iter().map(|(_, frame)| frame.len()).sum();
        while self.results.len() > RESULTS_MAX || bytes > RESULTS_BYTES {
            let Some((_, oldest)) = self.results.pop_front() else { break };
            bytes -= oldest.len();
        }
    }

    /// Remembers what the text of a file says. A line that can't be read is ignored.
    pub(crate) fn read(&mut self, text: &str) {
        for line in text.split_inclusive('\n').filter_map(|line| line.strip_suffix('\n')) {
            match line.split_once(' ') {
                Some(("command", id)) => _ = id.parse().map(|id| self.remember(id)),
                Some(("cursor", cursor)) => self.cursor = Some(cursor.to_owned()),
                Some(("result", rest)) => {
                    if let Some((id, frame)) = rest.split_once(' ')
                        && let Ok(id) = id.parse()
                    {
                        self.remember_result(id, frame.to_owned());
                    }
                }
                _ => {}
            }
        }
    }

    /// Returns the text of a file with all that is remembered.
    pub(crate) fn text(&self) -> String {
        let mut text: String = self.order.iter().map(|id| format!("command {id}\n")).collect();
        text.extend(self.cursor.iter().map(|cursor| format!("cursor {cursor}\n")));
        text.extend(self.results.iter().map(|(id, frame)| format!("result {id} {frame}\n")));
        text
    }

    /// Writes another file and renames it to `path`, so that `path` is a complete file at any time.
    fn rewrite(&self, path: &Path) -> io::Result<SeenFile> {
        let next = path.with_extension("next");
        let text = self.text();
        let mut file = File::create(&next)?;
        file.write_all(text.as_bytes())?;
        // In this order: the name must not stand for a file whose bytes are not on the disk.
        file.sync_all()?;
        fs::rename(&next, path)?;
        if let Some(folder) = path.parent() {
            let folder = if folder.as_os_str().is_empty() { Path::new(".") } else { folder };
            platform::sync_folder(folder)?;
        }
        let file = OpenOptions::new().append(true).open(path)?;
        let (lines, bytes) = (self.order.len() + self.results.len() + 1, text.len());
        Ok(SeenFile { path: path.to_owned(), file, lines, bytes, needed: bytes, is_torn: false })
    }

    /// Appends a line to the file, if there is one. What the line says is remembered already. With `sync` the line is
    /// on the disk when this returns. A failure, such as a full disk, is logged and does not take the terminal offline:
    /// the next line has the whole file rewritten.
    fn append(&mut self, line: &str, sync: bool) {
        let Some(file) = &mut self.file else { return };
        file.lines += 1;
        file.bytes += line.len();
        let is_long = file.lines > SLACK * (self.limit + self.results.len() + 1);
        let is_large = file.bytes > SLACK * file.needed.max(SMALL);
        let written = if file.is_torn || is_long || is_large {
            let path = file.path.clone();
            self.rewrite(&path).map(|file| self.file = Some(file))
        } else {
            let written = file.file.write_all(line.as_bytes());
            written.and_then(|()| if sync { file.file.sync_data() } else { Ok(()) })
        };
        if let Err(error) = written {
            warn!(%error, "the memory file was not written");
            self.file.iter_mut().for_each(|file| file.is_torn = true);
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
    fn what_a_full_disk_did_not_take_is_written_with_what_follows() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("memory");
        let mut seen = SeenCommands::open(9, None, Some(&path)).unwrap();
        seen.insert(id(1));
        OpenOptions::new().append(true).open(&path).unwrap().write_all(b"command torn").unwrap();
        seen.file.as_mut().unwrap().file = OpenOptions::new().append(true).open("/dev/full").unwrap();
        seen.insert(id(2));
        seen.set_cursor("c3".into());
        let mut again = SeenCommands::open(9, None, Some(&path)).unwrap();
        assert!(!again.insert(id(1)) && !again.insert(id(2)));
        assert_eq!(again.cursor(), Some("c3"));
    }

    #[test]
    fn the_last_results_are_read_after_a_restart() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("memory");
        let open = || SeenCommands::open(3, None, Some(&path)).unwrap();
        let mut seen = open();
        for n in 0..600 {
            seen.set_result(id(n % 300), &format!("{{\"type\":\"result\",\n\"n\":{n}}}"));
        }
        drop(seen);
        let seen = open();
        let (first, last) = (seen.results().next().unwrap(), seen.results().last().unwrap());
        assert_eq!((seen.results().count(), first.0, last.0), (RESULTS_MAX, id(44), id(299)));
        assert_eq!(last.1, r#"{"type":"result", "n":599}"#);
        let mut seen = open();
        let large = "x".repeat(RESULTS_BYTES / 4);
        (0..40).for_each(|n| seen.set_result(id(n), &large));
        assert_eq!(seen.results().count(), 4);
        assert!(fs::metadata(&path).unwrap().len() <= ((SLACK + 1) * SMALL + RESULTS_BYTES) as u64);
        let mut forgets = in_memory(3);
        forgets.set_result(id(1), "{}");
        assert_eq!(forgets.results().count(), 0);
    }

    #[test]
    fn a_missing_folder_is_an_error() {
        assert!(SeenCommands::open(3, None, Some(Path::new("/nonexistent/memory"))).is_err());
    }
}
