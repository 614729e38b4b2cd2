//! Lines on stderr. A run goes on although nobody reads them: `eprintln!` would panic.

use std::{
    fmt::Display,
    io::{self, Write},
};

/// Writes a line to stderr; a line that can't be written is dropped.
pub fn note(line: impl Display) {
    let _ = writeln!(io::stderr(), "{line}");
}
