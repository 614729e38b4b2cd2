//! Lines on stderr. `eprintln!` panics if stderr can't be written; a run must continue.

use std::{
    fmt::Display,
    io::{self, Write},
};

/// Writes a line to stderr; a line that can't be written is dropped.
pub fn note(line: impl Display) {
    let _ = writeln!(io::stderr(), "{line}");
}
