//! Marks on the time line of a run, written by scripts: `echo kill node2 >FILE` during the run. FILE is a file or a
//! FIFO. Lines that a file contained before the run are ignored.

use std::{
    fs::OpenOptions,
    io::{BufRead, BufReader, Seek, SeekFrom},
    path::Path,
    sync::{Arc, Mutex, PoisonError},
    thread,
    time::Duration,
};

use anyhow::Context;

use crate::clock::{Clock, Nanos};

/// The marks so far: time and text.
pub type Marks = Arc<Mutex<Vec<(Nanos, String)>>>;

/// How often a file is checked for new lines. A FIFO needs no check: a read waits for the next line.
const LOOK: Duration = Duration::from_millis(20);

/// Sets a mark now.
pub fn set(marks: &Marks, clock: Clock, text: String) {
    marks.lock().unwrap_or_else(PoisonError::into_inner).push((clock.now(), text));
}

/// Starts a thread that reads marks from `file` until the process ends. Without a file, there are never any marks.
/// Fails if the file can't be opened.
pub fn listen(file: Option<&Path>, clock: Clock) -> anyhow::Result<Marks> {
    let marks = Marks::default();
    let Some(path) = file else { return Ok(marks) };
    // Opened for writing, too: a FIFO then neither blocks here nor ends when its first writer closes it.
    let opened = OpenOptions::new().read(true).write(true).create(true).truncate(false).open(path);
    let mut file = opened.with_context(|| format!("--events {}", path.display()))?;
    // Fails for a FIFO, which has no end to seek to.
    let _ = file.seek(SeekFrom::End(0));
    let heard = marks.clone();
    thread::Builder::new().name("marks".into()).spawn(move || hear(BufReader::new(file), clock, &heard))?;
    Ok(marks)
}

fn hear(mut file: impl BufRead, clock: Clock, marks: &Marks) {
    let mut line = String::new();
    // A line may arrive in pieces. It is complete at its newline.
    while let Ok(read) = file.read_line(&mut line) {
        if let Some(text) = line.strip_suffix('\n') {
            set(marks, clock, text.to_owned());
            line.clear();
        } else if read == 0 {
            thread::sleep(LOOK);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::{fs, io::Write};

    use muster_testkit::wait::blocking_until;

    use super::*;

    #[test]
    fn what_is_written_meanwhile_is_a_mark() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("marks");
        fs::write(&path, "old\n").unwrap();
        let marks = listen(Some(&path), Clock::start_in(Duration::ZERO)).unwrap();
        let mut file = OpenOptions::new().append(true).open(&path).unwrap();
        writeln!(file, "kill node2").unwrap();
        blocking_until("the mark is read", || !marks.lock().unwrap().is_empty());
        assert_eq!(marks.lock().unwrap()[0].1, "kill node2");
    }
}
