//! Standard output, and the log on standard error. A line that can't be written, because the reader of a pipe has ended
//! or a disk is full, is dropped and counted. `println!` would panic.

use std::{
    fmt::Display,
    io::{self, Write},
    sync::atomic::{AtomicU64, Ordering::Relaxed},
};

static DROPPED: AtomicU64 = AtomicU64::new(0);

/// Writes one line to standard output, or drops it.
pub fn print_line(line: impl Display) {
    count(writeln!(io::stdout().lock(), "{line}"));
}

/// Writes one line to standard error, or drops it.
pub fn note(line: impl Display) {
    let _ = writeln!(LogWriter, "{line}");
}

/// Writes to standard error, or drops what it is given. It never fails.
#[derive(Debug, Clone, Copy)]
pub struct LogWriter;

impl Write for LogWriter {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        count(io::stderr().write_all(bytes));
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Returns how many lines were dropped since the start.
pub fn dropped() -> u64 {
    DROPPED.load(Relaxed)
}

fn count(written: io::Result<()>) {
    if written.is_err() {
        DROPPED.fetch_add(1, Relaxed);
    }
}
